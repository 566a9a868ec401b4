package memory_test

import (
	"context"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenOutboxes are stores that forget what is owed, or hand it out wrongly.
func brokenOutboxes() []brokenStore {
	const prefix = "Outbox: "
	return []brokenStore{
		{fault: "what is owed is forgotten", promise: prefix + "a change that owes is remembered with the end of its workflow", breaks: altered(func(c *ports.Change) { c.Owes = false })},
		{fault: "a refused change owes", promise: prefix + "a change that is refused leaves nothing to be published", breaks: eachChange(noVersionCheck)},
		{fault: "kept entries are handed out", promise: prefix + "an entry whose keeper is live is left alone", breaks: altered(func(c *ports.Change) { c.Keeper = "" })},
		{fault: "the dead keep their entries", promise: prefix + "entries of a keeper whose lease has run out are taken over", breaks: claimsOwed(func(context.Context, *faulty, string, int) ([]ports.Record, error) { return nil, nil })},
		{fault: "claims of entries overlap", promise: prefix + "no two claims return the same entry", breaks: claimsOwed(keepsNothing)},
		{fault: "claims of entries ignore the limit", promise: prefix + "returns up to limit workflows, oldest first", breaks: claimsOwed(func(ctx context.Context, f *faulty, replica string, _ int) ([]ports.Record, error) {
			return f.Store.ClaimOwed(ctx, replica, 100)
		})},
		{fault: "what is published is not forgotten", promise: prefix + "what has been published is forgotten", breaks: func(f *faulty) {
			f.published = func(context.Context, []ports.Published) error { return nil }
		}},
		{fault: "published is published, whichever version", promise: prefix + "an entry made by a later change than what was published stays", breaks: func(f *faulty) {
			f.published = func(ctx context.Context, done []ports.Published) error {
				for i := range done {
					done[i].Version = 1 << 30
				}
				return f.Store.Published(ctx, done)
			}
		}},
		{fault: "release keeps the entries", promise: prefix + "Release gives up the entries of the replica", breaks: releases(func(context.Context, *faulty, string) {})},
		{fault: "published is not stored", promise: "Row: Published is kept as it was written", breaks: altered(func(c *ports.Change) { c.Row.Published = 0 })},
	}
}

func claimsOwed(claim func(ctx context.Context, f *faulty, replica string, limit int) ([]ports.Record, error)) func(*faulty) {
	return func(f *faulty) {
		f.claimOwed = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
			return claim(ctx, f, replica, limit)
		}
	}
}

// keepsNothing hands entries out without noting to whom.
func keepsNothing(ctx context.Context, f *faulty, _ string, limit int) ([]ports.Record, error) {
	return f.Store.ClaimOwed(ctx, "nobody-live", limit)
}

// altered commits each change with a member altered.
func altered(alter func(*ports.Change)) func(*faulty) {
	return eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		alter(&c)
		return commitOne(ctx, s, c)
	})
}
