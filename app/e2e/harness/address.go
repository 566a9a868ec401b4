package harness

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

// Addresses returns n addresses of this machine with consecutive ports that
// are free now.
func Addresses(tb testing.TB, n int) []string {
	tb.Helper()
	ports, err := testserver.Ports(n)
	if err != nil {
		tb.Fatal(err)
	}
	list := make([]string, n)
	for i, port := range ports {
		list[i] = testserver.Address(port)
	}
	return list
}
