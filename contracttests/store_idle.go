package contracttests

import (
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// idleRules: lists of what does not move.
func idleRules() []StoreRule {
	return []StoreRule{
		rule("ListQuery: Stuck selects what Monitor.Live counts as stuck with this grace", listsStuck),
		rule("ListQuery: Stuck selects together with the other filters, in pages", pagesStuck),
		rule("ListQuery: UpdatedBefore is exclusive", listsIdle),
		rule("ListQuery: UpdatedBefore selects together with the other filters, in each order", pagesIdle),
		rule("ListQuery: a cursor is good only for the same Stuck and UpdatedBefore", idleCursors),
	}
}

func listsStuck(p *probe) {
	var stuck, gravely []ports.Row
	for n, f := range stuckCases() {
		row := p.start(n, f.edits...)
		if f.stuck == 1 {
			stuck = append(stuck, row)
		}
		next := row.DueAt
		if row.Owner != "" {
			next = row.WakeAt
		}
		if f.stuck == 1 && (row.Status == domain.Parked || next.IsZero()) {
			gravely = append(gravely, row)
		}
	}
	for grace, want := range map[time.Duration][]ports.Row{time.Minute: stuck, 3 * time.Hour: gravely} {
		page := p.list(ports.ListQuery{Stuck: grace, Now: time.Now()})
		p.lists(fmt.Sprintf("what is stuck for %v", grace), page.Rows, want, false)
		_, live, err := p.store.Live(p.ctx, grace)
		p.must(err, "Live")
		p.want(page.Total == live && live == len(want), "with grace %v %d are listed as stuck, Live counts %d", grace, page.Total, live)
		p.want(page.ByType[FixtureType] == len(want), "with grace %v the types sum up to %d", grace, page.ByType[FixtureType])
	}
	p.want(p.list(ports.ListQuery{}).Total == len(stuckCases()), "without Stuck not all are listed")
}

func pagesStuck(p *probe) {
	var want []ports.Row
	for n := range 30 {
		edits := []Edit{HeldBy("r1"), EditRow(func(r *ports.Row) { r.CustomerID = fmt.Sprint("cust-", n%2) })}
		if n%3 == 0 {
			edits = append(edits, wake(Epoch))
		}
		if row := p.start(n, edits...); n%6 == 0 {
			want = append(want, row)
		}
	}
	q := ports.ListQuery{Stuck: time.Minute, CustomerID: "cust-0", Limit: 2, Ascending: true}
	p.lists("stuck ones of a customer", p.iterate(q, nothing), sorted(want, q), true)
	q = ports.ListQuery{Stuck: time.Minute, Status: domain.Parked}
	p.want(p.list(q).Total == 0, "what is not PARKED is listed as stuck and PARKED")
	q = ports.ListQuery{Stuck: time.Minute, Status: domain.Failed}
	p.want(p.list(q).Total == 0, "something is stuck and FAILED")
	parked := p.next(want[0], EditRow(func(r *ports.Row) { r.Status = domain.Parked }))
	p.lists("stuck and PARKED", p.list(ports.ListQuery{Stuck: time.Minute, Status: domain.Parked}).Rows, []ports.Row{parked}, true)
}

func listsIdle(p *probe) {
	rows := p.varied(40)
	for _, minute := range []int{0, 1, 13, 39, 40} {
		before := Epoch.Add(24*time.Hour + time.Duration(minute)*time.Minute)
		want := chosen(rows, func(r ports.Row) bool { return r.UpdatedAt.Before(before) })
		page := p.list(ports.ListQuery{UpdatedBefore: before})
		p.lists(fmt.Sprintf("what is idle since minute %d", minute), page.Rows, want, false)
		p.want(page.Total == len(want) && len(want) == minute, "the total before minute %d is %d", minute, page.Total)
	}
}

func pagesIdle(p *probe) {
	rows := p.varied(60)
	before := Epoch.Add(24*time.Hour + 40*time.Minute)
	for _, f := range []struct {
		query   ports.ListQuery
		selects func(r ports.Row) bool
	}{
		{ports.ListQuery{}, func(ports.Row) bool { return true }},
		{ports.ListQuery{ActiveOnly: true}, func(r ports.Row) bool { return !r.Status.Terminal() }},
		{ports.ListQuery{Status: domain.Completed}, func(r ports.Row) bool { return r.Status == domain.Completed }},
		{ports.ListQuery{CustomerID: "cust-000001"}, func(r ports.Row) bool { return r.CustomerID == "cust-000001" }},
		{ports.ListQuery{StartedAfter: Epoch.Add(20 * time.Minute)}, func(r ports.Row) bool { return !r.StartedAt.Before(Epoch.Add(20 * time.Minute)) }},
	} {
		for _, field := range sortFields {
			q := f.query
			q.UpdatedBefore, q.Sort, q.Limit = before, field, 7
			want := chosen(rows, func(r ports.Row) bool { return f.selects(r) && r.UpdatedAt.Before(before) })
			p.lists(fmt.Sprintf("idle ones of %+v", q), p.iterate(q, nothing), sorted(want, q), true)
			p.want(p.list(q).Total == len(want), "the total of %+v is %d, want %d", q, p.list(q).Total, len(want))
		}
	}
}

func idleCursors(p *probe) {
	p.starts(0, 12)
	for _, q := range []ports.ListQuery{{}, {Stuck: time.Minute}, {UpdatedBefore: Epoch.Add(time.Hour)}} {
		q.Limit = 3
		good := p.list(q).NextCursor
		p.want(good != "", "a page of %+v has no next cursor", q)
		for _, other := range []ports.ListQuery{{}, {Stuck: time.Minute}, {Stuck: time.Hour}, {UpdatedBefore: Epoch.Add(time.Hour)}, {UpdatedBefore: Epoch.Add(2 * time.Hour)}} {
			other.Limit, other.Cursor = 3, good
			_, err := p.store.List(p.ctx, other)
			if other.Stuck == q.Stuck && other.UpdatedBefore.Equal(q.UpdatedBefore) {
				p.must(err, "List with its own cursor")
			} else {
				p.wantErr(err, ports.ErrBadCursor, "List with the cursor of other filters")
			}
		}
	}
}
