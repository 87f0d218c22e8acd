// Package relay passes connections on, from one address to another.
//
// API servers listen on the machine's loopback addresses only, so that no neighbour reaches them; a relay lets in who is meant to.
package relay

import (
	"io"
	"log"
	"net"
	"sync"
)

// Open listens at one address, and passes on to another whatever comes in for as long as the process lives.
// Its goroutine is not on a thread that moved to another network: it listens in the process's own.
func Open(from, to string) error {
	listening := make(chan error)
	go func() {
		listener, err := net.Listen("tcp", from)
		listening <- err
		if err == nil {
			log.Fatalf("relay: %v", serve(listener, to)) // without it somebody is blind: end, and be started again
		}
	}()
	return <-listening
}

// Run is a relay that is a process of its own: it can be stopped, and what is behind it goes on.
func Run(from, to string) error {
	listener, err := net.Listen("tcp", from)
	if err != nil {
		return err
	}
	return serve(listener, to)
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
