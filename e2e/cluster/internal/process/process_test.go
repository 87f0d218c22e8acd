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
	read, err := parse("7 (a ) b) (c) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 9 0 4242 0 0")
	if want := (status{"S", "9", 4242}); err != nil || read != want {
		t.Fatalf("got %+v, %v", read, err)
	}
}

func TestAProcessHasEndedWhenItsLastThreadHas(t *testing.T) {
	for read, want := range map[status]bool{
		{"S", "1", 1}: false,
		{"Z", "3", 1}: false,
		{"Z", "1", 1}: true,
	} {
		if read.ended() != want {
			t.Errorf("%+v: ended %v", read, !want)
		}
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
