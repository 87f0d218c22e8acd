package flux

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

const objects = "../../../examples/argocd/rollcall.dev"

func TestAnHRSystemThatIsDownFailsNoKustomization(t *testing.T) {
	checks, err := Documented("../../../docs/gitops.md")
	if err != nil || len(checks) != 2 {
		t.Fatal(checks, err)
	}
	for path, expected := range map[string][2]string{ // with the expressions of the page, and without
		"HRConnection/testdata/new.yaml":            {"Unknown", "Current"},
		"HRConnection/testdata/changed.yaml":        {"InProgress", "InProgress"},
		"HRConnection/testdata/healthy.yaml":        {"Current", "Current"},
		"HRConnection/testdata/unreachable.yaml":    {"Current", "InProgress"},
		"HRConnection/testdata/held.yaml":           {"Current", "InProgress"},
		"HRConnection/testdata/suspended.yaml":      {"Current", "InProgress"},
		"HRConnection/testdata/secret-missing.yaml": {"InProgress", "InProgress"},
		"HRConnection/testdata/stalled.yaml":        {"Failed", "Failed"},
		"SyncPolicy/testdata/healthy.yaml":          {"Current", "Current"},
		"SyncPolicy/testdata/baseline-awaited.yaml": {"Current", "InProgress"},
		"SyncPolicy/testdata/no-connection.yaml":    {"InProgress", "InProgress"},
		"SyncPolicy/testdata/no-revoker.yaml":       {"Failed", "Current"},
		"SyncPolicy/testdata/stalled.yaml":          {"Failed", "Failed"},
	} {
		text, err := os.ReadFile(filepath.Join(objects, path))
		if err != nil {
			t.Fatal(err)
		}
		object, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(path, err)
		}
		with, err := checks.Status(object)
		if err != nil {
			t.Fatal(path, err)
		}
		without, err := Plain(object)
		if err != nil || [2]string{with, without} != expected {
			t.Errorf("%s: %s and %s (%v), expected %v", path, with, without, err, expected)
		}
	}
}
