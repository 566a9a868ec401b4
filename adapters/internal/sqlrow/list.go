package sqlrow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of a page.
const maxLimit = 100

// Priorities by rank; anything else counts as NORMAL.
const (
	lowPriority  = "LOW"
	highPriority = "HIGH"
)

// PriorityRank is the rank of the column priority, in SQL.
const PriorityRank = `CASE priority WHEN 'LOW' THEN 0 WHEN 'HIGH' THEN 2 ELSE 1 END`

// List is a list being made. It is asked in three steps: Totals, which the
// store keeps; then, if they do not answer it, the summary query; then the page
// query. The tables of both stores have the same columns and the same indexes.
//
// Ended workflows are reached through indexes that begin with type, status and
// priority. The totals tell which combinations there are - a few dozen at most -
// so that a page is the merge of that many short index scans, in every order
// and with every filter on them, however many workflows have ended.
type List struct {
	query   ports.ListQuery
	dialect Dialect
	place   *place // nil: from the start
}

// Dialect is where the stores differ.
type Dialect struct {
	// Param is the n-th parameter, from 1.
	Param func(n int) string
	// Time and Text are a time and a text as a parameter.
	Time func(time.Time) any
	Text func(string) string
	// MeanAge is the mean of coalesce(ended_at, now) - started_at in whole
	// microseconds, for the parameter now.
	MeanAge func(now string) string
	// Columns are those of a row.
	Columns string
}

// Kind is what workflows are counted by.
type Kind struct{ Type, Status, Priority string }

// Total is how many workflows there are of a kind, and their mean age.
type Total struct {
	Kind
	N   int64 // more than none
	Age time.Duration
}

// NewList checks a query; ports.ErrBadCursor if its cursor is not one of this list.
func NewList(q ports.ListQuery, d Dialect) (*List, error) {
	q.Sort = cmp.Or(q.Sort, ports.SortStartedAt)
	_, known := sortColumns[q.Sort]
	switch {
	case !known:
		return nil, fmt.Errorf("cannot sort by %q", q.Sort)
	case q.Limit < 1 || q.Limit > maxLimit:
		return nil, fmt.Errorf("limit %d is not in 1 to %d", q.Limit, maxLimit)
	case q.Offset < 0 || q.Offset > 0 && q.Cursor != "":
		return nil, fmt.Errorf("offset %d is negative or comes with a cursor", q.Offset)
	}
	l := &List{query: q, dialect: d}
	if q.Cursor == "" {
		return l, nil
	}
	var err error
	l.place, err = parseCursor(q)
	return l, err
}

// sortColumns are the SQL expressions of sort fields.
var sortColumns = map[ports.SortField]string{
	ports.SortStartedAt: "started_at",
	ports.SortUpdatedAt: "updated_at",
	ports.SortStatus:    "status",
	ports.SortType:      "type",
	ports.SortPriority:  PriorityRank,
}

// Totals keeps those that type, status and priority filters select.
func (l *List) Totals(all []Total) []Total {
	q := &l.query
	return slices.DeleteFunc(all, func(t Total) bool {
		return q.ActiveOnly && domain.Status(t.Status).Terminal() ||
			q.Type != "" && q.Type != t.Type ||
			q.Status != "" && string(q.Status) != t.Status ||
			q.Priority != "" && q.Priority != t.Priority
	})
}

// Answered reports whether the totals are all that the summary needs.
func (l *List) Answered() bool { return !l.particular() && !l.period() }

// particular: filters on what only a few workflows have in common.
func (l *List) particular() bool {
	q := &l.query
	return q.CustomerID != "" || q.BusinessKey != "" || q.Step != "" || q.ErrorCode != ""
}

func (l *List) period() bool {
	return !l.query.StartedAfter.IsZero() || !l.query.StartedBefore.IsZero()
}

// Page makes the page of up to limit+1 rows and the summary.
func (l *List) Page(rows []ports.Row, totals []Total) ports.ListPage {
	p := ports.ListPage{ByType: map[string]int{}, ByStatus: map[string]int{}}
	if len(rows) > l.query.Limit {
		rows = rows[:l.query.Limit]
		p.NextCursor = cursorAfter(&l.query, &rows[len(rows)-1])
	}
	p.Rows = rows
	var age time.Duration // mean so far
	for _, t := range totals {
		n := int(t.N)
		p.Total += n
		p.ByType[t.Type] += n
		p.ByStatus[t.Status] += n
		// The mean of means: a sum of ages may exceed a Duration.
		age += time.Duration(float64(t.Age-age) * float64(n) / float64(p.Total))
	}
	p.AverageAge = age
	return p
}

// query is SQL text with its parameters.
type query struct {
	strings.Builder
	dialect Dialect
	args    []any
}

// param adds a parameter and gives its place-holder.
func (b *query) param(value any) string {
	switch v := value.(type) {
	case time.Time:
		value = b.dialect.Time(v)
	case string:
		value = b.dialect.Text(v)
	}
	b.args = append(b.args, value)
	return b.dialect.Param(len(b.args))
}

func (b *query) printf(format string, args ...any) { fmt.Fprintf(b, format, args...) }

