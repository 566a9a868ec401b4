package contracttests

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// purgeRules: what is removed when it has been kept long enough.
func purgeRules() []StoreRule {
	return []StoreRule{
		rule("PurgeWorkflows: removes workflows that ended with a status before t: rows, events, idempotency records", purgesWorkflows),
		rule("PurgeWorkflows: what is active, ended otherwise or ended later stays", purgesNothingElse),
		rule("PurgeWorkflows: those whose events are still on their way stay", purgeSparesOwed),
		rule("PurgeWorkflows: removes at most limit, oldest first, and returns how many; fewer means no more", purgeWorkflowsLimit),
		rule("PurgeWorkflows: counts stay; what lists sum up no longer includes them", purgeSums),
		rule("PurgeWorkflows: frees the business key of what it removes", purgeFreesKeys),
		rule("PurgeWorkflows: a workflow that is reopened meanwhile is removed whole or not at all", purgeAgainstReopen),
		rule("PurgeWorkflows: concurrent calls remove each workflow once", purgeConcurrently),
		rule("PurgeAudit: removes entries made before t, at most limit, oldest first", purgesAudit),
		rule("PurgeBatches: removes batches that ended before t, with their items, at most limit, oldest first", purgesBatches),
	}
}

// purge purges workflows and expects how many went.
func (p *probe) purge(status domain.Status, t time.Time, limit, want int) {
	n, err := p.store.PurgeWorkflows(p.ctx, status, t, limit)
	p.must(err, "PurgeWorkflows")
	p.want(n == want, "PurgeWorkflows of %s removed %d, want %d", status, n, want)
}

// endedAt is when the n-th workflow of the fixtures ends.
func endedAt(n int) time.Time { return Epoch.Add(time.Minute + time.Duration(n)*time.Second) }

// end starts the n-th workflow with an idempotency record, and ends it.
func (p *probe) end(n int, status domain.Status, edits ...Edit) ports.Row {
	row := p.next(p.start(n, HeldBy("r1"), Keyed(fmt.Sprint("start-", n))))
	return p.next(row, append([]Edit{Ends(status), Keyed(fmt.Sprint("end-", n))}, edits...)...)
}

// gone expects no trace of the n-th workflow.
func (p *probe) gone(n int) {
	p.absent(StartOf(n).Row)
	for _, scope := range []string{"start-", "end-"} {
		_, err := p.store.Idempotency(p.ctx, fmt.Sprint(scope, n))
		p.wantErr(err, ports.ErrNotFound, "Idempotency of a purged workflow")
	}
	p.want(p.list(ports.ListQuery{BusinessKey: OrderID(n)}).Total == 0, "a purged workflow is listed")
}

// whole expects a workflow with all that end has written.
func (p *probe) whole(n int, row ports.Row) {
	p.holds(row)
	p.want(len(p.load(row.WorkflowID).Events) == row.Version, "%s has %d event lists of %d", row.WorkflowID, len(p.load(row.WorkflowID).Events), row.Version)
	for _, scope := range []string{"start-", "end-"} {
		_, err := p.store.Idempotency(p.ctx, fmt.Sprint(scope, n))
		p.must(err, "Idempotency of a workflow that was not purged")
	}
}

func purgesWorkflows(p *probe) {
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 100, 0)
	for n := range 3 {
		p.end(n, domain.Completed)
	}
	// The log of this one went on after its end, and it began before the others.
	late := p.end(3, domain.Completed, EditRow(func(r *ports.Row) {
		r.EndedAt, r.UpdatedAt = Epoch.Add(2*time.Minute), Epoch.Add(time.Hour)
	}))
	p.purge(domain.Completed, endedAt(2).Add(time.Millisecond), 100, 3)
	for n := range 3 {
		p.gone(n)
	}
	p.whole(3, late)
	p.purge(domain.Completed, late.EndedAt, 100, 0)
	p.purge(domain.Completed, late.EndedAt.Add(time.Millisecond), 100, 1)
	p.gone(3)
	row := p.start(1, HeldBy("r1"), Keyed("start-1"))
	p.holds(row)
	p.want(len(p.load(row.WorkflowID).Events) == 1, "events of the workflow before have stayed")
}

