package node

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Programs of the node write to fixed places here: /run/containerd, /var/lib/cni, /var/lib/kubelet, /var/log/containers.
// The node sees empty folders instead, which end with it.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// The kubelet sets these for the whole machine unless it finds them as it wants them (its setupKernelTunables).
// So it is shown what it wants.
var tunables = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// hideMachine makes the mounts of this process the node's own.
func hideMachine() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("leave the machine's mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	for _, folder := range hidden {
		if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	for name, value := range tunables {
		if err := show(name, value); err != nil {
			return err
		}
	}
	// Shared with what the node starts, as on a real one: a pod may ask for mounts that others see.
	return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
}

func show(name, value string) error {
	target := filepath.Join("/proc/sys", name)
	if _, err := os.Stat(target); os.IsNotExist(err) {
		return nil // not every kernel has every one
	}
	source := filepath.Join("/run/tunables", name)
	if err := os.MkdirAll(filepath.Dir(source), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(source, []byte(value+"\n"), 0o600); err != nil {
		return err
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	return nil
}