// filters adds the conditions of the query, each after an AND.
func (l *List) filters(b *query) {
	q := &l.query
	for _, f := range []struct{ value, condition string }{
		{q.Type, "type = %s"}, {string(q.Status), "status = %s"}, {q.Priority, "priority = %s"}, {q.CustomerID, "customer_id = %s"},
		// Most workflows lack these; their partial indexes want to hear that.
		{q.BusinessKey, "business_key = %s AND business_key <> ''"},
		{q.Step, "current_step = %s AND current_step <> ''"},
		{q.ErrorCode, "error_code = %s AND error_code <> ''"},
	} {
		if f.value != "" {
			b.printf(" AND "+f.condition, b.param(f.value))
		}
	}
	l.inPeriod(b)
}

// inPeriod adds the conditions on the start.
func (l *List) inPeriod(b *query) {
	q := &l.query
	if !q.StartedAfter.IsZero() {
		b.printf(" AND started_at >= %s", b.param(q.StartedAfter))
	}
	if !q.StartedBefore.IsZero() {
		b.printf(" AND started_at < %s", b.param(q.StartedBefore))
	}
}

// beyond adds the condition that a row comes after the cursor.
func (l *List) beyond(b *query) {
	if l.place == nil {
		return
	}
	column, than := sortColumns[l.query.Sort], l.than()
	value := b.param(l.place.value)
	b.printf(" AND %[1]s %[2]s= %[3]s AND (%[1]s %[2]s %[3]s OR workflow_id %[2]s %[4]s)", column, than, value, b.param(l.place.id))
}

// than compares a later row with an earlier one.
func (l *List) than() string {
	if l.query.Ascending {
		return ">"
	}
	return "<"
}

// order is the ORDER BY clause.
func (l *List) order() string {
	return " ORDER BY " + l.directed(sortColumns[l.query.Sort], "workflow_id")
}

func (l *List) directed(columns ...string) string {
	direction := " DESC"
	if l.query.Ascending {
		direction = " ASC"
	}
	return strings.Join(columns, direction+", ") + direction
}

// wanted says which of the active and ended workflows the list may hold.
func (l *List) wanted() (active, ended bool) {
	q := &l.query
	return q.Status == "" || !q.Status.Terminal(), !q.ActiveOnly && (q.Status == "" || q.Status.Terminal())
}

// PageQuery selects limit+1 rows in order, for the totals that Totals kept.
func (l *List) PageQuery(totals []Total) (string, []any) {
	b := &query{dialect: l.dialect}
	b.printf("SELECT %s FROM (", l.dialect.Columns)
	for i, br := range l.branches(totals) {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.printf("SELECT * FROM (SELECT %s FROM workflows WHERE ", l.dialect.Columns)
		br.where(b)
		br.beyond(b)
		b.printf("%s LIMIT %s) AS branch_%d", br.order, b.param(l.query.Offset+l.query.Limit+1), i)
	}
	b.printf(") AS page%s LIMIT %s OFFSET %s", l.order(), b.param(l.query.Limit+1), b.param(l.query.Offset))
	return b.String(), b.args
}

// SummaryQuery selects type, status, number and mean age of what the filters
// select: of active workflows all, of ended ones up to ports.MaxCount.
func (l *List) SummaryQuery(totals []Total) (string, []any) {
	b := &query{dialect: l.dialect}
	b.printf("SELECT type, status, count(*), %s FROM (", l.dialect.MeanAge(b.param(l.query.Now)))
	whole := *l
	whole.place = nil
	for i, br := range whole.branches(totals) {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT * FROM (SELECT type, status, started_at, ended_at FROM workflows WHERE ")
		br.where(b)
		if br.ended {
			b.printf(" LIMIT %s", b.param(ports.MaxCount))
		}
		b.printf(") AS branch_%d", i)
	}
	b.WriteString(") AS selected GROUP BY type, status")
	return b.String(), b.args
}

// A branch selects a part of the list's rows.
type branch struct {
	where, beyond func(*query)
	order         string
	ended         bool
}

// branches are the parts that together are the list. There is always one.
func (l *List) branches(totals []Total) []branch {
	active, ended := l.wanted()
	var list []branch
	if active {
		list = append(list, branch{where: l.where("active"), beyond: l.beyond, order: l.order()})
	}
	switch {
	case ended && l.particular():
		list = append(list, branch{where: l.where("NOT active"), beyond: l.beyond, order: l.order(), ended: true})
	case ended:
		for _, t := range totals {
			if domain.Status(t.Status).Terminal() && l.reaches(t) {
				list = append(list, l.combination(t))
			}
		}
	}
	if len(list) == 0 {
		list = append(list, branch{where: l.where("active AND NOT active"), beyond: l.beyond, order: l.order()})
	}
	return list
}

func (l *List) where(condition string) func(*query) {
	return func(b *query) {
		b.WriteString(condition)
		l.filters(b)
	}
}

// combination selects ended workflows of one type, status and priority. Where
// the list is ordered by one of these, only the workflow ID is left to order by.
func (l *List) combination(t Total) branch {
	br := branch{beyond: l.beyond, order: l.order(), ended: true, where: func(b *query) {
		b.printf("NOT active AND type = %s AND status = %s AND priority = %s", b.param(t.Type), b.param(t.Status), b.param(t.Priority))
		l.inPeriod(b)
	}}
	if l.query.Sort == ports.SortStartedAt || l.query.Sort == ports.SortUpdatedAt {
		return br
	}
	br.order = " ORDER BY " + l.directed("workflow_id")
	br.beyond = func(b *query) {
		if l.place != nil && l.constant(t) == 0 {
			b.printf(" AND workflow_id %s %s", l.than(), b.param(l.place.id))
		}
	}
	return br
}
