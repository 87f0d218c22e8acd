package life

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/layout"
	"rollcall.dev/e2e/cluster/internal/node"
	"rollcall.dev/e2e/cluster/internal/process"
	"rollcall.dev/e2e/cluster/internal/supervisor"
)

// A component may die three times: once is an accident, and what dies again and again has a reason to be read in its log.
const restarts = 3

// Supervise runs the cluster until it is told to stop or a component gives up; then nothing of it runs any more.
func Supervise(dir layout.Dir) error {
	runtime.LockOSThread()
	keepFiles()
	state, found, err := dir.Recall()
	if err != nil || !found {
		return fmt.Errorf("%s holds no cluster to supervise (%v)", dir, err)
	}
	children := supervisor.New(restarts, time.Second, func(name string, pid int) error {
		return process.Save(dir.Pid(name), pid)
	})
	defer children.Stop()
	defer os.Remove(dir.Ready())

	err = run(dir, state, children)
	if err != nil {
		log.Printf("everything is taken down: %v", err)
	}
	return err
}

// keepFiles keeps the files we were handed, the node's lock above all, from the programs we start: a lock is free
// only when the last process that holds it has ended. An error means a kernel before 5.11, which lacks this care.
func keepFiles() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }

func run(dir layout.Dir, state layout.State, children *supervisor.Supervisor) error {
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	api, err := newAPI(dir, state)
	if err != nil {
		return err
	}
	stages := []stage{
		{"etcd", []supervisor.Child{components.Etcd(dir, state)}, api.etcdAnswers},
		{"API server", components.APIServers(dir, state), api.answers},
		{"controllers", []supervisor.Child{components.ControllerManager(dir, state), components.Scheduler(dir, state)}, api.controllersWork},
	}
	if state.Node {
		// With the controllers, not after them: neither needs the other.
		last := &stages[len(stages)-1]
		last.children = append(last.children, node.Child(dir))
		stages = append(stages, stage{"node", nil, api.nodeReady})
	}
	for _, stage := range stages {
		if err := stage.pass(told, children); err != nil || told.Err() != nil {
			return err
		}
	}
	if err := os.WriteFile(dir.Ready(), nil, 0o600); err != nil {
		return err
	}
	log.Print("ready")
	return children.Until(closed(told))
}

// A stage is what to start next and how to see that it works.
type stage struct {
	name     string
	children []supervisor.Child
	works    func(context.Context) error
}

func (s stage) pass(told context.Context, children *supervisor.Supervisor) error {
	for _, child := range s.children {
		if err := children.Start(child); err != nil {
			return err
		}
	}
	began := time.Now()
	works := make(chan error, 1)
	go func() { works <- waitFor(told, s.works) }()
	if err := children.Until(works); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	log.Printf("%s: works after %.1f s", s.name, time.Since(began).Seconds())
	return nil
}

// waitFor asks until the answer is yes, or until it is told to stop, which is no error.
func waitFor(told context.Context, works func(context.Context) error) error {
	limited, cancel := context.WithTimeout(told, patience)
	defer cancel()
	for {
		err := works(limited)
		if err == nil {
			return nil
		}
		select {
		case <-told.Done():
			return nil
		case <-limited.Done():
			return fmt.Errorf("not within %s: %w", patience, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// closed turns the wish to stop into what the supervisor waits for.
func closed(told context.Context) <-chan error {
	done := make(chan error)
	go func() {
		<-told.Done()
		close(done)
	}()
	return done
}
