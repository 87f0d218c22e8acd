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
export ROLLCALL_S3_BIN := $(BIN)/versitygw
export ROLLCALL_BIN := $(CURDIR)/target/rollcall

# Kubernetes says this version of itself; without it, it says 0.0.0 and nothing that looks at versions works.
KUBERNETES := 1.35.4
STAMP := k8s.io/component-base/version
GO_LDFLAGS := -s -w -X $(STAMP).gitVersion=v$(KUBERNETES) -X $(STAMP).gitMajor=1 -X $(STAMP).gitMinor=35
# The same flags for every build and test of the module, so that compiled packages are shared.
GO := CGO_ENABLED=0 go
GO_FLAGS := -trimpath -ldflags "$(GO_LDFLAGS)"

CARGO_DENY := 0.20.2

# A quarter of the API server's time would go into collecting garbage. `make bench` leaves it as it is.
PLANE_GOGC := 400

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
	plane() { GOGC=$(PLANE_GOGC) $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane; }
	trap 'plane down 9>&-' EXIT
	step $(MAKE) --no-print-directory lint
	step $(BIN)/helm lint --strict --quiet charts/rollcall
	step $(MAKE) --no-print-directory test-cluster
	step cargo test --locked --no-fail-fast --lib --bins
	step cargo test --locked --doc --package rollcall-hris
	step $(MAKE) --no-print-directory fuzz FUZZ_SECONDS=5
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only 9>&-) && export ROLLCALL_E2E_KUBECONFIG
	step cargo test --locked --test e2e -- --test-threads $(STORIES)
	awk '/^test result:/ { passed += $$4; failed += $$6 }
	     /^ *--- PASS/ { passed++ }  /^ *--- FAIL/ { failed++ }
	     END { print passed + 0 " passed, " failed + 0 " failed" }' "$$log"
	exit $$failed

# No cluster, no network but this machine's own, none of the tables that play the whole catalogue.
.PHONY: unit
unit: ours ## the fast tests, in about a minute
	cargo test --locked --lib --bins -- --skip stories::

.PHONY: lint
lint: deny ours ## formatting, clippy, licences and duplicate dependencies
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	$(BIN)/cargo-deny --locked --all-features --log-level error check --hide-inclusion-graph bans licenses sources

.PHONY: deny
deny: # the checker of dependencies, from its published crate; three minutes the first time
	mkdir -p $(CACHE)
	exec 9> $(CACHE)/tools.lock && flock 9
	[ -x $(BIN)/cargo-deny ] || CARGO_TARGET_DIR=$(CACHE)/deny cargo install --quiet --locked --debug --version $(CARGO_DENY) --root $(CACHE) cargo-deny
	rm -rf $(CACHE)/deny

.PHONY: test-cluster
test-cluster: # the tests of the Go modules, which need no cluster
	(cd e2e/cluster && $(GO) test $(GO_FLAGS) -v ./internal/... | grep -E '^( *--- |ok|FAIL|panic)')
	cd e2e/gitops && $(GO) test -trimpath -v ./... | grep -E '^( *--- |ok|FAIL|panic)'

# The oldest Kubernetes that the chart claims (kubeVersion), from its own published modules: control plane only.
OLDEST := 1.32.13
OLDEST_LDFLAGS := -s -w -X $(STAMP).gitVersion=v$(OLDEST) -X $(STAMP).gitMajor=1 -X $(STAMP).gitMinor=32
.PHONY: test-oldest
test-oldest: tools rollcall ## the stories against the oldest Kubernetes that the chart claims; half an hour more the first time
	exec 9> $(CACHE)/tools.lock && flock 9
	cd e2e/cluster && $(GO) build -modfile oldest.mod -tags oldest -trimpath -ldflags "$(OLDEST_LDFLAGS)" -o $(BIN)/cluster-$(OLDEST) .
	exec 9>&- && cd $(CURDIR)
	export ROLLCALL_CLUSTER_BIN=$(BIN)/cluster-$(OLDEST)
	plane() { $$ROLLCALL_CLUSTER_BIN "$$@" --dir $(CURDIR)/target/control-plane-oldest; }
	trap 'plane down' EXIT
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only) && export ROLLCALL_E2E_KUBECONFIG
	cargo test --locked --test e2e -- --test-threads $(STORIES)

