package life

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/e2e/cluster/internal/layout"
	"rollcall.dev/e2e/cluster/internal/node"
	"rollcall.dev/e2e/cluster/internal/process"
)

// Down ends the cluster and removes everything of it, also after its supervisor crashed. Running it twice is running it once.
func Down(dir layout.Dir, keepLogs bool) error {
	if _, err := os.Stat(string(dir)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	alone, err := lockDirectory(dir)
	if err != nil {
		return err
	}
	defer alone.Close()
	if err := takeDown(dir, keepLogs); err != nil {
		return err
	}
	os.Remove(string(dir)) // succeeds on an empty one only: kept logs stay, and so do somebody's files
	return nil
}

// takeDown needs the lock of the directory.
//
// # Guarantees    only processes remembered in the directory are ended, and only what a cluster wrote is removed
func takeDown(dir layout.Dir, keepLogs bool) error {
	state, found, err := dir.Recall()
	if err != nil || !found {
		return err
	}
	if err := endProcesses(dir); err != nil {
		return err
	}
	if state.Node {
		if err := node.CleanUp(dir); err != nil {
			return err
		}
	}
	return remove(dir, keepLogs)
}

// endProcesses asks the supervisor first, so that it starts nothing again; then it ends what is left,
// which is nothing unless the kernel's parent-death signal is still on its way.
func endProcesses(dir layout.Dir) error {
	if boss, err := process.Load(dir.Pid(supervisorName)); err == nil {
		if err := boss.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if !boss.Gone(15 * time.Second) {
			fmt.Fprintln(os.Stderr, "cluster: the supervisor does not stop, it is killed")
		}
	}
	for _, file := range dir.Pids() {
		identity, err := process.Load(file)
		if err != nil {
			continue // half written by what crashed: the kernel ended that process with its parent
		}
		if err := identity.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		if !identity.Gone(30 * time.Second) {
			return fmt.Errorf("process %d of %s does not end", identity.PID, dir)
		}
	}
	return nil
}

// remove empties the directory. The mark that it is a cluster's goes last, so that a removal cut short can be taken up again.
func remove(dir layout.Dir, keepLogs bool) error {
	if err := refuseMounts(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == layout.Mark || keepLogs && isLog(entry.Name()) {
			continue
		}
		if err := os.RemoveAll(dir.Path(entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(dir.Path(layout.Mark))
}

// isLog says what a kept log is: a component's, the audit log, or the pods'.
func isLog(name string) bool { return filepath.Ext(name) == ".log" || name == node.PodLogs }

// refuseMounts stops before a removal would walk into another file system. A node's mounts are visible to itself alone
// and end with it, so one that is seen here is somebody else's.
func refuseMounts(dir layout.Dir) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if point := mountBelow(string(mounts), string(dir)); point != "" {
		return fmt.Errorf("%s is a mount that is not ours, nothing was removed: unmount it, then take the cluster down again", point)
	}
	return nil
}

// mountBelow finds a mount point under a directory; it is the fifth field of a line in proc_pid_mountinfo(5).
func mountBelow(mounts, dir string) string {
	for line := range strings.Lines(mounts) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			return fields[4]
		}
	}
	return ""
}

// lockDirectory keeps two commands from working on the same directory at once. The lock is on the directory itself,
// so nothing is left of it; whoever waited for one that was removed meanwhile takes the new one.
func lockDirectory(dir layout.Dir) (*os.File, error) {
	for {
		if err := os.MkdirAll(string(dir), 0o700); err != nil {
			return nil, err
		}
		file, err := os.Open(string(dir))
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if node.StillThere(file) {
			return file, nil
		}
		file.Close()
	}
}
