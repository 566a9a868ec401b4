package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/sqlite"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func open(tb testing.TB) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(tb.Context(), sqlite.Config{Path: filepath.Join(tb.TempDir(), "coordination.db"), Migrate: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	contracttests.Store(t, func(t *testing.T) ports.Store { return open(t) })
}

func TestDurableContract(t *testing.T) {
	t.Parallel()
	contracttests.DurableStore(t, func(t *testing.T) contracttests.Opener {
		path := filepath.Join(t.TempDir(), "coordination.db")
		return func() (ports.Store, error) {
			return sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: true})
		}
	})
}