# The version before is built in a target folder of its own: cargo takes the crates of two checkouts for the same ones, and goes by
# the times of their files.
FROM ?= $(shell git describe --tags --abbrev=0 2>/dev/null)
.PHONY: test-upgrade
test-upgrade: tools rollcall ## from a version before to this one and back by Helm, in the middle of revocations: FROM=v0.1.0; quarter of an hour more the first time
	[ -n "$(FROM)" ] || { echo "there is no tag yet: say which version comes before, make test-upgrade FROM=COMMIT" >&2; exit 1; }
	from=$$(git rev-parse --verify --quiet "$(FROM)^{commit}") || { echo "there is no version $(FROM)" >&2; exit 1; }
	versions=$(CURDIR)/target/versions
	rm -rf $$versions && mkdir -p $$versions/source $$versions/before $$versions/after
	git archive $$from | tar -xmC $$versions/source
	exec 9> $(CACHE)/before.lock && flock 9
	(cd $$versions/source && CARGO_TARGET_DIR=$(CACHE)/before cargo build --locked --bin rollcall)
	install $(CACHE)/before/debug/rollcall $$versions/before/rollcall
	exec 9>&-
	cp -r $$versions/source/charts/rollcall $$versions/before/chart
	install target/rollcall $$versions/after/rollcall && cp -r charts/rollcall $$versions/after/chart
	export ROLLCALL_VERSIONS=$$versions ROLLCALL_IMAGE_BIN=$$versions/now/rollcall
	plane() { GOGC=$(PLANE_GOGC) $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane-upgrade; }
	trap 'plane down' EXIT
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only) && export ROLLCALL_E2E_KUBECONFIG
	cargo test --locked --test e2e -- --ignored upgrade::

# FAULTS='Crash at call 1 of DELETE' tells only those whose words hold this; FAULTS= tells sixteen, FAULTS=rest what a run before did not tell.
# Optimised: half of the work is that of the proxies where calls go wrong.
FAULTS ?= all
.PHONY: faults
faults: tools ours ## whatever can go wrong with a call, at each call of a revocation with every act in it; a quiet machine, for long
	export CARGO_TARGET_DIR=$(RELEASE) ROLLCALL_BIN=$(RELEASE)/release/rollcall
	cargo test --locked --profile bench --test e2e --no-run
	plane() { GOGC=$(PLANE_GOGC) $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane-faults; }
	trap 'plane down' EXIT
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only) && export ROLLCALL_E2E_KUBECONFIG
	ROLLCALL_FAULTS="$(FAULTS)" cargo test --locked --profile bench --test e2e -- --ignored --nocapture --test-threads 1 faults::

# What the stories show with the behaviour that was seen of both, shown with both: compiled from their published modules, without webhooks.
ROTATORS := external-secrets cert-manager
.PHONY: test-integrations
test-integrations: tools rollcall ## rotation with the real external-secrets and cert-manager; twenty minutes more the first time
	exec 9> $(CACHE)/tools.lock && flock 9
	for name in $(ROTATORS); do (cd e2e/rotators/$$name && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(BIN)/$$name .); done
	crds() { (cd e2e/rotators/$$1 && go list -m -f '{{.Dir}}' $$2); }
	export ROLLCALL_EXTERNAL_SECRETS_BIN=$(BIN)/external-secrets ROLLCALL_CERT_MANAGER_BIN=$(BIN)/cert-manager
	export ROLLCALL_EXTERNAL_SECRETS_CRDS=$$(crds external-secrets github.com/external-secrets/external-secrets)/config/crds/bases
	export ROLLCALL_CERT_MANAGER_CRDS=$$(crds cert-manager github.com/cert-manager/cert-manager)/deploy/crds
	exec 9>&- && cd $(CURDIR)
	plane() { GOGC=$(PLANE_GOGC) $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane-integrations; }
	trap 'plane down' EXIT
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only) && export ROLLCALL_E2E_KUBECONFIG
	cargo test --locked --test e2e -- --ignored integrations::

