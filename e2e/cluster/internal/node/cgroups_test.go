package node

import (
	"os"
	"path/filepath"
	"testing"
)

func TestATreeOfCgroupsIsRemovedFromTheLeavesUp(t *testing.T) {
	tree := filepath.Join(t.TempDir(), "rollcall")
	if err := os.MkdirAll(filepath.Join(tree, "kubepods", "besteffort", "pod"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := removeTree(tree); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tree); !os.IsNotExist(err) {
		t.Fatal("something stays")
	}
}

func TestATreeThatIsGoneIsFine(t *testing.T) {
	if err := removeTree(filepath.Join(t.TempDir(), "nowhere")); err != nil {
		t.Fatal(err)
	}
}
