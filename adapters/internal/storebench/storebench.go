// Package storebench are the benchmarks that every durable store runs.
package storebench

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// history is as large as a benchmark of a few seconds allows. The figure of the
// documentation is made with 200000.
var history = flag.Int("history", 20_000, "how many workflows have ended in BenchmarkWithHistory")

// fewEnded fill a page, so that both stores of a pair give as much.
const fewEnded = 100

// liveWorkflows are under way in both stores of a pair.
const liveWorkflows = 50

// Saga6 writes the rows of six-step sagas with commits of at most so many
// changes, 128 in flight; and one saga after the other, for the latency of a
// lone one. One operation is one saga.
func Saga6(b *testing.B, open func(testing.TB) ports.Store) {
	for _, o := range []limit.Options{
		{InFlight: 1, Lanes: 1}, {Batch: 1}, {Batch: 16}, {Batch: 64}, {Batch: 128},
	} {
		name := fmt.Sprintf("batch=%d", o.Batch)
		if o.InFlight == 1 {
			name = "lone"
		}
		b.Run(name, func(b *testing.B) {
			store := open(b)
			o.Sagas = b.N
			b.ResetTimer()
			result, err := limit.Run(b.Context(), store, o)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(result.PerSecond(), "sagas/s")
			b.ReportMetric(float64(result.Commits)/float64(result.Sagas), "commits/saga")
		})
	}
}

// Requested writes sagas as requests begin them: with nothing else, with an
// idempotency record, and with an audit entry too. The figures tell what each costs.
func Requested(b *testing.B, open func(testing.TB) ports.Store) {
	for _, r := range []struct {
		name string
		with func(*ports.Change)
	}{
		{"plain", func(*ports.Change) {}},
		{"keyed", keyed},
		{"audited", func(c *ports.Change) { keyed(c); audited(c) }},
	} {
		b.Run(r.name, func(b *testing.B) {
			store := open(b)
			b.ResetTimer()
			result, err := limit.Run(b.Context(), store, limit.Options{Sagas: b.N, Changes: func() []ports.Change {
				changes := limit.Saga6()
				r.with(&changes[0])
				return changes
			}})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(result.PerSecond(), "sagas/s")
		})
	}
}

func keyed(c *ports.Change) {
	c.Idempotency = &ports.IdempotencyRecord{
		Scope: uuid.NewString() + "-scope", Fingerprint: strings.Repeat("f", 64),
		WorkflowID: c.Row.WorkflowID, Version: c.Row.Version, CreatedAt: c.Row.StartedAt,
	}
}

func audited(c *ports.Change) {
	c.Audit = &ports.AuditEntry{
		ID: "aud-" + uuid.Must(uuid.NewV7()).String(), At: c.Row.StartedAt, Subject: "svc-shop", Role: "service", Action: "startWorkflow",
		Target: c.Row.WorkflowID, RequestID: uuid.NewString(), TraceID: uuid.NewString(), After: json.RawMessage(`{"status":"IN_PROGRESS"}`),
	}
}

// WithHistory asks what the API asks, and commits, with few and with many ended
// workflows. The figures of a pair should differ by little.
func WithHistory(b *testing.B, open func(testing.TB) ports.Store) {
	for _, ended := range []int{fewEnded, *history} {
		store := open(b)
		write(b, store, ended+liveWorkflows, ended)
		for _, q := range questions(store) {
			b.Run(fmt.Sprintf("%s/ended=%d", q.name, ended), func(b *testing.B) {
				for range b.N {
					if err := q.ask(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("saga6/ended=%d", ended), func(b *testing.B) { write(b, store, b.N, b.N) })
	}
}

type question struct {
	name string
	ask  func(context.Context) error
}

func questions(store ports.Store) []question {
	list := func(name string, q ports.ListQuery) question {
		q.Limit = 20
		return question{"list-" + name, func(ctx context.Context) error {
			q.Now = time.Now()
			_, err := store.List(ctx, q)
			return err
		}}
	}
	return []question{
		list("all", ports.ListQuery{}),
		list("page-4", ports.ListQuery{Offset: 60}),
		list("active", ports.ListQuery{ActiveOnly: true}),
		list("completed", ports.ListQuery{Status: domain.Completed}),
		list("type", ports.ListQuery{Type: "ORDER_FULFILLMENT"}),
		list("by-updated", ports.ListQuery{Sort: ports.SortUpdatedAt}),
		list("by-status", ports.ListQuery{Sort: ports.SortStatus}),
		list("by-type", ports.ListQuery{Sort: ports.SortType}),
		list("by-priority", ports.ListQuery{Sort: ports.SortPriority, Ascending: true}),
		list("customer", ports.ListQuery{CustomerID: "cust-none"}),
		list("error", ports.ListQuery{ErrorCode: "NONE"}),
		list("before", ports.ListQuery{StartedBefore: time.Now().Add(-time.Hour)}),
		list("idle", ports.ListQuery{UpdatedBefore: time.Now().Add(-time.Hour)}),
		list("stuck", ports.ListQuery{Stuck: time.Minute}),
		{"live", func(ctx context.Context) error { _, _, err := store.Live(ctx, time.Minute); return err }},
		{"purge", func(ctx context.Context) error {
			_, err := store.PurgeWorkflows(ctx, domain.Completed, time.Now().Add(-time.Hour), 100)
			return err
		}},
		{"claim", func(ctx context.Context) error { _, err := store.Claim(ctx, "replica-2", 10); return err }},
		{"counts", func(ctx context.Context) error {
			_, err := store.Counts(ctx, time.Now().AddDate(0, -1, 0), time.Now().Add(time.Hour), "")
			return err
		}},
	}
}

// write writes sagas, of which only so many end; the others are held by a live replica.
func write(b *testing.B, store ports.Store, sagas, end int) {
	b.Helper()
	if err := store.Renew(b.Context(), "replica-1", time.Hour); err != nil {
		b.Fatal(err)
	}
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
