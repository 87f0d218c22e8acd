package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestANameWithSpacesAndBracketsDoesNotShiftTheFields(t *testing.T) {
	state, start, err := parse("7 (a ) b) (c) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0")
	if err != nil || state != "S" || start != 4242 {
		t.Fatalf("got %q, %d, %v", state, start, err)
	}
}

func TestAnotherProcessOfTheSameNumberIsNotTheSame(t *testing.T) {
	me, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	earlier := me
	earlier.Start--
	if !me.Alive() || earlier.Alive() {
		t.Fatalf("alive: this one %v, an earlier one %v", me.Alive(), earlier.Alive())
	}
	if err := earlier.Signal(syscall.SIGKILL); err != nil { // would end this test if it reached us
		t.Fatal(err)
	}
}

func TestARememberedProcessIsFoundAndEnded(t *testing.T) {
	child := exec.Command("cat") // reads a pipe that nobody writes to, so it runs until it is ended
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	if err := Save(file, child.Process.Pid); err != nil {
		t.Fatal(err)
	}
	identity, err := Load(file)
	if err != nil || !identity.Alive() {
		t.Fatalf("not found again: %+v, %v", identity, err)
	}
	if err := identity.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !identity.Gone(10 * time.Second) {
		t.Fatal("still there")
	}
	child.Wait()
}
