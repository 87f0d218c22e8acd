// Package life brings a cluster up and takes it down: the commands, and the supervisor that stays in between.
package life

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/layout"
	"rollcall.dev/e2e/cluster/internal/node"
	"rollcall.dev/e2e/cluster/internal/ports"
	"rollcall.dev/e2e/cluster/internal/process"
)

const supervisorName = "supervisor"

// A start takes seconds; a slow machine under load is given minutes.
const patience = 4 * time.Minute

// Up makes the cluster run and returns once it answers.
//
// # Flow          alone in the directory; what crashed is taken down; files; supervisor; wait for its word
// # Guarantees    a cluster that runs already is left as it is
// # Errors        everything started is ended again, and the logs are kept
func Up(dir layout.Dir, withNode bool, apiServers int) error {
	alone, err := lockDirectory(dir)
	if err != nil {
		return err
	}
	defer alone.Close()

	running, err := alreadyUp(dir, withNode, apiServers)
	if err != nil || running {
		return err
	}
	if err := takeDown(dir, false); err != nil { // what a crash left
		return err
	}
	if err := start(dir, withNode, apiServers); err != nil {
		err = errors.Join(err, takeDown(dir, true))
		os.Remove(string(dir)) // if it holds nothing, not even logs
		return err
	}
	return nil
}

func alreadyUp(dir layout.Dir, withNode bool, apiServers int) (bool, error) {
	state, found, err := dir.Recall()
	if err != nil {
		return false, err
	}
	if !found {
		return false, refuseForeign(dir)
	}
	if !isRunning(dir) {
		return false, nil
	}
	if withNode && !state.Node {
		return false, fmt.Errorf("%s runs a control plane only: take it down first, or choose another --dir", dir)
	}
	if apiServers != max(1, state.APIServers) { // an older version had one, and did not say so
		return false, fmt.Errorf("%s runs %d API servers: take it down first, or choose another --dir", dir, state.APIServers)
	}
	return true, nil
}

// refuseForeign keeps us out of a directory with somebody's files in it: `down` would remove them.
func refuseForeign(dir layout.Dir) error {
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !isLog(entry.Name()) { // logs may be kept from an earlier time
			return fmt.Errorf("%s is no cluster's directory and not empty (it holds %s): choose another --dir", dir, entry.Name())
		}
	}
	return nil
}

func isRunning(dir layout.Dir) bool {
	identity, err := process.Load(dir.Pid(supervisorName))
	if err != nil || !identity.Alive() {
		return false
	}
	_, err = os.Stat(dir.Ready())
	return err == nil
}

func start(dir layout.Dir, withNode bool, apiServers int) error {
	if apiServers > 1 {
		if err := giveAddresses(apiServers); err != nil {
			return err
		}
	}
	var lock *os.File // stays nil for a control plane: any number of them may run
	if withNode {
		if err := node.Prepare(dir); err != nil {
			return err
		}
		var err error
		if lock, err = node.Lock(dir); err != nil {
			return err
		}
		defer lock.Close() // the supervisor holds it from then on
	}
	found, err := ports.Find()
	if err != nil {
		return err
	}
	state := layout.State{Node: withNode, APIServers: apiServers, Ports: found}
	if err := dir.Remember(state); err != nil {
		return err
	}
	if err := components.WriteFiles(dir, state, time.Now()); err != nil {
		return err
	}
	return supervise(dir, lock)
}

// supervise starts the supervisor in a session of its own and waits for its word.
// It gets none of our pipes, nor any that our caller left open in us, so that whoever reads from one sees its end.
func supervise(dir layout.Dir, lock *os.File) error {
	began := time.Now()
	fmt.Fprintf(os.Stderr, "cluster: starting in %s\n", dir)
	keepFiles()
	output, err := os.OpenFile(dir.Log(supervisorName), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	command := exec.Command(components.Self(), "supervise", "--dir", string(dir))
	command.Dir = string(dir)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if lock != nil {
		command.ExtraFiles = []*os.File{lock}
	}
	if err := command.Start(); err != nil {
		return err
	}
	if err := process.Save(dir.Pid(supervisorName), command.Process.Pid); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for late := time.After(patience); ; {
		select {
		case <-look.C:
			if isRunning(dir) {
				fmt.Fprintf(os.Stderr, "cluster: ready after %.1f s\n", time.Since(began).Seconds())
				return nil
			}
		case <-ended:
			return fmt.Errorf("the cluster did not start:\n%s", tail(dir.Log(supervisorName)))
		case <-late:
			return fmt.Errorf("the cluster was not ready within %s, see the logs in %s:\n%s", patience, dir, tail(dir.Log(supervisorName)))
		}
	}
}

// tail is the end of a log, which tells why.
func tail(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
