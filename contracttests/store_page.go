package contracttests

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// summaryRules: what a list says of all that its filters select.
func summaryRules() []StoreRule {
	return []StoreRule{
		rule("List: the summary is of everything the filters select, not of the page", summaryOfAll),
		rule("List: the summary is the same on every page", summaryOnEveryPage),
		rule("List: AverageAge is the mean of (EndedAt or Now) − StartedAt", averageAge),
		rule("List: Total counts at least MaxCount ended workflows", totalOfMany),
	}
}

func summaryOfAll(p *probe) {
	rows := p.varied(40)
	for _, q := range []ports.ListQuery{
		{Limit: 3}, {Limit: 3, ActiveOnly: true}, {Limit: 1, Type: "RETURN_PROCESSING"},
		{Limit: 2, Status: domain.Completed}, {Limit: 2, CustomerID: "cust-000001"}, {Limit: 2, Offset: 5}, {Type: "NONE"},
	} {
		want := chosen(rows, func(r ports.Row) bool {
			return !(q.ActiveOnly && r.Status.Terminal()) && (q.Type == "" || q.Type == r.Type) &&
				(q.Status == "" || q.Status == r.Status) && (q.CustomerID == "" || q.CustomerID == r.CustomerID)
		})
		byType, byStatus := map[string]int{}, map[string]int{}
		for _, r := range want {
			byType[r.Type]++
			byStatus[string(r.Status)]++
		}
		page := p.list(q)
		p.want(page.Total == len(want), "total of %+v is %d, want %d", q, page.Total, len(want))
		p.want(maps.Equal(page.ByType, byType), "types of %+v are %v, want %v", q, page.ByType, byType)
		p.want(maps.Equal(page.ByStatus, byStatus), "statuses of %+v are %v, want %v", q, page.ByStatus, byStatus)
	}
}

func summaryOnEveryPage(p *probe) {
	p.varied(25)
	first := p.list(ports.ListQuery{Limit: 4, Now: Epoch.Add(time.Hour)})
	for page := first; page.NextCursor != ""; {
		page = p.list(ports.ListQuery{Limit: 4, Now: Epoch.Add(time.Hour), Cursor: page.NextCursor})
		p.want(page.Total == first.Total && maps.Equal(page.ByType, first.ByType) &&
			maps.Equal(page.ByStatus, first.ByStatus) && page.AverageAge == first.AverageAge,
			"a later page sums up %d, %v, %v, %v, the first %d, %v, %v, %v", page.Total, page.ByType, page.ByStatus,
			page.AverageAge, first.Total, first.ByType, first.ByStatus, first.AverageAge)
	}
}

func averageAge(p *probe) {
	now := Epoch.Add(10 * time.Minute)
	ages := func(q ports.ListQuery, want time.Duration) {
		q.Now, q.Limit = now, 1
		got := p.list(q).AverageAge
		p.want(got.Round(10*time.Millisecond) == want, "average age is %v, want %v", got, want)
	}
	ages(ports.ListQuery{}, 0)
	began := EditRow(func(r *ports.Row) { r.StartedAt, r.UpdatedAt = Epoch, Epoch })
	p.start(1, began)
	ages(ports.ListQuery{}, 10*time.Minute)
	p.next(p.start(2, began), Ends(domain.Completed), EditRow(func(r *ports.Row) { r.EndedAt = Epoch.Add(2 * time.Minute) }))
	ages(ports.ListQuery{}, 6*time.Minute)
	ages(ports.ListQuery{ActiveOnly: true}, 10*time.Minute)
	ages(ports.ListQuery{Status: domain.Completed}, 2*time.Minute)
	p.start(3, began, EditRow(func(r *ports.Row) { r.StartedAt = Epoch.AddDate(-1, 0, 0); r.CustomerID = "cust-old" }))
	ages(ports.ListQuery{CustomerID: "cust-old"}, now.Sub(Epoch.AddDate(-1, 0, 0)))
}

