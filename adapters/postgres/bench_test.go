package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func open(tb testing.TB) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), postgres.Config{DSN: pgtest.Migrated(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkSaga6 writes the rows of six-step sagas, 128 in flight, with commits
// of at most so many changes; fsync is on. One operation is one saga.
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