func purgesNothingElse(p *probe) {
	rows := map[int]ports.Row{}
	for n, status := range []domain.Status{domain.Completed, domain.Failed, domain.Cancelled} {
		rows[n] = p.end(n, status)
	}
	rows[3] = p.next(p.end(3, domain.Failed), reopen)
	active := p.start(4)
	p.purge(domain.Failed, endedAt(1), 100, 0)
	p.purge(domain.Failed, Epoch.AddDate(1, 0, 0), 100, 1)
	p.gone(1)
	for _, n := range []int{0, 2, 3} {
		p.whole(n, rows[n])
	}
	p.holds(active)
	p.purge(domain.Parked, Epoch.AddDate(1, 0, 0), 100, 0)
	p.purge(domain.InProgress, Epoch.AddDate(1, 0, 0), 100, 0)
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 100, 1)
	p.purge(domain.Cancelled, Epoch.AddDate(1, 0, 0), 100, 1)
	p.gone(0)
	p.gone(2)
	p.whole(3, rows[3])
}

func purgeSparesOwed(p *probe) {
	p.live("r1")
	later := Epoch.AddDate(1, 0, 0)
	kept := p.end(0, domain.Completed, Owing("r1"))
	free := p.end(1, domain.Completed, Owing(""))
	p.end(2, domain.Completed)
	p.purge(domain.Completed, later, 100, 1)
	p.gone(2)
	p.whole(0, kept)
	p.whole(1, free)
	p.owed("r1", free.WorkflowID)
	p.must(p.store.Published(p.ctx, []ports.Published{{WorkflowID: kept.WorkflowID, Version: kept.Version}}), "Published")
	p.purge(domain.Completed, later, 1, 1)
	p.gone(0)
	p.purge(domain.Completed, later, 1, 0)
	p.whole(1, free)
}

func purgeWorkflowsLimit(p *probe) {
	const workflows, limit = 25, 10
	order := make([]int, workflows) // the number of the n-th that ends
	for n := range order {
		order[n] = n * 7 % workflows
		row := p.start(order[n], EditRow(func(r *ports.Row) { r.Type = []string{"A", "B"}[n%2] }))
		p.next(row, Ends(domain.Failed), EditRow(func(r *ports.Row) {
			r.EndedAt = Epoch.Add(time.Hour + time.Duration(n)*time.Second)
			r.UpdatedAt = r.EndedAt
		}))
	}
	left := workflows
	for _, want := range []int{limit, limit, workflows - 2*limit, 0} {
		p.purge(domain.Failed, Epoch.AddDate(1, 0, 0), limit, want)
		left -= want
		p.want(p.list(ports.ListQuery{}).Total == left, "after a purge %d workflows are left, want %d", p.list(ports.ListQuery{}).Total, left)
		for n, number := range order {
			_, err := p.store.Load(p.ctx, WorkflowID(number))
			p.want((err == nil) == (n >= workflows-left), "after a purge of the oldest, load of the %dth to end: %v", n, err)
		}
	}
}

func purgeSums(p *probe) {
	rows := p.varied(40)
	p.end(100, domain.Completed, Counting(ports.CountCompleted, "", 1, time.Minute))
	whole := p.list(ports.ListQuery{})
	completed := whole.ByStatus[string(domain.Completed)]
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 100, completed)
	left := chosen(rows, func(r ports.Row) bool { return r.Status != domain.Completed })
	p.lists("what was not purged", p.list(ports.ListQuery{}).Rows, left, false)
	byType := map[string]int{}
	var age time.Duration
	now := Epoch.Add(48 * time.Hour)
	for _, r := range left {
		byType[r.Type]++
		if r.EndedAt.IsZero() {
			r.EndedAt = now
		}
		age += r.EndedAt.Sub(r.StartedAt)
	}
	page := p.list(ports.ListQuery{Limit: 1, Now: now})
	p.want(page.Total == len(left), "the total after a purge is %d, want %d", page.Total, len(left))
	p.want(page.ByStatus[string(domain.Completed)] == 0, "%d purged workflows are summed up", page.ByStatus[string(domain.Completed)])
	for name, n := range byType {
		p.want(page.ByType[name] == n, "%d workflows of %s are summed up, want %d", page.ByType[name], name, n)
	}
	mean := age / time.Duration(len(left))
	p.want((page.AverageAge-mean).Abs() < 20*time.Millisecond, "the average age is %v, want %v", page.AverageAge, mean)
	p.counted(hourly(0, ports.CountCompleted, "", 1, time.Minute))
	p.purge(domain.Failed, Epoch.AddDate(1, 0, 0), 100, whole.ByStatus[string(domain.Failed)])
	p.purge(domain.Cancelled, Epoch.AddDate(1, 0, 0), 100, whole.ByStatus[string(domain.Cancelled)])
	p.want(p.list(ports.ListQuery{}).Total == p.list(ports.ListQuery{ActiveOnly: true}).Total, "ended workflows are left")
}

