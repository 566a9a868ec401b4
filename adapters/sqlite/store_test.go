package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
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

// BenchmarkSaga6 writes the rows of six-step sagas, 128 in flight, with commits
// of at most so many changes. One operation is one saga.
func BenchmarkSaga6(b *testing.B) {
	for _, size := range []int{1, 16, 64, 128} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			store := open(b)
			b.ResetTimer()
			result, err := limit.Run(b.Context(), store, limit.Options{Sagas: b.N, Batch: size})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(result.PerSecond(), "sagas/s")
			b.ReportMetric(float64(result.Commits)/float64(result.Sagas), "commits/saga")
		})
	}
}
