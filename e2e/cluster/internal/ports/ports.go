// Package ports finds free TCP ports, so that several clusters run side by side.
package ports

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Set holds the ports a control plane listens on, all on 127.0.0.1.
type Set struct {
	APIServer         int `json:"apiserver"`
	EtcdClient        int `json:"etcdClient"`
	EtcdPeer          int `json:"etcdPeer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

// The range lies below the one Linux takes for outgoing connections (32768 and up), which could grab a port between our look and our use.
const lowest, highest = 20000, 30000

// Find picks a set in which no port is used twice.
func Find() (Set, error) {
	found, err := free(5)
	if err != nil {
		return Set{}, err
	}
	return Set{found[0], found[1], found[2], found[3], found[4]}, nil
}

// free holds every port it found until it has them all, so that none is found twice.
// It starts at a random place: two clusters started in the same moment then rarely look at the same ports.
func free(count int) ([]int, error) {
	var found []int
	start := rand.IntN(highest - lowest)
	for step := range highest - lowest {
		port := lowest + (start+step)%(highest-lowest)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer listener.Close()
		if found = append(found, port); len(found) == count {
			return found, nil
		}
	}
	return nil, errors.New("no free TCP ports between 20000 and 30000 on 127.0.0.1")
}
