package contracttests

import (
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// shortLease runs out while a rule waits for it.
const shortLease = 30 * time.Millisecond

// claimRules: what is handed to a replica.
func claimRules() []StoreRule {
	return []StoreRule{
		rule("Claim: takes over active workflows that nobody holds and that are due", claimsDue),
		rule("Claim: a workflow that is not due yet, or never, is left alone", claimsNothingElse),
		rule("Claim: a workflow becomes due by the store's clock", becomesDue),
		rule("Claim: a workflow that has ended is left alone", claimsNoEnded),
		rule("Claim: a workflow whose holder is live is left alone", claimsNoneOfTheLive),
		rule("Claim: takes over workflows whose holder's lease has run out", claimsLapsed),
		rule("Claim: takes over workflows of a holder that never was live", claimsOfNobodyKnown),
		rule("Claim: sets Owner to the replica and DueAt to zero", claimSetsOwner),
		rule("Claim: returns the row and events as committed", claimReturnsRecord),
		rule("Claim: returns up to limit workflows", claimLimit),
		rule("Claim: no two claims return the same workflow", claimsOnce),
		rule("Claim: a later change of the earlier holder is refused with ErrConflict", claimFences),
	}
}

func claimsDue(p *probe) {
	p.live("r1")
	p.want(len(p.claim("r1", 10)) == 0, "claim returned something from an empty store")
	p.start(1, DueNow())
	p.start(2, Due(Epoch.AddDate(-5, 0, 0)))
	p.start(3, DueNow(), EditRow(func(r *ports.Row) { r.Status = domain.Parked }))
	p.claims("r1", WorkflowID(1), WorkflowID(2), WorkflowID(3))
}

func claimsNothingElse(p *probe) {
	p.live("r1")
	p.start(1)
	p.start(2, Due(time.Now().Add(time.Hour)))
	p.want(len(p.claim("r1", 10)) == 0, "claim returned a workflow that is not due")
	p.holds(StartOf(1).Row)
	p.start(3, DueNow())
	p.claims("r1", WorkflowID(3))
	p.want(len(p.claim("r1", 10)) == 0, "claim returned a workflow that is not due")
}

func becomesDue(p *probe) {
	p.live("r1")
	p.start(1, Due(time.Now().Add(shortLease)))
	p.claims("r1", WorkflowID(1))
}

func claimsNoEnded(p *probe) {
	p.live("r1")
	p.next(p.start(1, DueNow()), Ends(domain.Completed))
	p.next(p.start(2, HeldBy("dead")), Ends(domain.Failed))
	p.next(p.start(3, DueNow()), Ends(domain.Cancelled))
	p.want(len(p.claim("r1", 10)) == 0, "claim returned a workflow that has ended")
}

func claimsNoneOfTheLive(p *probe) {
	p.live("r1")
	p.live("r2")
	p.start(1, HeldBy("r1"))
	p.next(p.start(2, DueNow()), HeldBy("r1"))
	p.start(3, HeldBy("r1"), EditRow(func(r *ports.Row) { r.WakeAt = Epoch }))
	for _, replica := range []string{"r2", "r1"} {
		p.want(len(p.claim(replica, 10)) == 0, "claim for %s returned a workflow that r1 holds and is live", replica)
	}
	p.want(p.load(WorkflowID(1)).Row.Owner == "r1", "claim changed the holder of a live replica's workflow")
}

func claimsLapsed(p *probe) {
	p.live("r2")
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	p.start(1, HeldBy("r1"))
	p.start(2, HeldBy("r2"))
	recs := p.claims("r2", WorkflowID(1))
	p.want(recs[0].Row.Owner == "r2", "claimed workflow belongs to %q", recs[0].Row.Owner)
	p.want(len(p.claim("r2", 10)) == 0, "a workflow was claimed twice from one holder")
}

func claimsOfNobodyKnown(p *probe) {
	p.live("r1")
	p.start(1, HeldBy("unheard-of"))
	p.claims("r1", WorkflowID(1))
}

func claimSetsOwner(p *probe) {
	p.live("r1")
	p.live("r2")
	due := p.start(1, DueNow())
	lapsed := p.start(2, HeldBy("dead"))
	for _, rec := range p.claims("r1", due.WorkflowID, lapsed.WorkflowID) {
		p.want(rec.Row.Owner == "r1" && rec.Row.DueAt.IsZero(), "claimed row has owner %q, due %v", rec.Row.Owner, rec.Row.DueAt)
		stored := p.load(rec.Row.WorkflowID).Row
		p.want(rowDiff(stored, rec.Row) == "", "stored row differs from the claimed one in %s", rowDiff(stored, rec.Row))
		p.next(rec.Row)
	}
	p.want(len(p.claim("r2", 10)) == 0, "claim returned what r1 has claimed and is live")
}

func claimReturnsRecord(p *probe) {
	p.live("r1")
	row := p.start(1, HeldBy("r0"))
	for range 4 {
		row = p.next(row)
	}
	row = p.next(row, DueNow())
	rec := p.claims("r1", row.WorkflowID)[0]
	row.Owner, row.DueAt = "r1", time.Time{}
	row.WakeAt = rec.Row.WakeAt // the next holder's to set
	p.want(rowDiff(rec.Row, row) == "", "claimed row differs in %s", rowDiff(rec.Row, row))
	p.want(len(rec.Events) == 6, "claimed record has %d event lists of 6", len(rec.Events))
	for i, e := range rec.Events {
		p.want(string(e) == string(eventsOf(row.WorkflowID, i+1)), "event list %d of a claimed record is %s", i+1, e)
	}
}

func claimLimit(p *probe) {
	p.live("r1")
	p.starts(0, 6, DueNow())
	p.starts(6, 12, HeldBy("dead"))
	got := 0
	p.eventually("twelve workflows by claims of up to five", func() bool {
		got += len(p.claim("r1", 5))
		return got >= 12
	})
	p.want(got == 12, "claims returned %d workflows of 12", got)
}

func claimsOnce(p *probe) {
	p.live("r1")
	p.live("r2")
	p.starts(0, 8, DueNow())
	seen := map[string]bool{}
	p.eventually("eight workflows by claims of two replicas", func() bool {
		for _, replica := range []string{"r1", "r2"} {
			for _, rec := range p.claim(replica, 3) {
				p.want(!seen[rec.Row.WorkflowID], "%s was claimed twice", rec.Row.WorkflowID)
				seen[rec.Row.WorkflowID] = true
			}
		}
		return len(seen) == 8
	})
}

func claimFences(p *probe) {
	p.live("r2")
	held := p.start(1, HeldBy("r1"))
	free := p.start(2, DueNow())
	p.claims("r2", held.WorkflowID, free.WorkflowID)
	p.refused(NextOf(held), ports.ErrConflict, "a change of the earlier holder")
	p.refused(NextOf(free), ports.ErrConflict, "a change decided while nobody held the workflow")
	for _, row := range []ports.Row{held, free} {
		stored := p.load(row.WorkflowID).Row
		p.want(stored.Owner == "r2" && stored.Version == 1, "%s is held by %q at version %d", row.WorkflowID, stored.Owner, stored.Version)
		p.next(stored)
	}
}

// leaseRules: who is live, and what giving up does.
func leaseRules() []StoreRule {
	return []StoreRule{
		rule("Renew: makes the replica live for ttl from now", renewExtends),
		rule("Renew: a replica is live again after its lease ran out", renewRevives),
		rule("Release: gives up everything the replica holds, due at once", releaseGivesUp),
		rule("Release: leaves what others hold, and what has ended, alone", releaseNothingElse),
		rule("Release: ends the replica's lease", releaseEndsLease),
		rule("Release: a replica that holds nothing may release", func(p *probe) {
			p.must(p.store.Release(p.ctx, "nobody"), "Release")
		}),
		rule("Release: a later change of the replica is refused with ErrConflict", releaseFences),
	}
}

func renewExtends(p *probe) {
	p.live("r2")
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	p.live("r1")
	p.start(1, HeldBy("r1"))
	p.must(p.store.Renew(p.ctx, "marker", shortLease), "Renew")
	p.start(2, HeldBy("marker"))
	p.claims("r2", WorkflowID(2)) // by then the first lease of r1 would have run out
	p.want(len(p.claim("r2", 10)) == 0, "claim returned a workflow whose holder has renewed its lease")
}

func renewRevives(p *probe) {
	p.live("r2")
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	p.start(1, HeldBy("r1"))
	p.claims("r2", WorkflowID(1))
	p.live("r1")
	p.start(2, HeldBy("r1"))
	p.want(len(p.claim("r2", 10)) == 0, "claim returned a workflow whose holder is live again")
}

func releaseGivesUp(p *probe) {
	p.live("r1")
	p.live("r2")
	ids := make([]string, 5)
	for n := range ids {
		ids[n] = p.start(n, HeldBy("r1")).WorkflowID
	}
	before := p.load(ids[0])
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	for _, id := range ids {
		row := p.load(id).Row
		p.want(row.Owner == "" && !row.DueAt.IsZero(), "released %s is held by %q, due %v", id, row.Owner, row.DueAt)
		p.want(row.Version == before.Row.Version, "release changed the version of %s", id)
	}
	p.claims("r2", ids...)
}

func releaseNothingElse(p *probe) {
	p.live("r1")
	p.live("r2")
	others := p.start(1, HeldBy("r2"))
	never := p.start(2)
	ended := p.next(p.start(3, HeldBy("r1")), Ends(domain.Completed))
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.holds(others)
	p.holds(never)
	p.holds(ended)
	p.want(len(p.claim("r2", 10)) == 0, "claim returned what the replica did not hold")
}

func releaseEndsLease(p *probe) {
	p.live("r1")
	p.live("r2")
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.start(1, HeldBy("r1"))
	p.claims("r2", WorkflowID(1))
}

func releaseFences(p *probe) {
	p.live("r1")
	row := p.start(1, HeldBy("r1"))
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.refused(NextOf(row), ports.ErrConflict, "a change of a replica that has released")
	p.want(len(p.load(row.WorkflowID).Events) == 1, "a refused change left events")
	p.live("r1")
	p.refused(NextOf(row), ports.ErrConflict, fmt.Sprintf("a change on %s decided before the release", row.WorkflowID))
}
