package harness

import (
	"math/rand/v2"
	"net"
	"strconv"
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

// Addresses returns n addresses of this machine with consecutive ports that
// are free now.
func Addresses(tb testing.TB, n int) []string {
	tb.Helper()
	for range portAttempts {
		first := firstPort + rand.IntN(endPort-firstPort-n)
		if list, ok := free(first, n); ok {
			return list
		}
	}
	tb.Fatalf("found no %d free ports", n)
	return nil
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
