package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecondNodeIsToldWhoHasTheMachine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockAt(path, "/first")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = lockAt(path, "/second")
	if err == nil || !strings.Contains(err.Error(), "/first") || !strings.Contains(err.Error(), "--control-plane-only") {
		t.Fatalf("got %v", err)
	}
}

func TestTheLockOfAnEndedHolderIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockAt(path, "/first")
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, err := lockAt(path, "/second")
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestOnlyTheOwnLockFileIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	file, err := lockAt(path, "/first")
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if err := unlockAt(path, "/second"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("another directory's lock file was removed")
	}
	if err := unlockAt(path, "/first"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatal("the own lock file stays")
	}
}
