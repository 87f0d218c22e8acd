package life

import (
	"os"
	"testing"

	"rollcall.dev/e2e/cluster/internal/layout"
)

// holding makes a directory with these files.
func holding(t *testing.T, names ...string) layout.Dir {
	t.Helper()
	dir := layout.Dir(t.TempDir())
	for _, name := range names {
		if err := os.WriteFile(dir.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func exists(dir layout.Dir, name string) bool {
	_, err := os.Stat(dir.Path(name))
	return err == nil
}

func TestSomebodysDirectoryIsNeitherUsedNorRemoved(t *testing.T) {
	dir := holding(t, "thesis.txt")
	if err := Up(dir, false, 1); err == nil {
		t.Error("it was used")
	}
	if err := Down(dir, false); err != nil || !exists(dir, "thesis.txt") {
		t.Errorf("it was removed: %v", err)
	}
}

func TestDownLeavesNothingOrOnlyLogs(t *testing.T) {
	for _, keep := range []bool{true, false} {
		dir := holding(t, "etcd.log", "audit.log", "kubeconfig")
		if err := dir.Remember(layout.State{}); err != nil {
			t.Fatal(err)
		}
		if err := Down(dir, keep); err != nil {
			t.Fatal(err)
		}
		if exists(dir, "kubeconfig") || exists(dir, layout.Mark) || exists(dir, "audit.log") != keep || exists(dir, "") != keep {
			t.Errorf("with logs kept %v: something is wrong in what stays", keep)
		}
	}
}

func TestDownOfNothingIsFine(t *testing.T) {
	if err := Down(layout.Dir(t.TempDir()+"/nowhere"), false); err != nil {
		t.Fatal(err)
	}
}

func TestAMountBelowIsSeenAndABesideIsNot(t *testing.T) {
	mounts := "36 35 98:0 / /data/cluster-2/x rw - ext4 /dev/x rw\n37 35 98:0 / /data/cluster/x rw - ext4 /dev/x rw\n"
	if got := mountBelow(mounts, "/data/cluster"); got != "/data/cluster/x" {
		t.Errorf("got %q", got)
	}
	if got := mountBelow(mounts, "/data/clu"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestANodeIsReadyWhenItSaysSo(t *testing.T) {
	for content, want := range map[string]bool{
		`{"status":{"conditions":[{"type":"MemoryPressure","status":"True"},{"type":"Ready","status":"True"}]}}`: true,
		`{"status":{"conditions":[{"type":"Ready","status":"False","message":"no network"}]}}`:                   false,
		`{"status":{}}`: false,
	} {
		if err := ready([]byte(content)); (err == nil) != want {
			t.Errorf("%s: %v", content, err)
		}
	}
}
