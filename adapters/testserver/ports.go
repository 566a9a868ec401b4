// Package testserver is what the servers that tests start have in common: ports
// that stay theirs, and an end with the process that started them.
package testserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below those that systems give to outgoing connections:
// nobody's connection can sit on the port of a server that is down, nor can a
// client that retries connect to itself.
const (
	firstPort    = 11000
	endPort      = 31000
	portAttempts = 200
)

// ports hands out ports, each once until all have been: tests that run at the
// same time must not find the same port free. It begins anywhere, for the sake
// of other test processes.
var ports = struct {
	sync.Mutex
	next int
}{next: firstPort + rand.IntN(endPort-firstPort)}

// Ports returns n consecutive ports of this machine that are free now.
func Ports(n int) ([]int, error) {
	for range portAttempts {
		if first := take(n); free(first, n) {
			list := make([]int, n)
			for i := range list {
				list[i] = first + i
			}
			return list, nil
		}
	}
	return nil, fmt.Errorf("testserver: found no %d free ports", n)
}

// Address is a port of this machine.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// take returns the first of n ports that nobody in this process has.
func take(n int) int {
	ports.Lock()
	defer ports.Unlock()
	if ports.next+n > endPort {
		ports.next = firstPort
	}
	first := ports.next
	ports.next += n
	return first
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		listener, err := net.Listen("tcp", Address(port))
		if err != nil {
			return false
		}
		defer listener.Close()
	}
	return true
}
