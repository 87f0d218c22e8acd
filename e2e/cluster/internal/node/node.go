// Package node runs the one node of a cluster: containerd, kubelet and kube-proxy, closed off from the machine.
//
// The node has process numbers, mounts and a network of its own. When its first process ends, the kernel ends all the
// others, and with the last of them go the mounts, the bridge, the links of the pods and every firewall rule. So nothing
// can stay behind, however the end comes, and no rule or process of the machine can be touched by mistake.
package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/image"
	"rollcall.dev/e2e/cluster/internal/layout"
	"rollcall.dev/e2e/cluster/internal/relay"
	"rollcall.dev/e2e/cluster/internal/supervisor"
)

// PodLogs is the folder of what the pods write, kept with the other logs.
const PodLogs = "pods"

const restarts = 3

// Child is the node seen from outside: one program, whose end is the end of all that runs on the node.
// catatonit is its first process, because orphans come to that one and it must collect them.
func Child(dir layout.Dir) supervisor.Child {
	child := components.Program(dir, "node", catatonit(), "--", components.Self(), "node", "--dir", string(dir))
	outside := child.Command
	child.Command = func() *exec.Cmd {
		command := outside()
		// The network follows later, from inside: making the link needs the machine's too.
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
		return command
	}
	return child
}

// Run is the node seen from inside.
func Run(dir layout.Dir) error {
	runtime.LockOSThread() // this thread alone moves to the node's network, and the programs it starts with it
	state, found, err := dir.Recall()
	if err != nil || !found {
		return fmt.Errorf("%s holds no cluster (%v)", dir, err)
	}
	if err := hideMachine(); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if err := enterNetwork(dir); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	port := strconv.Itoa(state.Ports.APIServer)
	// The node reaches the API server through it.
	if err := relay.Open(net.JoinHostPort(components.LinkHost, port), net.JoinHostPort("127.0.0.1", port)); err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	cgroups, err := makeCgroups(dir)
	if err != nil {
		return fmt.Errorf("cgroups: %w", err)
	}
	if err := components.WriteNodeFiles(dir, components.Node{
		Cgroup: cgroups, PluginFolder: pluginFolder(), PauseImage: pauseImage, PodLogs: dir.Path(PodLogs),
	}); err != nil {
		return err
	}
	return run(dir)
}

func run(dir layout.Dir) error {
	children := supervisor.New(restarts, time.Second, func(name string, pid int) error { return nil }) // their end is the node's
	if err := children.Start(components.Containerd(dir)); err != nil {
		return err
	}
	imported := make(chan error, 1)
	go func() { imported <- importPause(dir) }()
	if err := children.Until(imported); err != nil {
		return err
	}
	for _, child := range []supervisor.Child{components.Kubelet(dir), components.Proxy(dir)} {
		if err := children.Start(child); err != nil {
			return err
		}
	}
	return children.Until(nil)
}

const pauseImage = "localhost/rollcall-pause:1"

// importPause gives containerd the image of the process that holds a pod's namespaces: catatonit, which is made to wait.
func importPause(dir layout.Dir) error {
	program, err := os.ReadFile(catatonit())
	if err != nil {
		return err
	}
	archive, err := os.Create(dir.Path("pause.tar"))
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := image.Write(archive, pauseImage, "catatonit", program, "-P"); err != nil {
		return err
	}
	if err := waitForSocket(dir.Containerd(), time.Minute); err != nil {
		return err
	}
	command := exec.Command("ctr", "--address", dir.Containerd(), "--namespace", "k8s.io", "images", "import", archive.Name())
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("pause image: %w: %s", err, output)
	}
	return nil
}

func waitForSocket(path string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		connection, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// CleanUp removes what the kernel keeps of a node after its processes ended, and the lock.
func CleanUp(dir layout.Dir) error {
	here, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer here.Close()
	return errors.Join(removeLink(dir, here), removeCgroups(dir), unlock(dir))
}