// totalOfMany uses workflows that end as they start, to be quick.
func totalOfMany(p *probe) {
	const few, many = 10, ports.MaxCount + 50
	p.starts(0, many, Ends(domain.Completed))
	p.starts(many, many+few, Ends(domain.Failed))
	p.starts(many+few, many+2*few)
	all := p.list(ports.ListQuery{Limit: 5})
	p.want(all.Total >= ports.MaxCount, "total of %d ended workflows is %d", many+few, all.Total)
	p.want(all.Rows[0].WorkflowID == WorkflowID(many+2*few-1), "the first of many rows is %s", all.Rows[0].WorkflowID)
	for _, f := range []ports.ListQuery{{Status: domain.Failed}, {ActiveOnly: true}, {StartedBefore: Epoch.Add(few * time.Second)}} {
		p.want(p.list(f).Total == few, "total of %+v among many is %d, want %d", f, p.list(f).Total, few)
	}
	page := p.list(ports.ListQuery{Offset: ports.MaxCount + 20, Limit: 10, Ascending: true})
	p.want(len(page.Rows) == 10 && page.Rows[0].WorkflowID == WorkflowID(ports.MaxCount+20), "pages end at MaxCount")
}

// cursorRules: iteration that stays sane while the store changes.
func cursorRules() []StoreRule {
	return []StoreRule{
		rule("List: cursors give every row once, in order, in each order", cursorsGiveAll),
		rule("List: NextCursor is empty on the last page", lastPageHasNoCursor),
		rule("List: a cursor continues after the last row of the page, with filters", cursorsWithFilters),
		rule("List: a cursor continues after the last row of a page by offset", cursorAfterOffset),
		rule("List: a cursor gives no row again and leaves none out while rows are inserted", cursorsWhileInserting),
		rule("List: a cursor goes on when its row has ended or moved", cursorOfAMovedRow),
		rule("List: ErrBadCursor for what is not a cursor of this list", forgedCursors),
	}
}

// iterate follows the cursors of a query to the end.
func (p *probe) iterate(q ports.ListQuery, between func()) []ports.Row {
	return follow(p, q.Limit, func(cursor string) ([]ports.Row, string) {
		if cursor != "" {
			q.Cursor, q.Offset = cursor, 0
			between()
		}
		page := p.list(q)
		return page.Rows, page.NextCursor
	})
}

// follow reads the pages of a list to the end, the first one with no cursor.
func follow[T any](p *probe, limit int, read func(cursor string) (page []T, next string)) []T {
	const maxPages = 200
	var list []T
	cursor := ""
	for range maxPages {
		page, next := read(cursor)
		list = append(list, page...)
		if next == "" {
			return list
		}
		p.want(len(page) == limit, "a page of %d, with limit %d, has a next cursor", len(page), limit)
		p.want(next != cursor, "a page's next cursor is its own")
		cursor = next
	}
	p.failf("no end after %d pages", maxPages)
	return nil
}

func nothing() {}

func cursorsGiveAll(p *probe) {
	rows := p.varied(37)
	for _, field := range sortFields {
		for _, ascending := range []bool{true, false} {
			for _, limit := range []int{1, 5} {
				q := ports.ListQuery{Sort: field, Ascending: ascending, Limit: limit}
				p.lists(fmt.Sprintf("pages of %d by %s, ascending %t", limit, field, ascending),
					p.iterate(q, nothing), sorted(rows, q), true)
			}
		}
	}
}

func lastPageHasNoCursor(p *probe) {
	p.varied(12)
	for _, limit := range []int{12, 6, 100} {
		q := ports.ListQuery{Limit: limit}
		pages := 1
		for page := p.list(q); page.NextCursor != ""; pages++ {
			q.Cursor = page.NextCursor
			page = p.list(q)
			p.want(len(page.Rows) > 0, "with limit %d, a cursor leads to an empty page", limit)
		}
		p.want(pages == max(1, 12/limit), "12 rows take %d pages of %d", pages, limit)
	}
}

