package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"rollcall.dev/e2e/cluster/internal/layout"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupName holds all pods of this node: a kubelet ends every process below its root that it does not know,
// so this one must not share /kubepods with another on the machine.
func cgroupName(dir layout.Dir) string { return "rollcall-" + dir.ID() }

// makeCgroups makes the root the kubelet expects to find, and returns its name as the kubelet wants it.
func makeCgroups(dir layout.Dir) (string, error) {
	for _, hierarchy := range hierarchies() {
		if err := os.MkdirAll(filepath.Join(hierarchy, cgroupName(dir)), 0o755); err != nil {
			return "", err
		}
	}
	return "/" + cgroupName(dir), nil
}

// unified says whether the machine has cgroup v2: one tree, not one a controller.
func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

func hierarchies() []string {
	if unified() {
		// A controller works below only where it is passed down. One that the machine lacks is not missed.
		for _, controller := range []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} {
			_ = os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte("+"+controller), 0)
		}
		return []string{cgroupRoot}
	}
	folders, _ := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs")) // the pattern is ours
	var found []string
	for _, folder := range folders {
		found = append(found, filepath.Dir(folder))
	}
	return found
}

// removeCgroups removes the empty trees of a node that ended.
func removeCgroups(dir layout.Dir) error {
	var failed error
	for _, pattern := range []string{cgroupName(dir), filepath.Join("*", cgroupName(dir))} {
		trees, _ := filepath.Glob(filepath.Join(cgroupRoot, pattern))
		for _, tree := range trees {
			failed = errors.Join(failed, removeTree(tree))
		}
	}
	return failed
}

// removeTree goes from the leaves up: a cgroup's files go with it and cannot be removed one by one.
func removeTree(tree string) error {
	var folders []string
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil // what is gone already is what we want
	})
	for i := len(folders) - 1; i >= 0 && err == nil; i-- {
		err = removeEmpty(folders[i])
	}
	return err
}

// removeEmpty tries for a while: a process leaves its cgroup a moment after it left the process table.
func removeEmpty(folder string) error {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Rmdir(folder)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(end) {
			return &fs.PathError{Op: "remove", Path: folder, Err: err}
		}
	}
}
