// Package process knows a process again, also after its number went to another one.
package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity is one process: the kernel gives a number again, but never with the same start time in the same boot.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
	Boot  string `json:"boot"`
}

// Of looks a process up.
func Of(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, err
	}
	read, err := parse(string(stat))
	if err != nil {
		return Identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, Start: read.start, Boot: strings.TrimSpace(string(boot))}, nil
}

// A status is what we want of a line of /proc/PID/stat: fields 3, 20 and 22 in proc_pid_stat(5).
type status struct {
	state   string
	threads string
	start   uint64
}

// parse begins after the last bracket: the second field is the name in brackets, and may hold spaces and brackets itself.
func parse(stat string) (status, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return status{}, fmt.Errorf("unreadable process status %q", stat)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return status{state: fields[0], threads: fields[17], start: start}, err
}

// ended is true of a process that its parent did not collect yet. While other threads of it are still ending,
// it counts as alive: they hold its files and locks.
func (s status) ended() bool {
	return (s.state == "Z" || s.state == "X") && (s.threads == "0" || s.threads == "1")
}

// Alive says whether this very process still runs.
func (i Identity) Alive() bool {
	now, err := Of(i.PID)
	if err != nil || now != i {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.PID))
	if err != nil {
		return false
	}
	read, err := parse(string(stat))
	return err == nil && !read.ended()
}

// Signal reaches this very process or none: the handle is taken before the identity is checked.
func (i Identity) Signal(signal syscall.Signal) error {
	handle, err := os.FindProcess(i.PID) // a pidfd, which does not pass to a later process of the same number
	if err != nil {
		return err
	}
	defer handle.Release()
	if !i.Alive() {
		return nil
	}
	if err := handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Gone waits for the end of the process and says whether it came in time.
func (i Identity) Gone(within time.Duration) bool {
	for end := time.Now().Add(within); i.Alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Save remembers a process in a file.
func Save(path string, pid int) error {
	identity, err := Of(pid)
	if err != nil {
		return err
	}
	content, err := json.Marshal(identity)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// Load reads what Save wrote.
func Load(path string) (Identity, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, err
	}
	var identity Identity
	if err := json.Unmarshal(content, &identity); err != nil {
		return Identity{}, fmt.Errorf("%s: %w", path, err)
	}
	return identity, nil
}
