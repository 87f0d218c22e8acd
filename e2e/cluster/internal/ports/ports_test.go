package ports

import (
	"net"
	"strconv"
	"testing"
)

func TestPortsOfASetDifferAndAreFree(t *testing.T) {
	set, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range []int{set.APIServer, set.EtcdClient, set.EtcdPeer, set.ControllerManager, set.Scheduler} {
		if seen[port] {
			t.Errorf("port %d is used twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Errorf("port %d is not free: %v", port, err)
			continue
		}
		listener.Close()
	}
}
