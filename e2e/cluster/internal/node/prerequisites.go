package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/layout"
)

// What the node needs of the machine, by the Debian package that has it.
var needed = []struct{ program, debian string }{
	{"containerd", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"catatonit", "catatonit"},
	{"host-local", "containernetworking-plugins"},
	{"loopback", "containernetworking-plugins"},
}

// Outside PATH: Debian's plugins, everybody else's, and where podman's packages put catatonit.
var folders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/podman", "/usr/sbin", "/sbin", "/usr/local/sbin"}

const wayOn = "use --control-plane-only, or give a cluster of your own in DEMO_KUBECONFIG"

// Prepare sees to it that a node can run here, and says what to do where it cannot.
func Prepare(dir layout.Dir) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a node needs root: %s", wayOn)
	}
	if err := errors.Join(fits(dir), visible(components.Self())); err != nil {
		return err
	}
	packages := missing(find)
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("a node needs these programs, named as Debian packages: %s; install them, %s", strings.Join(packages, " "), wayOn)
	}
	if err := install(packages); err != nil {
		return err
	}
	if packages := missing(find); len(packages) > 0 {
		return fmt.Errorf("still missing after their installation: %s; %s", strings.Join(packages, " "), wayOn)
	}
	return nil
}

// fits checks the path itself.
func fits(dir layout.Dir) error {
	// The longest socket is <dir>/kubelet/device-plugins and the like; the kernel allows 107 bytes for all of it.
	if len(dir) > 60 {
		return fmt.Errorf("%s is too long for the sockets of a node (60 characters): choose another --dir", dir)
	}
	return visible(string(dir))
}

func visible(path string) error {
	for _, folder := range hidden {
		if strings.HasPrefix(path+"/", folder+"/") {
			return fmt.Errorf("a node does not see the machine's %s, so %s must lie elsewhere", folder, path)
		}
	}
	return nil
}

// missing names the packages of the programs that are not found, each once.
func missing(find func(string) string) (packages []string) {
	for _, need := range needed {
		if find(need.program) == "" && !slices.Contains(packages, need.debian) {
			packages = append(packages, need.debian)
		}
	}
	return packages
}

func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, folder := range folders {
		path := filepath.Join(folder, program)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// install asks for new lists only if the old ones do not do. It never removes anything: better no node than a machine changed.
func install(packages []string) error {
	fmt.Fprintln(os.Stderr, "cluster: installing", strings.Join(packages, " "))
	arguments := append([]string{"install", "--yes", "--no-install-recommends", "--no-remove"}, packages...)
	if apt(arguments...) == nil {
		return nil
	}
	if err := apt("update"); err != nil {
		return fmt.Errorf("apt-get update: %w; %s", err, wayOn)
	}
	if err := apt(arguments...); err != nil {
		return fmt.Errorf("apt-get install %s: %w; %s", strings.Join(packages, " "), err, wayOn)
	}
	return nil
}

func apt(arguments ...string) error {
	command := exec.Command("apt-get", arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	command.Stdout, command.Stderr = os.Stderr, os.Stderr // our standard output is the kubeconfig's path alone
	return command.Run()
}

func catatonit() string { return find("catatonit") }

func pluginFolder() string { return filepath.Dir(find("host-local")) }
