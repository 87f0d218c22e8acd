package node

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"rollcall.dev/e2e/cluster/internal/layout"
)

// One node a machine: a second one would want the same addresses. The file names the directory that has it.
const lockFile = "/run/rollcall-node.lock"

// Lock takes the machine for a node. The lock is held by the open file, so it passes to the supervisor with it,
// and the kernel frees it when that ends, however it ends.
func Lock(dir layout.Dir) (*os.File, error) { return lockAt(lockFile, dir) }

func lockAt(path string, dir layout.Dir) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			file.Close()
			return nil, taken(path, err)
		}
		if StillThere(file) {
			return file, write(file, string(dir))
		}
		file.Close() // removed by its last holder between our opening and our locking
	}
}

func taken(path string, err error) error {
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	holder, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return fmt.Errorf("another node runs on this machine, from %s: take that one down, or use --control-plane-only", strings.TrimSpace(string(holder)))
}

func write(file *os.File, text string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(text+"\n"), 0)
	return err
}

// StillThere says whether an open file still has its name. One that was removed is no meeting point for a lock.
func StillThere(file *os.File) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(file.Name())
	return err == nil && os.SameFile(open, named)
}

// unlock removes the lock file if it is still this directory's.
func unlock(dir layout.Dir) error { return unlockAt(lockFile, dir) }

func unlockAt(path string, dir layout.Dir) error {
	holder, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && strings.TrimSpace(string(holder)) != string(dir) {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := lockAt(path, dir)
	if err != nil {
		return nil // another node has just taken it: it is that one's now
	}
	defer file.Close()
	return os.Remove(path)
}
