package components

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"rollcall.dev/e2e/cluster/internal/layout"
)

func written(t *testing.T) (layout.Dir, layout.State) {
	t.Helper()
	dir := layout.Dir(t.TempDir())
	state := layout.State{APIServers: 1}
	state.Ports.APIServer = 20001
	if err := WriteFiles(dir, state, time.Now()); err != nil {
		t.Fatal(err)
	}
	return dir, state
}

func TestEachKubeconfigPointsWhereItsReaderReachesTheAPIServer(t *testing.T) {
	dir, _ := written(t)
	for path, server := range map[string]string{
		dir.Kubeconfig():                   "https://127.0.0.1:20001",
		dir.ComponentKubeconfig("kubelet"): "https://" + LinkHost + ":20001",
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), `"server": "`+server+`"`) {
			t.Errorf("%s does not point to %s", path, server)
		}
	}
}

func TestAFlagNamesOnlyFilesThatAreThere(t *testing.T) {
	dir, state := written(t)
	for _, child := range []func(layout.Dir, layout.State) []string{
		func(d layout.Dir, s layout.State) []string { return APIServer(d, s, 1).Command().Args },
		func(d layout.Dir, s layout.State) []string { return ControllerManager(d, s).Command().Args },
		func(d layout.Dir, s layout.State) []string { return Scheduler(d, s).Command().Args },
	} {
		for _, flag := range child(dir, state) {
			name, path, _ := strings.Cut(flag, "=")
			if !strings.HasPrefix(path, string(dir)) || name == "--audit-log-path" {
				continue
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestSeveralAPIServersShareNothingButEtcdThePortAndTheirKeys(t *testing.T) {
	dir, state := written(t)
	state.APIServers = 2
	first, second := APIServer(dir, state, 1).Command().Args, APIServer(dir, state, 2).Command().Args
	var differ []string
	for at, flag := range first {
		if flag != second[at] {
			name, _, _ := strings.Cut(flag, "=")
			differ = append(differ, name)
		}
		if strings.HasPrefix(flag, "--endpoint-reconciler-type") {
			t.Error("their addresses are not published")
		}
	}
	if got := strings.Join(differ, " "); got != "--bind-address --advertise-address --audit-log-path" {
		t.Errorf("they differ in %s", got)
	}
	names := map[string]bool{}
	for _, child := range APIServers(dir, state) {
		names[child.Name] = true
	}
	if len(names) != 4 || !names["kube-apiserver-2"] || !names["relay-2"] {
		t.Errorf("got %v", names)
	}
}

func TestKubernetesOwnAccountsAreLeftOutOfTheAuditBeforeAccountsAreTakenIn(t *testing.T) {
	dir, _ := written(t)
	content, err := os.ReadFile(dir.Path("audit-policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Rules []struct {
			Level      string
			UserGroups []string
		}
	}
	if err := json.Unmarshal(content, &policy); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, rule := range policy.Rules {
		order = append(order, rule.Level+" "+strings.Join(rule.UserGroups, " "))
	}
	want := "None system:serviceaccounts:kube-system, Metadata system:serviceaccounts, None "
	if got := strings.Join(order, ", "); got != want {
		t.Fatalf("got %q", got)
	}
}

func TestTheCallersProxiesAndEtcdNamesStayOutside(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://proxy.invalid")
	t.Setenv("ETCD_NAME", "other")
	for _, line := range Etcd("/x", layout.State{}).Command().Env {
		if strings.Contains(line, "PROXY") || strings.Contains(line, "ETCD") {
			t.Errorf("%s got in", line)
		}
	}
}

func TestThePodsLogsAndTheNodesStateLieInTheDirectory(t *testing.T) {
	dir := layout.Dir(t.TempDir())
	if err := WriteNodeFiles(dir, Node{Cgroup: "/c", PluginFolder: "/p", PauseImage: "i", PodLogs: dir.Path("pods")}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(dir.Path("containerd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`root = "` + dir.Path("containerd", "root"), `state = "` + dir.Path("containerd", "state"), `bin_dir = "/p"`} {
		if !strings.Contains(string(content), line) {
			t.Errorf("containerd.toml lacks %s", line)
		}
	}
}