# A client that nobody here wrote, against the real API server.
SCIM2_CLI := 0.6.0
.PHONY: test-scim
test-scim: tools rollcall ## the SCIM service with scim2-tester, from the Python package index; needs python3
	test -x $(CACHE)/scim2-$(SCIM2_CLI)/bin/scim2 || { python3 -m venv $(CACHE)/scim2-$(SCIM2_CLI) && $(CACHE)/scim2-$(SCIM2_CLI)/bin/pip install --quiet scim2-cli==$(SCIM2_CLI); }
	export ROLLCALL_SCIM2_BIN=$(CACHE)/scim2-$(SCIM2_CLI)/bin/scim2
	plane() { GOGC=$(PLANE_GOGC) $(BIN)/cluster "$$@" --dir $(CURDIR)/target/control-plane-scim; }
	trap 'plane down' EXIT
	plane down && ROLLCALL_E2E_KUBECONFIG=$$(plane up --control-plane-only) && export ROLLCALL_E2E_KUBECONFIG
	cargo test --locked --test e2e -- --ignored scim::

# With a company of ten thousand that is played, and with a day of it for the dashboard, which Grafana's published components draw: no
# control plane, and no Grafana server.
.PHONY: pictures
pictures: rollcall drawing ## a picture of each page of the ui and of the dashboard, in target/pictures; needs Debian, or a Chromium, and npm
	cargo test --locked --test e2e -- --ignored --exact ui::pictures dashboard::pictures

