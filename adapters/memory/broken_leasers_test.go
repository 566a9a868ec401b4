package memory_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenLeasers are stores that hand workflows to the wrong replicas, or to none.
func brokenLeasers() []brokenStore {
	return []brokenStore{
		{fault: "claim returns those of live holders", promise: "Claim: a workflow whose holder is live is left alone", breaks: claimsTheLive},
		{fault: "claim returns what is not due", promise: "Claim: a workflow that is not due yet, or never, is left alone", breaks: claimsTheUndue},
		{fault: "claim does not set the owner", promise: "Claim: sets Owner to the replica and DueAt to zero", breaks: claimsWithoutOwner},
		{fault: "two claims overlap", promise: "Claim: no two claims return the same workflow", breaks: claimsAgain},
		{fault: "concurrent claims overlap", promise: "Claim: no two concurrent claims return the same workflow", breaks: claimsAgain},
		{fault: "claim ignores its limit", promise: "Claim: returns up to limit workflows", breaks: claimsMore},
		{fault: "claim leaves lapsed holders alone", promise: "Claim: takes over workflows whose holder's lease has run out", breaks: renewsAll, never: true},
		{fault: "claim does not fence", promise: "Claim: a later change of the earlier holder is refused with ErrConflict", breaks: eachChange(noHolderCheck)},
		{fault: "claim returns stale records", promise: "Claim: returns the row and events as committed", breaks: claimsStale},
		{fault: "renew works once", promise: "Renew: makes the replica live for ttl from now", breaks: renewsOnce},
		{fault: "release does not release", promise: "Release: gives up everything the replica holds, due at once", breaks: releases(func(context.Context, *faulty, string) {})},
		{fault: "release keeps the lease", promise: "Release: ends the replica's lease", breaks: releases(keepsLease), never: true},
		{fault: "claim claims nothing", promise: "Claim: takes over active workflows that nobody holds and that are due", breaks: claimsNothing, never: true},
		{fault: "due only when written", promise: "Claim: a workflow becomes due by the store's clock", breaks: without(neverDueLater), never: true},
		{fault: "claim returns what has ended", promise: "Claim: a workflow that has ended is left alone", breaks: claimsTheEnded},
		{fault: "unknown holders count as live", promise: "Claim: takes over workflows of a holder that never was live", breaks: renewsAll, never: true},
		{fault: "a late claim sees an early row", promise: "Claim: of a claim and a concurrent change by the earlier holder, the later sees the earlier", breaks: claimsStale},
		{fault: "renew does not revive", promise: "Renew: a replica is live again after its lease ran out", breaks: renewsOnce},
		{fault: "release gives up for all", promise: "Release: leaves what others hold, and what has ended, alone", breaks: releases(releasesAll)},
		{fault: "release of nothing fails", promise: "Release: a replica that holds nothing may release", breaks: releasesOnlyHolders},
		{fault: "release does not fence", promise: "Release: a later change of the replica is refused with ErrConflict", breaks: eachChange(noHolderCheck)},
	}
}

// rows gives the rows of a small store.
func (f *faulty) rows(ctx context.Context, q ports.ListQuery) []ports.Row {
	q.Limit = 100
	page, _ := f.Store.List(ctx, q)
	return page.Rows
}

// grab hands rows to a replica, whoever holds them.
func (f *faulty) grab(ctx context.Context, replica string, q ports.ListQuery, takes func(r ports.Row) bool) (recs []ports.Record) {
	for _, row := range f.rows(ctx, q) {
		if !takes(row) {
			continue
		}
		c := ports.Change{Expected: row.Version, Holder: row.Owner, Row: row}
		c.Row.Owner, c.Row.DueAt = replica, time.Time{}
		if f.Store.Commit(ctx, []ports.Change{c})[0] == nil {
			rec, _ := f.Store.Load(ctx, row.WorkflowID)
			recs = append(recs, rec)
		}
	}
	return recs
}

