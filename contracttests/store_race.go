package contracttests

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// raceRules: what holds however many use the store at once.
func raceRules() []StoreRule {
	return []StoreRule{
		rule("Commit: of concurrent changes with one Expected exactly one is committed", oneWinner),
		rule("Commit: of concurrent starts of one workflow exactly one is committed", oneStart),
		rule("Commit: of concurrent starts with one business key exactly one is committed", oneKeyHolder),
		rule("Commit: of concurrent changes with one idempotency scope exactly one is committed", oneScope),
		rule("Commit: concurrent batches over the same workflows, in any order, each have one winner per change", crossedBatches),
		rule("Counts: concurrent changes add up", concurrentCounts),
		rule("Claim: no two concurrent claims return the same workflow", disjointClaims),
		rule("Claim: of a claim and a concurrent change by the earlier holder, the later sees the earlier", claimAgainstCommit),
		rule("Loader: a read during commits sees whole changes", wholeReads),
	}
}

// racers is how many do the same at once.
const racers = 12

// together runs f at once for 0..n-1 and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	wg.Wait()
}

// race commits one change each at once and gives the index of the only one
// that was taken; all others must have got the wanted refusal.
func (p *probe) race(n int, refusal error, change func(i int) ports.Change) int {
	errs := make([]error, n)
	together(n, func(i int) { errs[i] = p.store.Commit(p.ctx, []ports.Change{change(i)})[0] })
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			p.failf("concurrent changes %d and %d were both committed", winner, i)
		default:
			p.wantErr(err, refusal, "a concurrent change")
		}
	}
	p.want(winner >= 0, "of %d concurrent changes none was committed", n)
	return winner
}

func oneWinner(p *probe) {
	row := p.start(1, HeldBy("r1"))
	for round := range 10 {
		made := make([]ports.Change, racers)
		for i := range made {
			made[i] = NextOf(row, Counting(ports.CountStepCompleted, "", 1, 0), EditRow(func(r *ports.Row) { r.CurrentStep = fmt.Sprint("STEP_", i) }))
		}
		winner := p.race(racers, ports.ErrConflict, func(i int) ports.Change { return made[i] })
		row = made[winner].Row
		p.holds(row)
		p.want(len(p.load(row.WorkflowID).Events) == round+2, "after %d changes there are %d event lists", round+1, len(p.load(row.WorkflowID).Events))
	}
	p.want(p.sum(ports.CountStepCompleted).N == 10, "ten changes counted %d", p.sum(ports.CountStepCompleted).N)
}

func oneStart(p *probe) {
	for n := range 5 {
		winner := p.race(racers, ports.ErrConflict, func(i int) ports.Change {
			return StartOf(n, EditRow(func(r *ports.Row) { r.BusinessKey, r.CurrentStep = "", fmt.Sprint("STEP_", i) }))
		})
		p.want(p.load(WorkflowID(n)).Row.CurrentStep == fmt.Sprint("STEP_", winner), "the stored start is not the acknowledged one")
	}
}

func oneKeyHolder(p *probe) {
	for round := range 5 {
		first := round * racers
		winner := p.race(racers, ports.ErrBusinessKeyTaken, func(i int) ports.Change { return StartOf(first+i, withKey(first)) })
		p.holder(first, WorkflowID(first+winner))
		p.want(p.list(ports.ListQuery{BusinessKey: OrderID(first)}).Total == 1, "refused starts are in the list")
	}
}

func oneScope(p *probe) {
	for round := range 5 {
		first, scope := round*racers, fmt.Sprint("scope-", round)
		winner := p.race(racers, ports.ErrIdempotencyKeyTaken, func(i int) ports.Change { return StartOf(first+i, Keyed(scope)) })
		rec, err := p.store.Idempotency(p.ctx, scope)
		p.must(err, "Idempotency")
		p.want(rec.WorkflowID == WorkflowID(first+winner), "the record tells of %s, committed was %s", rec.WorkflowID, WorkflowID(first+winner))
	}
}

// crossedBatches would deadlock a store that locks in the order of the batch.
func crossedBatches(p *probe) {
	const workflows, lanes = 20, 4
	p.starts(0, workflows, HeldBy("r1"))
	batches := make([][]ports.Change, lanes)
	for lane := range batches {
		for n := range workflows {
			batches[lane] = append(batches[lane], NextOf(StartOf(n, HeldBy("r1")).Row,
				Counting(ports.CountStepCompleted, fmt.Sprint("STEP_", n), 1, 0),
				EditRow(func(r *ports.Row) { r.CurrentStep = fmt.Sprint("LANE_", lane) })))
		}
		if lane%2 == 1 {
			slices.Reverse(batches[lane])
		}
	}
	errs := make([][]error, lanes)
	together(lanes, func(lane int) { errs[lane] = p.store.Commit(p.ctx, batches[lane]) })
	winners := map[string]string{}
	for lane := range errs {
		p.want(len(errs[lane]) == workflows, "a batch of %d has %d errors", workflows, len(errs[lane]))
		for i, err := range errs[lane] {
			id := batches[lane][i].Row.WorkflowID
			if err == nil {
				p.want(winners[id] == "", "two changes of %s on one version were committed", id)
				winners[id] = fmt.Sprint("LANE_", lane)
			} else {
				p.wantErr(err, ports.ErrConflict, "a change that lost")
			}
		}
	}
	for n := range workflows {
		row := p.load(WorkflowID(n)).Row
		p.want(row.Version == 2 && row.CurrentStep == winners[row.WorkflowID], "%s holds %s, acknowledged was %q", row.WorkflowID, row.CurrentStep, winners[row.WorkflowID])
	}
	p.want(p.sum(ports.CountStepCompleted).N == workflows, "%d changes counted %d", workflows, p.sum(ports.CountStepCompleted).N)
}

