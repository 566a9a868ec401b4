package sqlrow

import (
	"cmp"
	"fmt"
	"slices"
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

// priorityRank is the rank of the column priority, in SQL.
const priorityRank = `CASE priority WHEN 'LOW' THEN 0 WHEN 'HIGH' THEN 2 ELSE 1 END`

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
	// Late is the store's time less a grace: what should have happened before
	// it is late. Param adds a parameter.
	Late func(grace time.Duration, param func(any) string) string
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
	switch {
	case live.sortedBy(q.Sort) == "":
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

// Totals keeps those that type, status and priority filters select.
func (l *List) Totals(all []Total) []Total {
	q := &l.query
	return slices.DeleteFunc(all, func(t Total) bool {
		return l.activeOnly() && domain.Status(t.Status).Terminal() ||
			q.Type != "" && q.Type != t.Type ||
			q.Status != "" && string(q.Status) != t.Status ||
			q.Priority != "" && q.Priority != t.Priority
	})
}

// Answered reports whether the totals are all that the summary needs.
func (l *List) Answered() bool { return !l.particular() && !l.period() && l.query.Stuck <= 0 }

// activeOnly: nothing that has ended is selected.
func (l *List) activeOnly() bool {
	q := &l.query
	return q.ActiveOnly || q.Stuck > 0 || q.Status != "" && !q.Status.Terminal()
}

// particular: filters on what only a few workflows have in common.
func (l *List) particular() bool {
	q := &l.query
	return q.CustomerID != "" || q.BusinessKey != "" || q.Step != "" || q.ErrorCode != ""
}

func (l *List) period() bool {
	q := &l.query
	return !q.StartedAfter.IsZero() || !q.StartedBefore.IsZero() || !q.UpdatedBefore.IsZero()
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
