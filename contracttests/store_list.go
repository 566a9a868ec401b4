package contracttests

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// listRules: which rows a list has, in which order.
func listRules() []StoreRule {
	return []StoreRule{
		rule("List: empty members select all", listsAll),
		rule("List: ActiveOnly leaves out what has ended", listsActive),
		rule("List: each filter selects, and together they select what all of them do", listFilters),
		rule("List: StartedAfter is inclusive, StartedBefore exclusive", listPeriod),
		rule("List: ordered by each sort field, either way", listOrders),
		rule("List: the default order is startedAt, latest first", listDefaultOrder),
		rule("List: priorities order as LOW < NORMAL < HIGH", listPriorities),
		rule("List: ties are ordered by workflow ID in the same direction", listTies),
		rule("List: Offset and Limit cut pages that join", listOffsets),
		rule("List: rows are those of the last commit", listsCommitted),
	}
}

// varied are rows that differ in everything that lists filter and sort by.
func (p *probe) varied(n int) []ports.Row {
	types := []string{"ORDER_FULFILLMENT", "RETURN_PROCESSING", "INVENTORY_REPLENISHMENT"}
	priorities := []string{"NORMAL", "HIGH", "LOW"}
	ends := []domain.Status{domain.Completed, domain.Failed, domain.Cancelled}
	rows := make([]ports.Row, n)
	for i := range rows {
		rows[i] = p.start(i, EditRow(func(r *ports.Row) {
			r.Type, r.Priority = types[i%3], priorities[i/2%3]
			r.CustomerID = fmt.Sprintf("cust-%06d", i%4)
			r.StartedAt = Epoch.Add(time.Duration(i*7%n) * time.Minute)
			if i%5 == 0 {
				r.ErrorCode = "PAYMENT_DECLINED"
			}
		}))
		updated := EditRow(func(r *ports.Row) { r.UpdatedAt = Epoch.Add(24*time.Hour + time.Duration(i*11%n)*time.Minute) })
		switch {
		case i%2 == 0:
			rows[i] = p.next(rows[i], Ends(ends[i/2%3]), updated)
		case i%3 == 0:
			rows[i] = p.next(rows[i], EditRow(func(r *ports.Row) { r.CurrentStep = "PAYMENT_PROCESSING" }), updated)
		default:
			rows[i] = p.next(rows[i], EditRow(func(r *ports.Row) { r.Status = domain.Retrying }), updated)
		}
	}
	return rows
}

// chosen are the rows that a predicate selects.
func chosen(rows []ports.Row, selects func(r ports.Row) bool) []ports.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r ports.Row) bool { return !selects(r) })
}

