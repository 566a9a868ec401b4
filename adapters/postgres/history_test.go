package postgres_test

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

var history = flag.Int("history", 20_000, "how many workflows have ended in BenchmarkWithHistory")

// BenchmarkWithHistory asks what the API asks, and commits, with no and with
// many ended workflows. The figures of a pair should differ by little.
func BenchmarkWithHistory(b *testing.B) {
	for _, ended := range []int{0, *history} {
		store := open(b)
		write(b, store, ended+1, ended) // one more in flight, so that no list is empty
		for _, ask := range []struct {
			name string
			do   func(ctx context.Context) error
		}{
			{"list", lists(store, ports.ListQuery{})},
			{"list-page-50", lists(store, ports.ListQuery{Offset: 1000})},
			{"list-active", lists(store, ports.ListQuery{ActiveOnly: true})},
			{"list-completed", lists(store, ports.ListQuery{Status: domain.Completed})},
			{"list-by-updated", lists(store, ports.ListQuery{Sort: ports.SortUpdatedAt})},
			{"list-by-status", lists(store, ports.ListQuery{Sort: ports.SortStatus})},
			{"list-by-priority", lists(store, ports.ListQuery{Sort: ports.SortPriority, Ascending: true})},
			{"list-customer", lists(store, ports.ListQuery{CustomerID: "cust-none"})},
			{"list-hour", lists(store, ports.ListQuery{StartedBefore: time.Now().Add(-time.Hour)})},
			{"live", func(ctx context.Context) error { _, _, err := store.Live(ctx, time.Minute); return err }},
			{"claim", func(ctx context.Context) error { _, err := store.Claim(ctx, "replica-1", 10); return err }},
			{"counts", func(ctx context.Context) error {
				_, err := store.Counts(ctx, time.Now().AddDate(0, -1, 0), time.Now().Add(time.Hour), "")
				return err
			}},
		} {
			b.Run(fmt.Sprintf("%s/ended=%d", ask.name, ended), func(b *testing.B) {
				for range b.N {
					if err := ask.do(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("saga6/ended=%d", ended), func(b *testing.B) { write(b, store, b.N, b.N) })
	}
}

// write writes sagas, of which only so many end.
func write(b *testing.B, store *postgres.Store, sagas, end int) {
	b.Helper()
	left := end
	_, err := limit.Run(b.Context(), store, limit.Options{Sagas: sagas, Lanes: 1, Changes: func() []ports.Change {
		changes := limit.Saga6()
		if left--; left < 0 {
			return changes[:2]
		}
		return changes
	}})
	if err != nil {
		b.Fatal(err)
	}
}

func lists(store *postgres.Store, q ports.ListQuery) func(context.Context) error {
	q.Limit = 20
	return func(ctx context.Context) error {
		q.Now = time.Now()
		_, err := store.List(ctx, q)
		return err
	}
}
