package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"rollcall.dev/e2e/cluster/internal/process"
)

// shell is a program that runs a line of shell.
func shell(t *testing.T, name, line string) Child {
	return Child{Name: name, Log: filepath.Join(t.TempDir(), name+".log"), Command: func() *exec.Cmd { return exec.Command("sh", "-c", line) }}
}

// forever reads a pipe that nobody writes to.
func forever(t *testing.T, name string) Child {
	child := shell(t, name, "")
	child.Command = func() *exec.Cmd {
		command := exec.Command("cat")
		if _, err := command.StdinPipe(); err != nil {
			t.Error(err)
		}
		return command
	}
	return child
}

func locked(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

func TestAProgramThatKeepsDyingIsStartedAgainThenGivenUp(t *testing.T) {
	locked(t)
	starts := 0
	s := New(2, 0, func(string, int) error { starts++; return nil })
	child := shell(t, "weak", "echo once more; exit 3")
	if err := s.Start(child); err != nil {
		t.Fatal(err)
	}
	var gaveUp GaveUp
	if err := s.Until(nil); !errors.As(err, &gaveUp) || gaveUp.Child.Name != "weak" || !strings.Contains(err.Error(), "exit status 3") {
		t.Fatalf("got %v", err)
	}
	if output, _ := os.ReadFile(child.Log); starts != 3 || strings.Count(string(output), "once more") != 3 {
		t.Fatalf("%d starts, log %q", starts, output)
	}
}

func TestOneGivenUpIsToldWhileOthersRunAndStopEndsThem(t *testing.T) {
	locked(t)
	pids := map[string]int{}
	s := New(0, 0, func(name string, pid int) error { pids[name] = pid; return nil })
	for _, child := range []Child{forever(t, "strong"), shell(t, "weak", "exit 1")} {
		if err := s.Start(child); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Until(nil); !errors.As(err, new(GaveUp)) {
		t.Fatalf("got %v", err)
	}
	strong, err := process.Of(pids["strong"])
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if !strong.Gone(10 * time.Second) {
		t.Fatal("the other program still runs")
	}
}

func TestWhatTheCallerWaitsForEndsTheWatch(t *testing.T) {
	locked(t)
	s := New(0, 0, func(string, int) error { return nil })
	if err := s.Start(forever(t, "strong")); err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	ready := make(chan error)
	close(ready)
	if err := s.Until(ready); err != nil {
		t.Fatalf("got %v", err)
	}
}