// lists expects the rows of a page, in any order unless told.
func (p *probe) lists(what string, got, want []ports.Row, ordered bool) {
	if !ordered {
		got, want = slices.Clone(got), slices.Clone(want)
		byID := func(a, b ports.Row) int { return strings.Compare(a.WorkflowID, b.WorkflowID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
	}
	p.want(len(got) == len(want), "list of %s has %d rows, want %d", what, len(got), len(want))
	for i := range want {
		d := rowDiff(got[i], want[i])
		p.want(d == "", "row %d of the list of %s differs in %s", i, what, d)
	}
}

func listsAll(p *probe) {
	empty := p.list(ports.ListQuery{})
	p.want(len(empty.Rows) == 0 && empty.Total == 0 && empty.NextCursor == "", "an empty store lists %+v", empty)
	rows := p.varied(30)
	p.lists("all", p.list(ports.ListQuery{}).Rows, rows, false)
}

func listsActive(p *probe) {
	rows := p.varied(30)
	active := chosen(rows, func(r ports.Row) bool { return !r.Status.Terminal() })
	p.lists("active ones", p.list(ports.ListQuery{ActiveOnly: true}).Rows, active, false)
	none := p.list(ports.ListQuery{ActiveOnly: true, Status: domain.Completed})
	p.want(none.Total == 0 && len(none.Rows) == 0, "COMPLETED workflows are listed as active")
}

func listFilters(p *probe) {
	rows := p.varied(40)
	for _, f := range []struct {
		name    string
		query   ports.ListQuery
		selects func(r ports.Row) bool
	}{
		{"a type", ports.ListQuery{Type: "RETURN_PROCESSING"}, func(r ports.Row) bool { return r.Type == "RETURN_PROCESSING" }},
		{"an active status", ports.ListQuery{Status: domain.InProgress}, func(r ports.Row) bool { return r.Status == domain.InProgress }},
		{"a terminal status", ports.ListQuery{Status: domain.Failed}, func(r ports.Row) bool { return r.Status == domain.Failed }},
		{"a customer", ports.ListQuery{CustomerID: "cust-000002"}, func(r ports.Row) bool { return r.CustomerID == "cust-000002" }},
		{"a priority", ports.ListQuery{Priority: "HIGH"}, func(r ports.Row) bool { return r.Priority == "HIGH" }},
		{"a business key", ports.ListQuery{BusinessKey: OrderID(7)}, func(r ports.Row) bool { return r.BusinessKey == OrderID(7) }},
		{"a step", ports.ListQuery{Step: "PAYMENT_PROCESSING"}, func(r ports.Row) bool { return r.CurrentStep == "PAYMENT_PROCESSING" }},
		{"an error code", ports.ListQuery{ErrorCode: "PAYMENT_DECLINED"}, func(r ports.Row) bool { return r.ErrorCode == "PAYMENT_DECLINED" }},
		{"a type and a priority", ports.ListQuery{Type: "ORDER_FULFILLMENT", Priority: "LOW"},
			func(r ports.Row) bool { return r.Type == "ORDER_FULFILLMENT" && r.Priority == "LOW" }},
		{"active ones of a customer", ports.ListQuery{ActiveOnly: true, CustomerID: "cust-000001"},
			func(r ports.Row) bool { return !r.Status.Terminal() && r.CustomerID == "cust-000001" }},
		{"nothing", ports.ListQuery{Type: "NO_SUCH_TYPE"}, func(ports.Row) bool { return false }},
	} {
		want := chosen(rows, f.selects)
		page := p.list(f.query)
		p.lists(f.name, page.Rows, want, false)
		p.want(page.Total == len(want), "list of %s has total %d, want %d", f.name, page.Total, len(want))
	}
}

func listPeriod(p *probe) {
	p.starts(0, 10)
	p.next(StartOf(4).Row, Ends(domain.Completed))
	at := func(n int) time.Time { return StartOf(n).Row.StartedAt }
	for _, f := range []struct{ after, before, first, last int }{{3, 7, 3, 6}, {0, 1, 0, 0}, {5, 5, 5, 4}} {
		page := p.list(ports.ListQuery{StartedAfter: at(f.after), StartedBefore: at(f.before), Ascending: true})
		p.want(page.Total == f.last-f.first+1, "list from %d to before %d has total %d", f.after, f.before, page.Total)
		for i, r := range page.Rows {
			p.want(r.WorkflowID == WorkflowID(f.first+i), "row %d from %d is %s", i, f.first, r.WorkflowID)
		}
	}
	p.want(p.list(ports.ListQuery{StartedAfter: at(8)}).Total == 2, "StartedAfter alone selects others")
	p.want(p.list(ports.ListQuery{StartedBefore: at(2)}).Total == 2, "StartedBefore alone selects others")
}

// sortFields are all orders of lists.
var sortFields = []ports.SortField{
	ports.SortStartedAt, ports.SortUpdatedAt, ports.SortStatus, ports.SortType, ports.SortPriority,
}

// sorted is what the order of a query makes of rows.
func sorted(rows []ports.Row, q ports.ListQuery) []ports.Row {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b ports.Row) int {
		c := cmp.Or(compareBy(q.Sort, a, b), strings.Compare(a.WorkflowID, b.WorkflowID))
		if !q.Ascending {
			c = -c
		}
		return c
	})
	return rows
}

func compareBy(f ports.SortField, a, b ports.Row) int {
	switch f {
	case ports.SortUpdatedAt:
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case ports.SortStatus:
		return cmp.Compare(a.Status, b.Status)
	case ports.SortType:
		return cmp.Compare(a.Type, b.Type)
	case ports.SortPriority:
		order := []string{"LOW", "NORMAL", "HIGH"}
		return slices.Index(order, a.Priority) - slices.Index(order, b.Priority)
	default:
		return a.StartedAt.Compare(b.StartedAt)
	}
}

