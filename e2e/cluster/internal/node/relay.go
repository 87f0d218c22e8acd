package node

import (
	"io"
	"log"
	"net"
	"sync"
)

// relay lets the node reach the API server, which listens on the machine's 127.0.0.1 only, so that no neighbour can.
// Its goroutine is not on the thread that moved to the node's network: it listens in the machine's.
func relay(from, to string) error {
	listening := make(chan error)
	go func() {
		listener, err := net.Listen("tcp", from)
		listening <- err
		if err == nil {
			log.Fatalf("relay: %v", serve(listener, to)) // without it the node is blind: end, and be started again
		}
	}()
	return <-listening
}

// serve passes every connection that comes in on to one address.
func serve(listener net.Listener, to string) error {
	for {
		from, err := listener.Accept()
		if err != nil {
			return err
		}
		go pass(from, to)
	}
}

func pass(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		log.Printf("relay: %v", err)
		return
	}
	defer to.Close()
	var both sync.WaitGroup
	both.Go(func() { copyOneWay(to, from) })
	both.Go(func() { copyOneWay(from, to) })
	both.Wait()
}

// copyOneWay says to the receiver that the sender is done, while the other way may still speak.
func copyOneWay(to, from net.Conn) {
	io.Copy(to, from) // an end of either side is an end, whatever its reason
	to.(*net.TCPConn).CloseWrite()
}
