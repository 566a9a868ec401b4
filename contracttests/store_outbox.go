package contracttests

import (
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// outboxRules: what is owed to the message bus is not forgotten.
func outboxRules() []StoreRule {
	return []StoreRule{
		rule("Outbox: a change that owes is remembered with the end of its workflow", remembersOwed),
		rule("Outbox: a change that is refused leaves nothing to be published", refusedOwesNothing),
		rule("Outbox: an entry whose keeper is live is left alone", leavesKept),
		rule("Outbox: entries of a keeper whose lease has run out are taken over", takesLapsed),
		rule("Outbox: no two claims return the same entry", claimsOwedOnce),
		rule("Outbox: returns up to limit workflows, oldest first", owedInOrder),
		rule("Outbox: what has been published is forgotten", forgetsPublished),
		rule("Outbox: an entry made by a later change than what was published stays", keepsLaterEntry),
		rule("Outbox: Release gives up the entries of the replica", releasesEntries),
		rule("Row: Published is kept as it was written", keepsPublished),
	}
}

// Owing makes a change that ends its workflow leave its events to be published.
func Owing(keeper string) Edit {
	return func(c *ports.Change) { c.Owes, c.Keeper = true, keeper }
}

// ended starts and ends the n-th workflow, with an entry in the outbox.
func (p *probe) ended(n int, keeper string) ports.Row {
	return p.next(p.start(n), Ends(domain.Completed), Owing(keeper))
}

// owed claims what is owed and expects exactly these workflows.
func (p *probe) owed(replica string, ids ...string) []ports.Record {
	recs, err := p.store.ClaimOwed(p.ctx, replica, 100)
	p.must(err, "ClaimOwed")
	var got []string
	for _, rec := range recs {
		got = append(got, rec.Row.WorkflowID)
	}
	p.want(sameSet(got, ids), "ClaimOwed for %s returned %v, want %v", replica, got, ids)
	return recs
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	in := map[string]bool{}
	for _, s := range a {
		in[s] = true
	}
	for _, s := range b {
		if !in[s] {
			return false
		}
	}
	return true
}

func (p *probe) owes(want int) {
	n, err := p.store.Owed(p.ctx)
	p.must(err, "Owed")
	p.want(n == want, "Owed counts %d entries, want %d", n, want)
}

func remembersOwed(p *probe) {
	p.live("r1")
	p.owed("r1")
	row := p.ended(1, "")
	p.next(p.start(2), Ends(domain.Failed))
	p.owes(1)
	rec := p.owed("r1", WorkflowID(1))[0]
	p.want(rowDiff(rec.Row, row) == "", "the owed row differs in %s", rowDiff(rec.Row, row))
	p.want(len(rec.Events) == 2, "the owed record has %d event lists of 2", len(rec.Events))
}

func refusedOwesNothing(p *probe) {
	row := p.start(1)
	p.next(row)
	p.refused(NextOf(row, Ends(domain.Completed), Owing("")), ports.ErrConflict, "a stale end that owes")
	p.owes(0)
}

func leavesKept(p *probe) {
	p.live("r1")
	p.live("r2")
	p.ended(1, "r1")
	p.owed("r2")
	p.owed("r1")
}

func takesLapsed(p *probe) {
	p.live("r2")
	p.ended(1, "unheard-of")
	p.owed("r2", WorkflowID(1))
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	p.ended(2, "r1")
	for {
		recs, err := p.store.ClaimOwed(p.ctx, "r2", 100)
		p.must(err, "ClaimOwed")
		if len(recs) == 1 && recs[0].Row.WorkflowID == WorkflowID(2) {
			return
		}
		p.want(len(recs) == 0, "ClaimOwed returned %d entries", len(recs))
		select {
		case <-p.ctx.Done():
			p.failf("the entry of a lapsed keeper was never handed out")
		case <-time.After(pollEvery):
		}
	}
}

func claimsOwedOnce(p *probe) {
	p.live("r1")
	p.live("r2")
	p.ended(1, "")
	p.owed("r1", WorkflowID(1))
	p.owed("r2")
	p.owed("r1")
	p.owes(1)
}

func owedInOrder(p *probe) {
	p.live("r1")
	for n := 1; n <= 5; n++ {
		p.ended(n, "")
	}
	for _, want := range [][]int{{1, 2}, {3, 4}, {5}} {
		recs, err := p.store.ClaimOwed(p.ctx, "r1", 2)
		p.must(err, "ClaimOwed")
		p.want(len(recs) == len(want), "ClaimOwed returned %d entries, want %d", len(recs), len(want))
		for i, n := range want {
			p.want(recs[i].Row.WorkflowID == WorkflowID(n), "entry %d is %s, want %s", i, recs[i].Row.WorkflowID, WorkflowID(n))
		}
	}
}

func forgetsPublished(p *probe) {
	p.live("r1")
	row := p.ended(1, "")
	p.ended(2, "")
	p.must(p.store.Published(p.ctx, []ports.Published{{WorkflowID: row.WorkflowID, Version: row.Version}, {WorkflowID: WorkflowID(99), Version: 7}}), "Published")
	p.owes(1)
	p.owed("r1", WorkflowID(2))
	p.must(p.store.Published(p.ctx, []ports.Published{{WorkflowID: row.WorkflowID, Version: row.Version}}), "Published again")
	p.must(p.store.Published(p.ctx, nil), "Published of nothing")
}

func keepsLaterEntry(p *probe) {
	p.live("r1")
	first := p.ended(1, "")
	again := p.next(first, EditRow(func(r *ports.Row) { r.EndedAt = time.Time{} }), HeldBy("r1"))
	last := p.next(again, Ends(domain.Cancelled), Owing(""))
	p.must(p.store.Published(p.ctx, []ports.Published{{WorkflowID: first.WorkflowID, Version: first.Version}}), "Published")
	p.owed("r1", WorkflowID(1))
	p.must(p.store.Published(p.ctx, []ports.Published{{WorkflowID: last.WorkflowID, Version: last.Version}}), "Published")
	p.owes(0)
}

func releasesEntries(p *probe) {
	p.live("r1")
	p.live("r2")
	p.ended(1, "r1")
	p.ended(2, "r2")
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.live("r1")
	p.owed("r2", WorkflowID(1))
}

func keepsPublished(p *probe) {
	row := p.start(1, EditRow(func(r *ports.Row) { r.Published = 0 }))
	row = p.next(row, EditRow(func(r *ports.Row) { r.Published = 1 }))
	p.want(p.load(row.WorkflowID).Row.Published == 1, "Published is %d, want 1", p.load(row.WorkflowID).Row.Published)
	row = p.next(row, Ends(domain.Completed), EditRow(func(r *ports.Row) { r.Published = 2 }))
	p.want(p.load(row.WorkflowID).Row.Published == 2, "Published is %d, want 2", p.load(row.WorkflowID).Row.Published)
}
