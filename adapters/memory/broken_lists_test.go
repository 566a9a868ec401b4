package memory_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenLists are stores whose lists leave out, repeat or miscount.
func brokenLists() []brokenStore {
	return []brokenStore{
		{fault: "summary of the page only", promise: "List: the summary is of everything the filters select, not of the page", breaks: lists(nil, sumsPage)},
		{fault: "total stops early", promise: "List: Total counts at least MaxCount ended workflows", breaks: lists(nil, func(_ ports.ListQuery, p *ports.ListPage) { p.Total = min(p.Total, 1000) })},
		{fault: "ended ones listed as active", promise: "List: ActiveOnly leaves out what has ended", breaks: lists(func(q *ports.ListQuery) { q.ActiveOnly = false }, nil)},
		{fault: "a filter ignored", promise: "List: each filter selects, and together they select what all of them do", breaks: lists(func(q *ports.ListQuery) { q.Step = "" }, nil)},
		{fault: "StartedBefore inclusive", promise: "List: StartedAfter is inclusive, StartedBefore exclusive", breaks: lists(func(q *ports.ListQuery) { q.StartedBefore = q.StartedBefore.Add(time.Millisecond) }, nil)},
		{fault: "always descending", promise: "List: ordered by each sort field, either way", breaks: lists(func(q *ports.ListQuery) { q.Ascending = false }, nil)},
		{fault: "average of nothing", promise: "List: AverageAge is the mean of (EndedAt or Now) − StartedAt", breaks: lists(nil, func(_ ports.ListQuery, p *ports.ListPage) { p.AverageAge = 0 })},
		{fault: "cursors are offsets", promise: "List: a cursor gives no row again and leaves none out while rows are inserted", breaks: cursorsAreOffsets},
		{fault: "cursor on the last page", promise: "List: NextCursor is empty on the last page", breaks: lastCursor},
		{fault: "forged cursors start over", promise: "List: ErrBadCursor for what is not a cursor of this list", breaks: startsOver},
		{fault: "ended ones left out", promise: "List: empty members select all", breaks: lists(func(q *ports.ListQuery) { q.ActiveOnly = true }, nil)},
		{fault: "another default order", promise: "List: the default order is startedAt, latest first", breaks: lists(func(q *ports.ListQuery) { q.Sort = cmp.Or(q.Sort, ports.SortUpdatedAt) }, nil)},
		{fault: "priorities order as text", promise: "List: priorities order as LOW < NORMAL < HIGH", breaks: lists(nil, resorted(func(a, b ports.Row) int { return cmp.Compare(a.Priority, b.Priority) }))},
		{fault: "ties always ascend", promise: "List: ties are ordered by workflow ID in the same direction", breaks: lists(nil, resorted(func(a, b ports.Row) int { return cmp.Compare(a.WorkflowID, b.WorkflowID) }))},
		{fault: "offset ignored", promise: "List: Offset and Limit cut pages that join", breaks: lists(func(q *ports.ListQuery) { q.Offset = 0 }, nil)},
		{fault: "lists lag behind", promise: "List: rows are those of the last commit", breaks: listsFromCache},
		{fault: "summary on the first page only", promise: "List: the summary is the same on every page", breaks: lists(nil, onLaterPages(func(p *ports.ListPage) { p.Total = 0 }))},
		{fault: "a row lost between pages", promise: "List: cursors give every row once, in order, in each order", breaks: lists(nil, onLaterPages(dropsFirst))},
		{fault: "a filtered row lost between pages", promise: "List: a cursor continues after the last row of the page, with filters", breaks: lists(nil, onLaterPages(dropsFirst))},
		{fault: "a cursor forgets the offset", promise: "List: a cursor continues after the last row of a page by offset", breaks: cursorsForgetOffset},
		{fault: "a cursor needs its row", promise: "List: a cursor goes on when its row has ended or moved", breaks: cursorsNeedTheirRow},
	}
}

// lists changes what is asked of a list, and what it answers.
func lists(query func(q *ports.ListQuery), answer func(q ports.ListQuery, p *ports.ListPage)) func(*faulty) {
	return func(f *faulty) {
		f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
			if query != nil {
				query(&q)
			}
			page, err := f.Store.List(ctx, q)
			if answer != nil && err == nil {
				answer(q, &page)
			}
			return page, err
		}
	}
}

func sumsPage(_ ports.ListQuery, p *ports.ListPage) {
	p.Total, p.ByType, p.ByStatus = len(p.Rows), map[string]int{}, map[string]int{}
	for _, r := range p.Rows {
		p.ByType[r.Type]++
		p.ByStatus[string(r.Status)]++
	}
}

// cursorsAreOffsets counts rows where it should remember a place.
func cursorsAreOffsets(f *faulty) {
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		if q.Cursor != "" {
			q.Offset, _ = strconv.Atoi(q.Cursor)
			q.Cursor = ""
		}
		page, err := f.Store.List(ctx, q)
		if page.NextCursor != "" {
			page.NextCursor = strconv.Itoa(q.Offset + len(page.Rows))
		}
		return page, err
	}
}

// lastCursor ends a list only with an empty page.
func lastCursor(f *faulty) {
	const end = "end"
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		if q.Cursor == end {
			return ports.ListPage{}, nil
		}
		page, err := f.Store.List(ctx, q)
		if page.NextCursor == "" {
			page.NextCursor = end
		}
		return page, err
	}
}

func startsOver(f *faulty) {
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		page, err := f.Store.List(ctx, q)
		if errors.Is(err, ports.ErrBadCursor) {
			q.Cursor = ""
			return f.Store.List(ctx, q)
		}
		return page, err
	}
}

// resorted orders a page, whatever was asked for.
func resorted(compare func(a, b ports.Row) int) func(ports.ListQuery, *ports.ListPage) {
	return func(_ ports.ListQuery, p *ports.ListPage) { slices.SortFunc(p.Rows, compare) }
}

// onLaterPages spoils every page but the first.
func onLaterPages(spoil func(p *ports.ListPage)) func(ports.ListQuery, *ports.ListPage) {
	return func(q ports.ListQuery, p *ports.ListPage) {
		if q.Cursor != "" {
			spoil(p)
		}
	}
}

func dropsFirst(p *ports.ListPage) { p.Rows = p.Rows[1:] }

func listsFromCache(f *faulty) {
	cache := map[ports.ListQuery]ports.ListPage{}
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		if page, ok := cache[q]; ok {
			return page, nil
		}
		page, err := f.Store.List(ctx, q)
		cache[q] = page
		return page, err
	}
}

func cursorsForgetOffset(f *faulty) {
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		page, err := f.Store.List(ctx, q)
		if q.Offset > 0 {
			q.Offset = 0
			first, _ := f.Store.List(ctx, q)
			page.NextCursor = first.NextCursor
		}
		return page, err
	}
}

// cursorsNeedTheirRow gives an empty page once the row of a cursor has changed.
func cursorsNeedTheirRow(f *faulty) {
	rows := map[string]ports.Row{}
	f.list = func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
		if row, ok := rows[q.Cursor]; ok {
			if now, _ := f.Store.Load(ctx, row.WorkflowID); now.Row.Version != row.Version {
				return ports.ListPage{}, nil
			}
		}
		page, err := f.Store.List(ctx, q)
		if page.NextCursor != "" {
			rows[page.NextCursor] = page.Rows[len(page.Rows)-1]
		}
		return page, err
	}
}