func purgeFreesKeys(p *probe) {
	p.end(1, domain.Completed)
	p.refused(StartOf(2, withKey(1)), ports.ErrBusinessKeyTaken, "a start beside a COMPLETED workflow")
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 10, 1)
	p.start(2, withKey(1))
	p.holder(1, WorkflowID(2))
}

func purgeAgainstReopen(p *probe) {
	for n := range 20 {
		row := p.end(n, domain.Failed)
		again := NextOf(row, reopen)
		var errs [2]error
		purged := 0
		together(2, func(i int) {
			if i == 0 {
				errs[0] = p.store.Commit(p.ctx, []ports.Change{again})[0]
			} else {
				purged, errs[1] = p.store.PurgeWorkflows(p.ctx, domain.Failed, Epoch.AddDate(1, 0, 0), 10)
			}
		})
		p.must(errs[1], "PurgeWorkflows during a commit")
		if errs[0] == nil {
			p.want(purged == 0, "a workflow was reopened and purged")
			p.whole(n, again.Row)
			continue
		}
		p.wantErr(errs[0], ports.ErrConflict, "a change of a purged workflow")
		p.want(purged == 1, "a workflow is neither reopened nor purged")
		p.gone(n)
	}
}

func purgeConcurrently(p *probe) {
	const workflows = 60
	for n := range workflows {
		p.end(n, domain.Completed)
	}
	purged := 0
	p.eventually("all workflows purged", func() bool {
		counts := make([]int, 4)
		errs := make([]error, len(counts))
		together(len(counts), func(i int) {
			counts[i], errs[i] = p.store.PurgeWorkflows(p.ctx, domain.Completed, Epoch.AddDate(1, 0, 0), 7)
		})
		p.must(errors.Join(errs...), "a concurrent PurgeWorkflows")
		for _, n := range counts {
			purged += n
		}
		return p.list(ports.ListQuery{}).Total == 0
	})
	p.want(purged == workflows, "concurrent purges of %d workflows removed %d", workflows, purged)
}

func purgesAudit(p *probe) {
	all := p.entries(30)
	purge := func(t time.Time, limit, want int) {
		n, err := p.store.PurgeAudit(p.ctx, t, limit)
		p.must(err, "PurgeAudit")
		p.want(n == want, "PurgeAudit removed %d entries, want %d", n, want)
	}
	cut := Epoch.Add(6 * time.Minute) // three a minute
	purge(Epoch, 100, 0)
	purge(cut, 7, 7)
	p.audited("after a purge", all[:23]...)
	purge(cut, 100, 11)
	p.audited("after a second purge", all[:12]...)
	purge(cut, 100, 0)
	p.want(p.list(ports.ListQuery{}).Total == 30, "workflows went with their entries")
}

func purgesBatches(p *probe) {
	purge := func(t time.Time, limit, want int) {
		n, err := p.store.PurgeBatches(p.ctx, t, limit)
		p.must(err, "PurgeBatches")
		p.want(n == want, "PurgeBatches removed %d, want %d", n, want)
	}
	purge(Epoch.AddDate(1, 0, 0), 10, 0)
	for n := range 6 {
		b := p.newBatch(n, 3)
		if n == 1 {
			p.hold("r1")
			continue // RUNNING, held
		}
		_, err := p.store.CancelBatch(p.ctx, b.ID, Epoch.Add(time.Duration(10-n)*time.Hour), nil)
		p.must(err, "CancelBatch")
	}
	there := func(want ...int) {
		is := map[int]bool{}
		for _, n := range want {
			is[n] = true
		}
		for n := range 6 {
			_, err := p.store.Batch(p.ctx, batchID(n))
			_, itemErr := p.store.BatchItems(p.ctx, batchID(n), 0, 10)
			p.want((err == nil) == is[n] && (itemErr == nil) == is[n], "batch %d: %v, its items: %v", n, err, itemErr)
		}
		_, total, err := p.store.ListBatches(p.ctx, 0, 10)
		p.want(err == nil && total == len(want), "%d batches are listed of %d, %v", total, len(want), err)
	}
	purge(Epoch.Add(5*time.Hour), 10, 0) // batch 5 ended then
	purge(Epoch.Add(7*time.Hour), 1, 1)
	there(0, 1, 2, 3, 4)
	purge(Epoch.Add(7*time.Hour+time.Millisecond), 10, 2)
	there(0, 1, 2)
	purge(Epoch.AddDate(1, 0, 0), 10, 2)
	there(1)
	p.sameItems("what is still under way", p.items(batchID(1), 0, 10), fresh(workflowIDs(0, 3)...))
	p.newBatch(5, 2)
	p.sameItems("a batch made again", p.items(batchID(5), 0, 10), fresh(workflowIDs(0, 2)...))
}