func cursorsWithFilters(p *probe) {
	rows := p.varied(60)
	q := ports.ListQuery{Type: "ORDER_FULFILLMENT", Priority: "HIGH", Limit: 2, Sort: ports.SortUpdatedAt}
	want := chosen(rows, func(r ports.Row) bool { return r.Type == q.Type && r.Priority == q.Priority })
	p.lists("a type and priority", p.iterate(q, nothing), sorted(want, q), true)
	q = ports.ListQuery{ActiveOnly: true, Limit: 3, StartedAfter: Epoch.Add(10 * time.Minute)}
	want = chosen(rows, func(r ports.Row) bool { return !r.Status.Terminal() && !r.StartedAt.Before(q.StartedAfter) })
	p.lists("active ones of a period", p.iterate(q, nothing), sorted(want, q), true)
	q = ports.ListQuery{CustomerID: "cust-000002", Limit: 4, Ascending: true}
	want = chosen(rows, func(r ports.Row) bool { return r.CustomerID == q.CustomerID })
	p.lists("a customer", p.iterate(q, nothing), sorted(want, q), true)
}

func cursorAfterOffset(p *probe) {
	rows := sorted(p.varied(20), ports.ListQuery{})
	p.lists("offset 7 and on", p.iterate(ports.ListQuery{Offset: 7, Limit: 4}, nothing), rows[7:], true)
}

func cursorsWhileInserting(p *probe) {
	for _, ascending := range []bool{true, false} {
		base := 1000
		if ascending {
			base = 3000
		}
		p.starts(base, base+30)
		q := ports.ListQuery{StartedAfter: StartOf(base - 500).Row.StartedAt, StartedBefore: StartOf(base + 500).Row.StartedAt,
			Ascending: ascending, Limit: 4}
		added := 0
		seen := map[string]int{}
		for _, r := range p.iterate(q, func() {
			added++ // before the first and after the last row, as far from the cursor as they may be
			p.start(base-added, Ends(domain.Completed))
			p.start(base + 100 - added)
		}) {
			seen[r.WorkflowID]++
			p.want(seen[r.WorkflowID] == 1, "%s was listed twice", r.WorkflowID)
		}
		for n := base; n < base+30; n++ {
			p.want(seen[WorkflowID(n)] == 1, "%s was left out", WorkflowID(n))
		}
	}
}

func cursorOfAMovedRow(p *probe) {
	p.starts(0, 10)
	page := p.list(ports.ListQuery{ActiveOnly: true, Ascending: true, Limit: 4})
	p.next(page.Rows[3], Ends(domain.Completed))
	rest := p.list(ports.ListQuery{ActiveOnly: true, Ascending: true, Limit: 10, Cursor: page.NextCursor})
	p.want(len(rest.Rows) == 6 && rest.Rows[0].WorkflowID == WorkflowID(4), "after a row that has ended, %d rows follow", len(rest.Rows))
}

func forgedCursors(p *probe) {
	p.starts(0, 10)
	q := ports.ListQuery{Limit: 3}
	good := p.list(q).NextCursor
	refused := func(what string, q ports.ListQuery) {
		_, err := p.store.List(p.ctx, q)
		p.want(errors.Is(err, ports.ErrBadCursor), "a list with %s: got error %v, want %v", what, err, ports.ErrBadCursor)
	}
	for _, forged := range []string{"x", "???", good + "x", good[1:], "0", "bnVsbA", "e30", "W10", "\x00", "é"} {
		refused(fmt.Sprintf("cursor %q", forged), ports.ListQuery{Limit: 3, Cursor: forged})
	}
	refused("the cursor of another order", ports.ListQuery{Limit: 3, Cursor: good, Ascending: true})
	refused("the cursor of another sort field", ports.ListQuery{Limit: 3, Cursor: good, Sort: ports.SortType})
	refused("the cursor of other filters", ports.ListQuery{Limit: 3, Cursor: good, Type: FixtureType})
	p.want(len(p.list(ports.ListQuery{Limit: 5, Cursor: good}).Rows) == 5, "another page size spoils a cursor")
}