func claimsTheLive(f *faulty) {
	f.claim = func(ctx context.Context, replica string, _ int) ([]ports.Record, error) {
		return f.grab(ctx, replica, ports.ListQuery{ActiveOnly: true}, func(r ports.Row) bool { return r.Owner != "" }), nil
	}
}

func claimsTheUndue(f *faulty) {
	f.claim = func(ctx context.Context, replica string, _ int) ([]ports.Record, error) {
		return f.grab(ctx, replica, ports.ListQuery{ActiveOnly: true}, func(r ports.Row) bool { return r.Owner == "" }), nil
	}
}

// claimsWithoutOwner returns records as claimed, but stores them as free.
func claimsWithoutOwner(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit)
		for _, rec := range recs {
			c := ports.Change{Expected: rec.Row.Version, Holder: replica, Row: rec.Row}
			c.Row.Owner, c.Row.DueAt = "", time.Now().Add(time.Hour)
			f.Store.Commit(ctx, []ports.Change{c})
		}
		return recs, err
	}
}

// claimsAgain returns what an earlier claim returned, once more.
func claimsAgain(f *faulty) {
	var earlier atomic.Pointer[ports.Record]
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit-1)
		if again := earlier.Load(); again != nil {
			recs = append(recs, *again)
		}
		if len(recs) > 0 {
			earlier.Store(&recs[0])
		}
		return recs, err
	}
}

func claimsMore(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		return f.Store.Claim(ctx, replica, limit+1)
	}
}

// renewsAll makes every holder live before a claim.
func renewsAll(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		for _, row := range f.rows(ctx, ports.ListQuery{ActiveOnly: true}) {
			_ = f.Store.Renew(ctx, row.Owner, time.Hour)
		}
		return f.Store.Claim(ctx, replica, limit)
	}
}

// claimsStale returns workflows without their last event.
func claimsStale(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit)
		for i := range recs {
			recs[i].Row.Version--
			recs[i].Events = recs[i].Events[:len(recs[i].Events)-1]
		}
		return recs, err
	}
}

func renewsOnce(f *faulty) {
	known := map[string]bool{}
	f.renew = func(ctx context.Context, replica string, ttl time.Duration) error {
		if known[replica] {
			return nil
		}
		known[replica] = true
		return f.Store.Renew(ctx, replica, ttl)
	}
}

func releases(how func(ctx context.Context, f *faulty, replica string)) func(*faulty) {
	return func(f *faulty) {
		f.release = func(ctx context.Context, replica string) error {
			how(ctx, f, replica)
			return nil
		}
	}
}

func keepsLease(ctx context.Context, f *faulty, replica string) {
	_ = f.Store.Release(ctx, replica)
	_ = f.Store.Renew(ctx, replica, time.Hour)
}

func claimsNothing(f *faulty) {
	f.claim = func(context.Context, string, int) ([]ports.Record, error) { return nil, nil }
}

func neverDueLater(c *ports.Change) {
	if c.Row.DueAt.After(time.Now()) {
		c.Row.DueAt = time.Time{}
	}
}

func claimsTheEnded(f *faulty) {
	f.claim = func(ctx context.Context, replica string, _ int) ([]ports.Record, error) {
		return f.grab(ctx, replica, ports.ListQuery{}, func(r ports.Row) bool { return r.Status.Terminal() }), nil
	}
}

func releasesAll(ctx context.Context, f *faulty, _ string) {
	for _, row := range f.rows(ctx, ports.ListQuery{ActiveOnly: true}) {
		_ = f.Store.Release(ctx, row.Owner)
	}
}

func releasesOnlyHolders(f *faulty) {
	f.release = func(ctx context.Context, replica string) error {
		for _, row := range f.rows(ctx, ports.ListQuery{}) {
			if row.Owner == replica {
				return f.Store.Release(ctx, replica)
			}
		}
		return ports.ErrNotFound
	}
}
