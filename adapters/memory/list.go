package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// maxLimit is the largest page.
const maxLimit = 100

// listing is a list being made.
type listing struct {
	query     ports.ListQuery
	ascending func(a, b *ports.Row) int
	place     *ports.Row // rows are wanted beyond it; nil: from the start
	late      time.Time  // what should have happened before is stuck
}

// List answers from all active workflows and, unless only those are asked for,
// from the ended ones of the customer or business key, or an ordered index.
// Only other filters over ended workflows, when few match, walk all that are kept.
func (s *Store) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	l, err := newListing(q)
	if err != nil {
		return ports.ListPage{}, err
	}
	few, page, counted, err := s.candidates(ctx, l)
	if err != nil {
		return ports.ListPage{}, err
	}
	sum := newSummary(q.Now)
	sum.add(few)
	sum.add(counted)
	few = slices.DeleteFunc(few, func(r *ports.Row) bool { return !l.beyond(r) })
	return sum.page(l.cut(append(few, page...))), nil
}

func newListing(q ports.ListQuery) (*listing, error) {
	if q.Sort == "" {
		q.Sort = ports.SortStartedAt
	}
	compare, ok := rowOrders[q.Sort]
	switch {
	case !ok:
		return nil, fmt.Errorf("memory: cannot sort by %q", q.Sort)
	case q.Limit < 1 || q.Limit > maxLimit:
		return nil, fmt.Errorf("memory: limit %d is not in 1 to %d", q.Limit, maxLimit)
	case q.Offset < 0 || q.Offset > 0 && q.Cursor != "":
		return nil, fmt.Errorf("memory: offset %d is negative or comes with a cursor", q.Offset)
	}
	l := &listing{query: q, ascending: compare}
	if q.Cursor == "" {
		return l, nil
	}
	var err error
	l.place, err = parseCursor(q)
	return l, err
}

// candidates collects, under the lock, the selected rows that the list is made
// of: few, all of one kind or another in no order; page, the ended ones that may
// come on the page; counted, the ended ones for the summary.
func (s *Store) candidates(ctx context.Context, l *listing) (few, page, counted []*ports.Row, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, nil, nil, err
	}
	l.late = s.now().Add(-l.query.Stuck)
	for _, w := range s.index.active {
		if l.selects(w.row) {
			few = append(few, w.row)
		}
	}
	switch q := &l.query; {
	case q.ActiveOnly || q.Stuck > 0 || q.Status != "" && !q.Status.Terminal():
	case q.BusinessKey != "":
		few = l.all(few, s.index.orders[q.BusinessKey])
	case q.CustomerID != "":
		few = l.all(few, s.index.customers[q.CustomerID])
	default:
		ended := s.index.ended[q.Sort]
		page = l.walk(ended, l.place, q.Offset+q.Limit+1)
		counted = l.walk(ended, nil, ports.MaxCount)
	}
	return few, page, counted, nil
}

// all adds the selected ones of rows.
func (l *listing) all(found []*ports.Row, rows map[string]*ports.Row) []*ports.Row {
	for _, r := range rows {
		if l.selects(r) {
			found = append(found, r)
		}
	}
	return found
}

// walk finds up to limit selected rows of an index beyond a place.
func (l *listing) walk(rows *ordered[*ports.Row], place *ports.Row, limit int) []*ports.Row {
	var from **ports.Row
	if place != nil {
		from = &place
	}
	var found []*ports.Row
	for r := range rows.after(from, l.query.Ascending) {
		if l.selects(r) {
			found = append(found, r)
		}
		if len(found) == limit {
			break
		}
	}
	return found
}

// selects reports whether the filters select a row.
func (l *listing) selects(r *ports.Row) bool {
	q := &l.query
	return !(q.ActiveOnly && r.Status.Terminal()) &&
		(q.Stuck <= 0 || !r.Status.Terminal() && isStuck(r, l.late)) &&
		(q.Type == "" || q.Type == r.Type) &&
		(q.Status == "" || q.Status == r.Status) &&
		(q.CustomerID == "" || q.CustomerID == r.CustomerID) &&
		(q.Priority == "" || q.Priority == r.Priority) &&
		(q.BusinessKey == "" || q.BusinessKey == r.BusinessKey) &&
		(q.Step == "" || q.Step == r.CurrentStep) &&
		(q.ErrorCode == "" || q.ErrorCode == r.ErrorCode) &&
		(q.StartedAfter.IsZero() || !r.StartedAt.Before(q.StartedAfter)) &&
		(q.StartedBefore.IsZero() || r.StartedAt.Before(q.StartedBefore)) &&
		(q.UpdatedBefore.IsZero() || r.UpdatedAt.Before(q.UpdatedBefore))
}

// compare orders rows as the list does.
func (l *listing) compare(a, b *ports.Row) int {
	if l.query.Ascending {
		return l.ascending(a, b)
	}
	return l.ascending(b, a)
}

// beyond reports whether a row comes after the cursor.
func (l *listing) beyond(r *ports.Row) bool {
	return l.place == nil || l.compare(r, l.place) > 0
}

// cut makes the page of the rows from the cursor on.
func (l *listing) cut(rows []*ports.Row) (given []ports.Row, next string) {
	slices.SortFunc(rows, l.compare)
	rows = rows[min(l.query.Offset, len(rows)):]
	if len(rows) > l.query.Limit {
		rows = rows[:l.query.Limit]
		next = cursorAfter(&l.query, rows[len(rows)-1])
	}
	given = make([]ports.Row, len(rows))
	for i, r := range rows {
		given[i] = givenRow(r)
	}
	return given, next
}

// summary adds up what the filters select.
type summary struct {
	now              time.Time
	n                int
	byType, byStatus map[string]int
	milliseconds     int64 // of all ages together; nanoseconds would overflow
}

func newSummary(now time.Time) *summary {
	return &summary{now: now, byType: map[string]int{}, byStatus: map[string]int{}}
}

func (s *summary) add(rows []*ports.Row) {
	s.n += len(rows)
	for _, r := range rows {
		s.byType[r.Type]++
		s.byStatus[string(r.Status)]++
		end := r.EndedAt
		if end.IsZero() {
			end = s.now
		}
		s.milliseconds += end.Sub(r.StartedAt).Milliseconds()
	}
}

func (s *summary) page(rows []ports.Row, next string) ports.ListPage {
	p := ports.ListPage{Rows: rows, NextCursor: next, Total: s.n, ByType: s.byType, ByStatus: s.byStatus}
	if s.n > 0 {
		p.AverageAge = time.Duration(s.milliseconds/int64(s.n)) * time.Millisecond
	}
	return p
}
