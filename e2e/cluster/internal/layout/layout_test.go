package layout

import (
	"os"
	"path/filepath"
	"testing"
)

func TestADirectoryHasOneNameAlsoBeforeItExists(t *testing.T) {
	base := t.TempDir()
	real := filepath.Join(base, "real")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	straight, err := At(filepath.Join(real, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if through, err := At(filepath.Join(base, "link", "a", "b")); err != nil || through != straight {
		t.Fatalf("%s and %s: %v", through, straight, err)
	}
}

func TestWhatIsRememberedIsRecalled(t *testing.T) {
	dir := Dir(t.TempDir())
	if _, found, err := dir.Recall(); found || err != nil {
		t.Fatalf("an empty directory recalls something: %v", err)
	}
	want := State{Node: true}
	want.Ports.APIServer = 20001
	if err := dir.Remember(want); err != nil {
		t.Fatal(err)
	}
	if got, found, err := dir.Recall(); got != want || !found || err != nil {
		t.Fatalf("got %+v, %v, %v", got, found, err)
	}
}
