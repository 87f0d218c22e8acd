package argo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const folder = "../../../examples/argocd"

func load(t *testing.T) Scripts {
	t.Helper()
	scripts, err := Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return scripts
}

func parse(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.UnmarshalStrict(text, into)
	}
	if err != nil {
		t.Fatal(path, err)
	}
}

// healthTest is how Argo CD's own tests are written.
type healthTest struct {
	Tests []struct {
		InputPath    string `json:"inputPath"`
		HealthStatus Health `json:"healthStatus"`
	} `json:"tests"`
}

func TestEachObjectIsAsItsTestSays(t *testing.T) {
	seen := map[string]bool{}
	for name := range load(t) {
		of := filepath.Join(folder, name)
		tests := healthTest{}
		parse(t, filepath.Join(of, "health_test.yaml"), &tests)
		for _, test := range tests.Tests {
			t.Run(name+"/"+test.InputPath, func(t *testing.T) {
				object := map[string]any{}
				parse(t, filepath.Join(of, test.InputPath), &object)
				health, err := load(t).Health(object)
				if err != nil || health != test.HealthStatus {
					t.Errorf("%+v, %v; expected %+v", health, err, test.HealthStatus)
				}
			})
			seen[name+" "+test.HealthStatus.Status] = true
		}
		if files, _ := filepath.Glob(filepath.Join(of, "testdata", "*.yaml")); len(files) != len(tests.Tests) {
			t.Errorf("%s: %d objects, %d tests", name, len(files), len(tests.Tests))
		}
	}
	for _, kind := range []string{"HRConnection", "SyncPolicy", "Person", "Revocation"} {
		for _, status := range []string{"Healthy", "Progressing", "Degraded"} {
			if !seen["rollcall.dev/"+kind+" "+status] {
				t.Errorf("no %s is %s in any test", kind, status)
			}
		}
	}
}

func connection(t *testing.T, name string) map[string]any {
	t.Helper()
	object := map[string]any{}
	parse(t, filepath.Join(folder, "rollcall.dev/HRConnection/testdata", name), &object)
	return object
}

func TestActionsAreOfferedWhereTheyDoSomething(t *testing.T) {
	for name, expected := range map[string]string{
		"healthy.yaml": "read-now suspend", "unreachable.yaml": "read-now suspend", "suspended.yaml": "resume",
	} {
		actions, err := load(t).Actions(connection(t, name))
		if err != nil {
			t.Fatal(err)
		}
		offered := []string{}
		for action, of := range actions {
			if !of.Disabled {
				offered = append(offered, action)
			}
		}
		sort.Strings(offered)
		if strings.Join(offered, " ") != expected {
			t.Errorf("%s: %v, expected %s", name, offered, expected)
		}
	}
	scripts := load(t)
	for name, kind := range scripts {
		if len(kind.Actions) == 0 {
			continue
		}
		offered, err := scripts.Actions(map[string]any{
			"apiVersion": "rollcall.dev/v1alpha1", "kind": filepath.Base(name), "spec": map[string]any{},
		})
		if err != nil || len(offered) != len(kind.Actions) {
			t.Errorf("%s: offered are %v (%v), there are %d", name, offered, err, len(kind.Actions))
		}
		for action := range offered {
			if kind.Actions[action] == "" {
				t.Errorf("%s: %s is offered and is not there", name, action)
			}
		}
	}
}

func TestAnActionChangesOneThing(t *testing.T) {
	now := time.Now()
	at := func(text any) time.Duration {
		instant, err := time.Parse(time.RFC3339, text.(string))
		if err != nil {
			t.Fatal(err)
		}
		return instant.Sub(now).Round(time.Hour)
	}
	patch := func(action, of string) map[string]any {
		text, err := load(t).Act(connection(t, of), action)
		if err != nil {
			t.Fatal(err)
		}
		patch := map[string]any{}
		if err := json.Unmarshal(text, &patch); err != nil {
			t.Fatal(err)
		}
		return patch
	}
	asked := patch("read-now", "healthy.yaml")
	instant := asked["metadata"].(map[string]any)["annotations"].(map[string]any)["rollcall.dev/requestedAt"]
	if len(asked) != 1 || at(instant) != 0 {
		t.Errorf("read-now: %v", asked)
	}
	suspended := patch("suspend", "healthy.yaml")
	spec := suspended["spec"].(map[string]any)
	suspend := spec["suspend"].(map[string]any)
	if len(suspended) != 1 || len(spec) != 1 || suspend["reason"] == "" || at(suspend["until"]) != 24*time.Hour {
		t.Errorf("suspend: %v", suspended)
	}
	if text, _ := json.Marshal(patch("resume", "suspended.yaml")); string(text) != `{"spec":{"suspend":null}}` {
		t.Errorf("resume: %s", text)
	}
}

func TestNobodyApprovesInTheNameOfArgoCD(t *testing.T) {
	for name, kind := range load(t) {
		for action, text := range kind.Actions {
			for _, word := range []string{"approv", "reject", "accept", "hold"} {
				if strings.Contains(action, word) || strings.Contains(text, word) {
					t.Errorf("%s has the action %s: a human's own name belongs to it", name, action)
				}
			}
		}
	}
}

func TestTheConfigMapIsMadeOfTheFiles(t *testing.T) {
	made, err := load(t).ConfigMap()
	if err != nil {
		t.Fatal(err)
	}
	stands, err := os.ReadFile(filepath.Join(folder, "argocd-cm.yaml"))
	if err != nil || string(stands) != string(made) {
		t.Errorf("argocd-cm.yaml is not of today (%v): run `make docs`", err)
	}
}

func TestAScriptReachesNothingOutside(t *testing.T) {
	object := map[string]any{}
	for _, script := range []string{`return {a = os.execute("true")}`, `return {a = require("os").getenv("HOME")}`, `return {a = io.open("/etc/passwd")}`, `while true do end`} {
		if _, err := run(script, object); err == nil {
			t.Errorf("this ran, and would not in Argo CD: %s", script)
		}
	}
}
