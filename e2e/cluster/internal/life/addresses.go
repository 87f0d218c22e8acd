package life

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"

	"rollcall.dev/e2e/cluster/internal/components"
)

// giveAddresses has the loopback link carry an address for each of several API servers. It does so only in a network that is nobody
// else's, such as `unshare --net` makes: the machine's own addresses are not touched.
func giveAddresses(servers int) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if attributes := link.Attrs(); attributes.Flags&net.FlagLoopback == 0 && attributes.Flags&net.FlagUp != 0 {
			return fmt.Errorf("several API servers need a network of their own, and this one has %s: start them by unshare --net", attributes.Name)
		}
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	for number := 1; number <= servers; number++ {
		address := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(components.Advertised(number)), Mask: net.CIDRMask(32, 32)}}
		if err := netlink.AddrReplace(loopback, address); err != nil {
			return fmt.Errorf("address %s: %w", components.Advertised(number), err)
		}
	}
	return nil
}