func listOrders(p *probe) {
	rows := p.varied(40)
	for _, field := range sortFields {
		for _, ascending := range []bool{true, false} {
			q := ports.ListQuery{Sort: field, Ascending: ascending}
			what := fmt.Sprintf("all by %s, ascending %t", field, ascending)
			p.lists(what, p.list(q).Rows, sorted(rows, q), true)
			q.ActiveOnly = true
			active := chosen(rows, func(r ports.Row) bool { return !r.Status.Terminal() })
			p.lists("active, "+what, p.list(q).Rows, sorted(active, q), true)
		}
	}
}

func listDefaultOrder(p *probe) {
	rows := p.varied(20)
	p.lists("all", p.list(ports.ListQuery{}).Rows, sorted(rows, ports.ListQuery{}), true)
}

func listPriorities(p *probe) {
	for n, priority := range []string{"HIGH", "LOW", "NORMAL"} {
		p.start(n, EditRow(func(r *ports.Row) { r.Priority = priority }))
	}
	rows := p.list(ports.ListQuery{Sort: ports.SortPriority, Ascending: true}).Rows
	got := rows[0].Priority + " < " + rows[1].Priority + " < " + rows[2].Priority
	p.want(got == "LOW < NORMAL < HIGH", "priorities order as %s", got)
}

func listTies(p *probe) {
	same := EditRow(func(r *ports.Row) { r.StartedAt, r.UpdatedAt = Epoch, Epoch })
	rows := make([]ports.Row, 12)
	for _, n := range []int{7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4} {
		rows[n] = p.start(n, same)
		if n%2 == 0 {
			rows[n] = p.next(rows[n], Ends(domain.Completed), same)
		}
	}
	for _, field := range []ports.SortField{ports.SortStartedAt, ports.SortUpdatedAt, ports.SortType, ports.SortPriority} {
		for _, ascending := range []bool{true, false} {
			q := ports.ListQuery{Sort: field, Ascending: ascending}
			p.lists(fmt.Sprintf("equals by %s", field), p.list(q).Rows, sorted(rows, q), true)
		}
	}
}

func listOffsets(p *probe) {
	rows := sorted(p.varied(23), ports.ListQuery{})
	for offset := 0; offset < 30; offset += 10 {
		page := p.list(ports.ListQuery{Offset: offset, Limit: 10})
		p.lists(fmt.Sprint("offset ", offset), page.Rows, rows[min(offset, len(rows)):min(offset+10, len(rows))], true)
		p.want(page.Total == len(rows), "total at offset %d is %d, want %d", offset, page.Total, len(rows))
		p.want((page.NextCursor == "") == (offset == 20), "next cursor at offset %d is %q", offset, page.NextCursor)
	}
	beyond := p.list(ports.ListQuery{Offset: 50, Limit: 10})
	p.want(len(beyond.Rows) == 0 && beyond.NextCursor == "" && beyond.Total == len(rows), "offset beyond the end gives %+v", beyond)
	p.lists("one", p.list(ports.ListQuery{Limit: 1, Offset: 3}).Rows, rows[3:4], true)
}

func listsCommitted(p *probe) {
	row := p.start(1, HeldBy("r1"))
	see := func(what string, q ports.ListQuery, want int) {
		p.want(p.list(q).Total == want, "%s: the list has %d, want %d", what, p.list(q).Total, want)
	}
	see("after the start", ports.ListQuery{Status: domain.Started}, 1)
	row = p.next(row)
	see("after a change", ports.ListQuery{Status: domain.Started}, 0)
	see("after a change", ports.ListQuery{Status: domain.InProgress}, 1)
	row = p.next(row, Ends(domain.Failed))
	see("after the end", ports.ListQuery{ActiveOnly: true}, 0)
	see("after the end", ports.ListQuery{Status: domain.Failed}, 1)
	p.lists("the end", p.list(ports.ListQuery{}).Rows, []ports.Row{row}, true)
	row = p.next(row, reopen)
	see("after reopening", ports.ListQuery{ActiveOnly: true}, 1)
	see("after reopening", ports.ListQuery{Status: domain.Failed}, 0)
	p.lists("the new run", p.list(ports.ListQuery{}).Rows, []ports.Row{row}, true)
}
