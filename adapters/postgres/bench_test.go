package postgres_test

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/internal/storebench"
	"github.com/firstviscount/platform-coordination/ports"
)

func BenchmarkSaga6(b *testing.B) {
	storebench.Saga6(b, func(tb testing.TB) ports.Store { return open(tb) })
}

func BenchmarkWithHistory(b *testing.B) {
	storebench.WithHistory(b, func(tb testing.TB) ports.Store { return open(tb) })
}

func BenchmarkRequested(b *testing.B) {
	storebench.Requested(b, func(tb testing.TB) ports.Store { return open(tb) })
}
