package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Addresses are taken from below the ports that systems give to outgoing
// connections: nobody's connection can sit on the port of a coordinator that is
// down, nor can a client that retries connect to itself.
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

// Addresses returns n addresses of this machine with consecutive ports that
// are free now.
func Addresses(tb testing.TB, n int) []string {
	tb.Helper()
	for range portAttempts {
		if list, ok := free(take(n), n); ok {
			return list
		}
	}
	tb.Fatalf("found no %d free ports", n)
	return nil
}

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

func free(first, n int) ([]string, bool) {
	list := make([]string, 0, n)
	for port := first; port < first+n; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, false
		}
		defer listener.Close()
		list = append(list, address)
	}
	return list, true
}