# Icons and letters lie where Grafana's components look for them.
.PHONY: drawing
drawing: # the page that draws the dashboard, in target/dashboard
	mkdir -p target/dashboard/build/img target/dashboard/fonts/inter
	cp e2e/dashboard/.npmrc e2e/dashboard/* target/dashboard/
	cd target/dashboard
	cmp -s package-lock.json installed.json || { npm ci --silent && cp package-lock.json installed.json; }
	npm run --silent bundle
	cp -r node_modules/@grafana/ui/dist/public/img/icons build/img/
	for weight in 400-Regular 500-Medium; do
		cp node_modules/@fontsource/inter/files/inter-latin-$${weight%-*}-normal.woff2 fonts/inter/Inter-$${weight#*-}.woff2
	done

# On stable Rust; what it has found interesting is kept in target/fuzz, and begun with the next time.
FUZZED := csv json dates definition expression ldap scim
FUZZ_SECONDS ?= 600
.PHONY: fuzz
fuzz: ours ## every parser, given bytes nobody would write: FUZZ_SECONDS=600 for each
	mkdir -p $(CACHE) target/fuzz
	exec 9> $(CACHE)/target.lock && flock 9
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/fuzz/instrument cargo build --locked --package rollcall-fuzz
	for name in $(FUZZED); do install $(CARGO_TARGET_DIR)/debug/fuzz-$$name target/fuzz/$$name; done
	exec 9>&-
	for name in $(FUZZED); do
		mkdir -p target/fuzz/found-$$name
		echo "fuzzing: $$name, $(FUZZ_SECONDS) s"
		target/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=512 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=target/fuzz/$$name- target/fuzz/found-$$name fuzz/seeds connectors > target/fuzz/$$name.log 2>&1 ||
			{ tail -n 40 target/fuzz/$$name.log; echo "the bytes that did it: target/fuzz/$$name-*"; exit 1; }
		grep -E 'number_of_executed_units' target/fuzz/$$name.log
	done

CASES ?= 20000
.PHONY: histories
histories: ours ## random companies through random histories: CASES=20000 of them, on one core
	export PROPTEST_CASES=$(CASES) CARGO_PROFILE_TEST_OPT_LEVEL=2
	cargo test --locked --package rollcall-domain --lib histories

# Cargo calls the crates of two checkouts the same, and takes those of the other for fresh where they are younger than the files here.
.PHONY: ours
ours: # has the crates of this checkout built anew where another one has built in a shared folder since
	for folder in $(CARGO_TARGET_DIR) $(RELEASE); do
		mkdir -p "$$folder"
		if [ "$$(cat "$$folder/checkout" 2>/dev/null)" != "$(CURDIR)" ]; then
			find src crates e2e fuzz -name '*.rs' -exec touch {} +
			echo "$(CURDIR)" > "$$folder/checkout"
		fi
	done

.PHONY: rollcall
rollcall: ours # the binary under test, out of the shared folder before another checkout builds its own there
	mkdir -p $(CACHE) target
	exec 9> $(CACHE)/target.lock && flock 9
	cargo build --locked --bin rollcall
	install $(CARGO_TARGET_DIR)/debug/rollcall target/rollcall

.PHONY: tools
tools: # a Kubernetes, Helm and an S3 server, from published modules; about fifteen minutes the first time
	mkdir -p $(BIN)
	exec 9> $(CACHE)/tools.lock && flock 9
	cd e2e/cluster
	$(GO) build $(GO_FLAGS) -o $(BIN)/cluster .
	$(GO) build $(GO_FLAGS) -o $(BIN)/helm helm.sh/helm/v3/cmd/helm
	cd ../s3
	$(GO) build -trimpath -ldflags "-s -w" -o $(BIN)/versitygw github.com/versity/versitygw/cmd/versitygw

.PHONY: cluster
cluster: tools ## a Kubernetes with a node on this machine; prints its kubeconfig's path
	$(BIN)/cluster up

.PHONY: load
load: # gives that Kubernetes the image of `make image`
	$(BIN)/cluster load target/rollcall.tar

.PHONY: tutorial
tutorial: tools ## docs/tutorial.md, typed word for word; TUTORIAL_FROM=2 where the image and the command are built already
	$(BIN)/cluster down
	e2e/tutorial.sh

.PHONY: down
down: ## ends that Kubernetes and removes everything of it
	[ ! -x $(BIN)/cluster ] || $(BIN)/cluster down

.PHONY: crds
crds: rollcall ## generates the definitions of the four kinds, and the chart's copies of them
	target/rollcall crds --dir crds
	cp crds/*.yaml charts/rollcall/files/crds/

.PHONY: docs
docs: tools rollcall ## generates the page of each connector, the reference of kinds and commands, the table of the chart's values, what Argo CD and Kustomize read
	target/rollcall connectors docs --dir docs/connectors
	rm -rf target/reference
	cargo test --locked --lib documented::reference >/dev/null || [ -d target/reference ]
	cp target/reference/api.md target/reference/cli.md docs/reference/
	cp target/reference/values.md charts/rollcall/README.md
	release/kustomize.sh
	target/gitops configmap > target/argocd-cm.yaml && mv target/argocd-cm.yaml examples/argocd/argocd-cm.yaml

MDBOOK := 0.5.4
.PHONY: site
site: ## the pages as a site, in target/site/book; fails on a dead link. Builds mdBook the first time, five minutes
	mkdir -p $(CACHE)
	exec 9> $(CACHE)/tools.lock && flock 9
	if [ "$$($(BIN)/mdbook --version 2>/dev/null)" != "mdbook v$(MDBOOK)" ]; then
		CARGO_TARGET_DIR=$(CACHE)/mdbook cargo install --quiet --locked --debug --no-default-features --features search --version $(MDBOOK) --root $(CACHE) mdbook
		rm -rf $(CACHE)/mdbook
	fi
	exec 9>&-
	rm -rf target/site && mkdir -p target/site/src/charts/rollcall
	cp -r README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE docs examples target/site/src/
	cp -r charts/rollcall/README.md charts/rollcall/files target/site/src/charts/rollcall/
	sed -E -e 's|\]\(([^.])|](docs/\1|' -e 's|\]\(\.\./|](|' docs/SUMMARY.md > target/site/src/SUMMARY.md
	rm target/site/src/docs/SUMMARY.md
	# The book calls a README index.html.
	for folder in . docs/connectors charts/rollcall; do mv target/site/src/$$folder/README.md target/site/src/$$folder/index.md; done
	find target/site/src -name '*.md' -exec sed -i.before -E 's|(\]\([^):]*)README\.md|\1index.md|g' {} +
	find target/site/src -name '*.before' -delete
	$(BIN)/mdbook build
	release/site-links.sh target/site/book

# The machine that is built for: TARGET is its name in Rust, by default this machine's. ARCH=arm64, or amd64, is Linux on another one, and
# stands in the names of what is written.
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
ARCH ?=
RUST_amd64 := x86_64-unknown-linux-gnu
RUST_arm64 := aarch64-unknown-linux-gnu
TARGET ?= $(if $(ARCH),$(RUST_$(ARCH)),$(HOST))
FOR := $(if $(ARCH),-$(ARCH))
RELEASE := $(CACHE)/release
# What the image leaves out: the commands that people run at a terminal (`make cli`), and the fake HR system.
FEATURES ?= --no-default-features
OUTPUT ?= rollcall
TAG ?= demo

.PHONY: release
release: ours # one binary, in target/release-static/$(OUTPUT): static for Linux, and without what only a panic that is caught would need
	[ -n "$(TARGET)" ] || { echo "ARCH is amd64 or arm64" >&2; exit 1; }
	mkdir -p $(CACHE) target/release-static
	exec 9> $(CACHE)/release.lock && flock 9
	binary=$$(TARGET=$(TARGET) CARGO_TARGET_DIR=$(RELEASE) release/build.sh $(FEATURES))
	install "$$binary" target/release-static/$(OUTPUT)$(FOR)

.PHONY: cli
cli: ours ## the command for people, which is the kubectl plugin too, as target/release-static/rollcall-cli; or, with ARCH=arm64, …-arm64
	$(MAKE) --no-print-directory release OUTPUT=rollcall-cli FEATURES=

.PHONY: image
image: ## the image, as target/rollcall.tar; or that for another machine, with ARCH=arm64, as target/rollcall-arm64.tar
	binary=target/release-static/rollcall$(FOR)
	case "$(HOST)" in *linux*) $(MAKE) --no-print-directory release ;; esac
	if [ "$$(head -c 4 $$binary)" != "$$(printf '\177ELF')" ]; then
		echo "The image needs a binary for Linux at $$binary, and this machine ($$(uname -s)) builds another kind. Run \`make image\` on Linux," >&2
		echo "or in a container: docker run --rm -v \"\$$PWD\":/src -w /src rust:1 make image" >&2; exit 1
	fi
	release/needs.sh buildah buildah ||
		{ echo "or build with docker: make licenses && docker build --build-arg BINARY=$$binary ." >&2; exit 1; }
	$(MAKE) --no-print-directory licenses
	store="--root $(CURDIR)/target/buildah --runroot $(CURDIR)/target/buildah-run --storage-driver vfs"
	buildah $$store bud --isolation chroot --quiet $(if $(ARCH),--platform linux/$(ARCH)) --build-arg BINARY=$$binary --tag localhost/rollcall:$(TAG) . >/dev/null
	rm -f target/rollcall$(FOR).tar
	buildah $$store push --quiet localhost/rollcall:$(TAG) docker-archive:target/rollcall$(FOR).tar:localhost/rollcall:$(TAG) >/dev/null
	buildah $$store rmi --all --force >/dev/null
	ls -l $$binary | awk '{ printf "image: one binary of %.1f MB\n", $$5 / 1e6 }'

.PHONY: licenses
licenses: # the licences of what is in the image, in target/licenses: the image has them in /licenses
	TARGET=$(TARGET) release/licenses.sh target/licenses $(FEATURES)

.PHONY: chart
chart: # the chart as an archive, target/rollcall-VERSION.tgz, with Helm of the path or of `make tools`
	release/chart.sh

# For x86-64: nothing is linked into the image for arm64 that is not in that one too, by a test.
CYCLONEDX := 0.5.9
.PHONY: sbom
sbom: # what is in the image: every crate with its version and licence, in CycloneDX, as target/rollcall.cdx.json
	mkdir -p $(CACHE) target
	exec 9> $(CACHE)/tools.lock && flock 9
	[ -x $(BIN)/cargo-cyclonedx ] || CARGO_TARGET_DIR=$(CACHE)/cyclonedx cargo install --quiet --locked --debug --version $(CYCLONEDX) --root $(CACHE) cargo-cyclonedx
	rm -rf $(CACHE)/cyclonedx
	exec 9>&-
	PATH=$(BIN):$$PATH cargo cyclonedx --quiet --format json --spec-version 1.5 --no-default-features --target $(RUST_amd64) --override-filename rollcall.cdx
	mv rollcall.cdx.json target/rollcall.cdx.json
	find crates fuzz -name rollcall.cdx.json -delete

.PHONY: plugin
plugin: ours # the kubectl plugin, packed: target/plugin/kubectl-rollcall_OS_ARCH.tar.gz; for Windows with TARGET=x86_64-pc-windows-gnu
	mkdir -p $(CACHE)
	exec 9> $(CACHE)/release.lock && flock 9
	TARGET=$(TARGET) CARGO_TARGET_DIR=$(RELEASE) release/plugin.sh

# Each image, and each plugin, is run before it is packed: by QEMU and Wine where it is for another machine.
.PHONY: built
built: # what a release is put together from, in target/built: images and plugins for Linux on x86-64 and arm64, and the SBOM
	version=$$(release/version.sh)
	rm -rf target/built target/plugin && mkdir -p target/built
	for arch in amd64 arm64; do
		$(MAKE) --no-print-directory image ARCH=$$arch TAG=$$version
		TARGET=$$([ $$arch = amd64 ] && echo $(RUST_amd64) || echo $(RUST_arm64)) release/smoke.sh target/release-static/rollcall-$$arch
		mv target/rollcall-$$arch.tar target/built/
		$(MAKE) --no-print-directory plugin ARCH=$$arch
	done
	$(MAKE) --no-print-directory sbom
	cp target/plugin/* target/rollcall.cdx.json target/built/

# Where they will be found; a fork names its own.
REPOSITORY ?= https://github.com/OWNER/rollcall
IMAGE ?= ghcr.io/owner/rollcall
.PHONY: packages
packages: tools built ## a whole release but the plugin for macOS, in target/packages, as the workflow makes it; pulled again from a registry on this machine
	$(MAKE) --no-print-directory plugin TARGET=x86_64-pc-windows-gnu || echo "without the plugin for Windows" >&2
	cp target/plugin/* target/built/
	release/assemble.sh target/built $(REPOSITORY) $(IMAGE)
	release/rehearse.sh

# DEMO_FAULT=noop: a revoker whose acts do nothing. The demo must notice, and fail.
.PHONY: demo
demo: tools ## one leaver, from CSV to refused tokens, on a real Kubernetes; DEMO_KUBECONFIG=FILE uses yours, DEMO_IMAGE=NAME:TAG an image it can pull
	$(MAKE) --no-print-directory image $(if $(filter noop,$(DEMO_FAULT)),FEATURES="--no-default-features --features=fault-noop")
	export CLUSTER=$(BIN)/cluster HELM=$(BIN)/helm ROLLCALL=$(CURDIR)/target/release-static/rollcall
	if [ -n "$(DEMO_KUBECONFIG)" ]; then
		export KUBECONFIG="$(DEMO_KUBECONFIG)" DEMO_IMAGE="$(DEMO_IMAGE)"
		e2e/load-image.sh target/rollcall.tar
	else
		$(BIN)/cluster down && KUBECONFIG=$$($(BIN)/cluster up) && export KUBECONFIG
		$(BIN)/cluster load target/rollcall.tar
	fi
	e2e/demo.sh

.PHONY: bench
bench: tools ours ## the bars of the design, measured: a table, and target/bench.jsonl; or one part of them: FIGURES=pushes
	$(MAKE) --no-print-directory image TAG=test
	$(MAKE) --no-print-directory cli
	export ROLLCALL_IMAGE_BIN=$(CURDIR)/target/release-static/rollcall ROLLCALL_BIN=$(CURDIR)/target/release-static/rollcall-cli
	$(BIN)/cluster down && ROLLCALL_E2E_KUBECONFIG=$$($(BIN)/cluster up) && export ROLLCALL_E2E_KUBECONFIG
	trap '$(BIN)/cluster down' EXIT
	$(BIN)/cluster load target/rollcall.tar
	CARGO_TARGET_DIR=$(RELEASE) cargo bench --locked --bench figures -- $(FIGURES)
