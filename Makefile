# What there is to do here, one word each. `make` alone lists it.
#
# Programs, and whatever makes a second run fast, are kept in the user's cache folder, behind locks: checkouts share
# them. What a run makes for this checkout alone is in target/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rollcall
BIN := $(CACHE)/bin
export CARGO_TARGET_DIR ?= $(CACHE)/target
export ROLLCALL_CLUSTER_BIN := $(BIN)/cluster
export ROLLCALL_HELM_BIN := $(BIN)/helm
export ROLLCALL_BIN := $(CURDIR)/target/rollcall

# Kubernetes says this version of itself; without it, it says 0.0.0 and nothing that looks at versions works.
KUBERNETES := 1.35.4
STAMP := k8s.io/component-base/version
GO_LDFLAGS := -s -w -X $(STAMP).gitVersion=v$(KUBERNETES) -X $(STAMP).gitMajor=1 -X $(STAMP).gitMinor=35
# The same flags for every build and test of the module, so that compiled packages are shared.
GO := CGO_ENABLED=0 go
GO_FLAGS := -trimpath -ldflags "$(GO_LDFLAGS)"

# Stories running at once: most of their time is waiting for the API server's own ten-second cache.
STORIES ?= 6

.PHONY: help
help: ## this list
	sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: test
test: tools rollcall ## every check and every test, on a control plane of its own
	mkdir -p target && log=$(CURDIR)/target/test.log && : > "$$log" && failed=0
	exec 9> target/test.lock && flock 9  # one run a checkout: they would share the control plane's folder
	step() { echo "── $$*"; "$$@" 2>&1 | tee -a "$$log" || failed=1; }
	plane() { $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane; }
	trap 'plane down 9>&-' EXIT
	step cargo fmt --check
	step cargo clippy --locked --all-targets -- --deny warnings
	step $(MAKE) --no-print-directory test-cluster
	step cargo test --locked --no-fail-fast --lib --bins
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only 9>&-) && export ROLLCALL_E2E_KUBECONFIG
	step cargo test --locked --test e2e -- --test-threads $(STORIES)
	awk '/^test result:/ { passed += $$4; failed += $$6 }
	     /^ *--- PASS/ { passed++ }  /^ *--- FAIL/ { failed++ }
	     END { print passed + 0 " passed, " failed + 0 " failed" }' "$$log"
	exit $$failed

.PHONY: test-cluster
test-cluster: # the tests of the Go module, which need no cluster
	cd e2e/cluster && $(GO) test $(GO_FLAGS) -v ./internal/... | grep -E '^( *--- |ok|FAIL|panic)'

.PHONY: rollcall
rollcall: # the binary under test, out of the shared folder before another checkout builds its own there
	mkdir -p $(CACHE) target
	exec 9> $(CACHE)/target.lock && flock 9
	cargo build --locked --bin rollcall
	install $(CARGO_TARGET_DIR)/debug/rollcall target/rollcall

.PHONY: tools
tools: # a Kubernetes and Helm, from published modules; about twelve minutes the first time
	mkdir -p $(BIN)
	exec 9> $(CACHE)/tools.lock && flock 9
	cd e2e/cluster
	$(GO) build $(GO_FLAGS) -o $(BIN)/cluster .
	$(GO) build $(GO_FLAGS) -o $(BIN)/helm helm.sh/helm/v3/cmd/helm

.PHONY: cluster
cluster: tools ## a Kubernetes with a node on this machine; prints its kubeconfig's path
	$(BIN)/cluster up

.PHONY: down
down: ## ends that Kubernetes and removes everything of it
	[ ! -x $(BIN)/cluster ] || $(BIN)/cluster down

.PHONY: crds
crds: rollcall ## writes the definitions of the four kinds anew, and the chart's copies of them
	target/rollcall crds
	cp crds/*.yaml charts/rollcall/files/crds/
