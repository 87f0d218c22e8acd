package node

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"rollcall.dev/e2e/cluster/internal/components"
	"rollcall.dev/e2e/cluster/internal/layout"
)

// linkName is the machine's end. The kernel allows 15 characters.
func linkName(dir layout.Dir) string { return "rc" + dir.ID() }

// enterNetwork moves this thread into a new network, joined with the machine's by one link.
//
// The machine reaches pods and services through the node; the node and its pods reach the machine. Nothing beyond:
// no address is translated on the way out, so no firewall rule is needed, and no test can call into the world.
func enterNetwork(dir layout.Dir) error {
	machine, err := netns.Get()
	if err != nil {
		return err
	}
	defer machine.Close()
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network of its own: %w", err)
	}
	inside, err := netns.Get()
	if err != nil {
		return err
	}
	defer inside.Close()
	onMachine, err := netlink.NewHandleAt(machine)
	if err != nil {
		return err
	}
	defer onMachine.Close()
	onNode, err := netlink.NewHandleAt(inside)
	if err != nil {
		return err
	}
	defer onNode.Close()
	if err := removeLink(dir, onMachine); err != nil { // of a node that ended a moment ago and is started again
		return err
	}
	return join(dir, onMachine, onNode, inside)
}

func join(dir layout.Dir, onMachine, onNode *netlink.Handle, inside netns.NsHandle) error {
	if err := onMachine.LinkAdd(&netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: linkName(dir)},
		PeerName:      "machine",
		PeerNamespace: netlink.NsFd(inside),
	}); err != nil {
		return fmt.Errorf("link %s: %w", linkName(dir), err)
	}
	loopback, err := onNode.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := onNode.LinkSetUp(loopback); err != nil {
		return err
	}
	if err := raise(onMachine, linkName(dir), components.LinkHost, components.LinkNode, components.Pods, components.Services); err != nil {
		return fmt.Errorf("the machine's end: %w", err)
	}
	// Only services: kube-proxy turns such an address around before it leaves, but the kernel first wants a way.
	if err := raise(onNode, "machine", components.LinkNode, components.LinkHost, components.Services); err != nil {
		return fmt.Errorf("the node's end: %w", err)
	}
	return nil
}

// raise gives one end of the link its address, and leads networks through the other end.
func raise(handle *netlink.Handle, name, address, gateway string, networks ...string) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	_, network, err := net.ParseCIDR(components.LinkNetwork)
	if err != nil {
		return err
	}
	own := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(address), Mask: network.Mask}}
	if err := handle.AddrAdd(link, own); err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	for _, text := range networks {
		_, destination, err := net.ParseCIDR(text)
		if err != nil {
			return err
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: destination, Gw: net.ParseIP(gateway)}
		if err := handle.RouteAdd(route); err != nil {
			return fmt.Errorf("%s is in use on this machine: %w", text, err)
		}
	}
	return nil
}

// removeLink does at once what the kernel does a little after the node's last process.
func removeLink(dir layout.Dir, onMachine *netlink.Handle) error {
	link, err := onMachine.LinkByName(linkName(dir))
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := onMachine.LinkDel(link); err != nil && !errors.Is(err, syscall.ENODEV) { // ENODEV: the kernel was faster
		return fmt.Errorf("remove link %s: %w", linkName(dir), err)
	}
	return nil
}
