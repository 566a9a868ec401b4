package postgres_test

import (
	"fmt"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
)

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
