// Package supervisor keeps a set of programs running, starts one that died again a few times, and then gives up.
//
// All of it happens on the goroutine of the caller, which must be locked to its thread: the kernel ends a child when
// the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG), and a thread that nobody holds may end at any time.
package supervisor

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Child is one program. Command makes it anew for each start.
type Child struct {
	Name    string
	Command func() *exec.Cmd
	Log     string
}

// GaveUp is the end of a program that died too often.
type GaveUp struct {
	Child Child
	Cause error
}

func (g GaveUp) Error() string {
	return fmt.Sprintf("%s died too often (last: %v), see %s", g.Child.Name, g.Cause, g.Child.Log)
}

// Supervisor holds the running programs.
type Supervisor struct {
	restarts int
	pause    time.Duration
	started  func(name string, pid int) error

	running map[string]*exec.Cmd
	deaths  map[string]int
	exits   chan exit
	again   chan Child
}

type exit struct {
	child Child
	cause error
}

// New makes a supervisor that starts each program again up to `restarts` times, after a pause.
// `started` is told of every start, to remember the process.
func New(restarts int, pause time.Duration, started func(name string, pid int) error) *Supervisor {
	return &Supervisor{
		restarts: restarts, pause: pause, started: started,
		running: map[string]*exec.Cmd{}, deaths: map[string]int{},
		// Room for every event there can be, so that the goroutines behind them end even if nobody listens any more.
		exits: make(chan exit, 64), again: make(chan Child, 64),
	}
}

// Start starts a program, its output appended to its log.
func (s *Supervisor) Start(child Child) error {
	output, err := os.OpenFile(child.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	command := child.Command()
	command.Stdout, command.Stderr = output, output
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", child.Name, err)
	}
	s.running[child.Name] = command
	go func() { s.exits <- exit{child, ended(command)} }()
	return s.started(child.Name, command.Process.Pid)
}

func ended(command *exec.Cmd) error {
	if err := command.Wait(); err != nil {
		return err
	}
	return fmt.Errorf("it ended by itself")
}

// Until keeps the programs running until the channel speaks or is closed. It returns what the channel said,
// or GaveUp once a program died more often than allowed.
func (s *Supervisor) Until(done <-chan error) error {
	for {
		select {
		case err := <-done:
			return err
		case exit := <-s.exits:
			if err := s.died(exit); err != nil {
				return err
			}
		case child := <-s.again:
			if err := s.Start(child); err != nil {
				return err
			}
		}
	}
}

func (s *Supervisor) died(exit exit) error {
	name := exit.child.Name
	delete(s.running, name)
	s.deaths[name]++
	if s.deaths[name] > s.restarts {
		return GaveUp{exit.child, exit.cause}
	}
	log.Printf("%s died (%v), start %d of %d again", name, exit.cause, s.deaths[name], s.restarts)
	time.AfterFunc(s.pause, func() { s.again <- exit.child })
	return nil
}

// Stop ends what still runs, at once: nothing here has anything to save.
func (s *Supervisor) Stop() {
	for _, command := range s.running {
		command.Process.Kill() // fails only where it has just ended
	}
	for len(s.running) > 0 {
		delete(s.running, (<-s.exits).child.Name)
	}
}