func concurrentCounts(p *probe) {
	const each = 10
	errs := make([]error, racers)
	together(racers, func(i int) {
		for j := range each {
			n := i*each + j
			batch := []ports.Change{
				StartOf(2*n, Counting(ports.CountStarted, "", 1, time.Second), Counting(ports.CountStepCompleted, "A", 1, 0)),
				StartOf(2*n+1, Counting(ports.CountStepCompleted, "A", 1, 0), Counting(ports.CountStarted, "", 1, time.Second)),
			}
			errs[i] = errors.Join(errs[i], errors.Join(p.store.Commit(p.ctx, batch)...))
		}
	})
	for _, err := range errs {
		p.must(err, "a concurrent commit")
	}
	p.counted(hourly(0, ports.CountStarted, "", 2*racers*each, 2*racers*each*time.Second),
		hourly(0, ports.CountStepCompleted, "A", 2*racers*each, 0))
}

func disjointClaims(p *probe) {
	const workflows, claimers = 200, 4
	p.starts(0, workflows/2, DueNow())
	p.starts(workflows/2, workflows, HeldBy("dead"))
	owners := map[string]string{}
	for i := range claimers {
		p.live(fmt.Sprint("r", i))
	}
	p.eventually("all workflows by concurrent claims", func() bool {
		claimed := make([][]ports.Record, claimers)
		errs := make([]error, claimers)
		together(claimers, func(i int) { claimed[i], errs[i] = p.store.Claim(p.ctx, fmt.Sprint("r", i), 30) })
		for i, recs := range claimed {
			p.must(errs[i], "a concurrent Claim")
			for _, rec := range recs {
				id := rec.Row.WorkflowID
				p.want(owners[id] == "", "%s was claimed by %s and r%d", id, owners[id], i)
				owners[id] = fmt.Sprint("r", i)
			}
		}
		return len(owners) == workflows
	})
	for id, owner := range owners {
		p.want(p.load(id).Row.Owner == owner, "%s was claimed by %s, stored owner is %s", id, owner, p.load(id).Row.Owner)
	}
}

func claimAgainstCommit(p *probe) {
	p.live("r2")
	for n := range 20 {
		row := p.start(n, HeldBy("r1")) // which is not live
		var recs []ports.Record
		var changeErr, claimErr error
		together(2, func(i int) {
			if i == 0 {
				changeErr = p.store.Commit(p.ctx, []ports.Change{NextOf(row)})[0]
			} else {
				recs, claimErr = p.store.Claim(p.ctx, "r2", 10)
			}
		})
		p.must(claimErr, "a Claim during a commit")
		if len(recs) == 0 {
			recs = p.claims("r2", row.WorkflowID) // the workflow was busy
		}
		rec := recs[0]
		want := 1
		if changeErr == nil {
			want = 2
		} else {
			p.wantErr(changeErr, ports.ErrConflict, "a change during a claim")
		}
		p.want(rec.Row.Version == want && len(rec.Events) == want,
			"the change gave %v, and the claim version %d with %d event lists", changeErr, rec.Row.Version, len(rec.Events))
		p.want(p.load(row.WorkflowID).Row.Owner == "r2", "the claimed workflow belongs to %q", p.load(row.WorkflowID).Row.Owner)
		p.next(rec.Row)
	}
}

// wholeReads reads while another commits: the version read is always the
// number of event lists read.
func wholeReads(p *probe) {
	row := p.start(1, HeldBy("r1"))
	var failures [2]error
	together(2, func(i int) {
		for range 40 {
			if i == 0 {
				c := NextOf(row)
				failures[i] = errors.Join(failures[i], p.store.Commit(p.ctx, []ports.Change{c})[0])
				row = c.Row
				continue
			}
			rec, err := p.store.Load(p.ctx, WorkflowID(1))
			if err == nil && rec.Row.Version != len(rec.Events) {
				err = fmt.Errorf("read version %d with %d event lists", rec.Row.Version, len(rec.Events))
			}
			failures[i] = errors.Join(failures[i], err)
		}
	})
	p.must(failures[0], "commits during reads")
	p.must(failures[1], "reads during commits")
}
