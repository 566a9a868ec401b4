package memory_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenPurgers are stores that remove too much, too little or not all of it.
func brokenPurgers() []brokenStore {
	const workflows = "PurgeWorkflows: "
	return []brokenStore{
		{fault: "purged workflows leave their keys", promise: workflows + "removes workflows that ended with a status before t: rows, events, idempotency records", breaks: purgeLeavesRecords},
		{fault: "every status is purged", promise: workflows + "what is active, ended otherwise or ended later stays", breaks: purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
			n, err := c.on(ctx, f)
			for _, status := range []domain.Status{domain.Completed, domain.Failed, domain.Cancelled} {
				c.status = status
				_, _ = c.on(ctx, f)
			}
			return n, err
		})},
		{fault: "what is owed is purged", promise: workflows + "those whose events are still on their way stay", breaks: without(func(c *ports.Change) { c.Owes = false })},
		{fault: "purges have no limit", promise: workflows + "removes at most limit, oldest first, and returns how many; fewer means no more", breaks: purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
			c.limit *= 2
			return c.on(ctx, f)
		})},
		{fault: "purged workflows are summed up", promise: workflows + "counts stay; what lists sum up no longer includes them", breaks: sumsPurged},
		{fault: "purged workflows keep their business key", promise: workflows + "frees the business key of what it removes", breaks: keepsKeys},
		{fault: "a purge of what was reopened", promise: workflows + "a workflow that is reopened meanwhile is removed whole or not at all", breaks: purgesReopened},
		{fault: "concurrent purges count twice", promise: workflows + "concurrent calls remove each workflow once", breaks: countsPurgedTwice},
		{fault: "audit purged to the end", promise: "PurgeAudit: removes entries made before t, at most limit, oldest first", breaks: func(f *faulty) {
			f.purgeAudit = func(ctx context.Context, t time.Time, limit int) (int, error) {
				return f.Store.PurgeAudit(ctx, t.Add(time.Hour), limit)
			}
		}},
		{fault: "batches purged beyond the limit", promise: "PurgeBatches: removes batches that ended before t, with their items, at most limit, oldest first", breaks: func(f *faulty) {
			f.purgeBatches = func(ctx context.Context, t time.Time, limit int) (int, error) {
				return f.Store.PurgeBatches(ctx, t, limit+1)
			}
		}},
	}
}

// purgeCall is a call of PurgeWorkflows.
type purgeCall struct {
	status domain.Status
	t      time.Time
	limit  int
}

func (c purgeCall) on(ctx context.Context, f *faulty) (int, error) {
	return f.Store.PurgeWorkflows(ctx, c.status, c.t, c.limit)
}

func purgers(purge func(ctx context.Context, f *faulty, c purgeCall) (int, error)) func(*faulty) {
	return func(f *faulty) {
		f.purgeWorkflows = func(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
			return purge(ctx, f, purgeCall{status, t, limit})
		}
	}
}

// purgeLeavesRecords still finds the records of purged workflows.
func purgeLeavesRecords(f *faulty) {
	records := map[string]ports.IdempotencyRecord{}
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		for _, c := range batch {
			if c.Idempotency != nil {
				records[c.Idempotency.Scope] = *c.Idempotency
			}
		}
		return f.Store.Commit(ctx, batch)
	}
	f.record = func(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
		if rec, ok := records[scope]; ok {
			return rec, nil
		}
		return f.Store.Idempotency(ctx, scope)
	}
}

// sumsPurged adds what was purged to the sums of lists.
func sumsPurged(f *faulty) {
	var purged atomic.Int64
	purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
		n, err := c.on(ctx, f)
		purged.Add(int64(n))
		return n, err
	})(f)
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		page, err := f.Store.List(ctx, q)
		page.Total += int(purged.Load())
		return page, err
	}
}

// purgesReopened lets a reopening be acknowledged and removes the workflow all the same.
func purgesReopened(f *faulty) {
	reopened := make(chan ports.Row, 1)
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		errs := f.Store.Commit(ctx, batch)
		if batch[0].Row.Run > 1 {
			reopened <- batch[0].Row
		}
		return errs
	}
	purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
		row := <-reopened
		_ = f.Store.Commit(ctx, []ports.Change{contracttests.NextOf(row, contracttests.Ends(domain.Failed))})
		return c.on(ctx, f)
	})(f)
}

// countsPurgedTwice counts what the first of two calls that meet removes for both.
func countsPurgedTwice(f *faulty) {
	second := meet()
	purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
		if second() {
			n, err := c.on(ctx, f)
			return 2 * n, err
		}
		return c.on(ctx, f)
	})(f)
}
