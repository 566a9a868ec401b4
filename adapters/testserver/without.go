package testserver

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// withoutEnv names the servers, separated by spaces, that cannot be had on this
// machine. scripts/test sets it, and says at its end what was not tested.
const withoutEnv = "COORDINATION_TEST_WITHOUT"

// Need skips a test whose server was said not to be had. Without that word it
// runs, and fails if it finds none: what was not tested must not look as if it were.
func Need(tb testing.TB, server string) {
	tb.Helper()
	if slices.Contains(strings.Fields(os.Getenv(withoutEnv)), server) {
		tb.Skipf("%s is not to be had on this machine ($%s)", server, withoutEnv)
	}
}
