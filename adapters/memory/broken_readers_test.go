package memory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenReaders are stores that read or hand out wrongly what was written well.
func brokenReaders() []brokenStore {
	return []brokenStore{
		{"event order reversed", "Record: the encoded event lists in order", reads(func(r *ports.Record) { slices.Reverse(r.Events) })},
		{"last event lost", "Change: Events are kept byte for byte", reads(func(r *ports.Record) { r.Events = r.Events[:len(r.Events)-1] })},
		{"times in seconds", "Row: times are kept to the millisecond, in UTC", reads(func(r *ports.Record) { r.Row.StartedAt = r.Row.StartedAt.Truncate(time.Second) })},
		{"times in another zone", "Row: times are kept to the millisecond, in UTC", reads(func(r *ports.Record) { r.Row.UpdatedAt = r.Row.UpdatedAt.In(time.FixedZone("", 3600)) })},
		{"zero time becomes 1970", "Row: zero times stay zero", reads(func(r *ports.Record) { r.Row.DueAt = time.UnixMilli(max(0, r.Row.DueAt.UnixMilli())).UTC() })},
		{"metadata rewritten", "Row: Metadata is kept byte for byte", reads(compactsMetadata)},
		{"row and events of different moments", "Loader: a read during commits sees whole changes", tornReads},
		{"missing is empty", "Loader: ErrNotFound where there is none", missingIsEmpty},

		{"claim returns those of live holders", "Claim: a workflow whose holder is live is left alone", claimsTheLive},
		{"claim returns what is not due", "Claim: a workflow that is not due yet, or never, is left alone", claimsTheUndue},
		{"claim does not set the owner", "Claim: sets Owner to the replica and DueAt to zero", claimsWithoutOwner},
		{"two claims overlap", "Claim: no two claims return the same workflow", claimsAgain},
		{"concurrent claims overlap", "Claim: no two concurrent claims return the same workflow", claimsAgain},
		{"claim ignores its limit", "Claim: returns up to limit workflows", claimsMore},
		{"claim leaves lapsed holders alone", "Claim: takes over workflows whose holder's lease has run out", renewsAll},
		{"claim does not fence", "Claim: a later change of the earlier holder is refused with ErrConflict", eachChange(noHolderCheck)},
		{"claim returns stale records", "Claim: returns the row and events as committed", claimsStale},
		{"renew works once", "Renew: makes the replica live for ttl from now", renewsOnce},
		{"release does not release", "Release: gives up everything the replica holds, due at once", releases(func(context.Context, *faulty, string) {})},
		{"release keeps the lease", "Release: ends the replica's lease", releases(keepsLease)},

		{"summary of the page only", "List: the summary is of everything the filters select, not of the page", lists(nil, sumsPage)},
		{"total stops early", "List: Total counts at least MaxCount ended workflows", lists(nil, func(_ ports.ListQuery, p *ports.ListPage) { p.Total = min(p.Total, 1000) })},
		{"ended ones listed as active", "List: ActiveOnly leaves out what has ended", lists(func(q *ports.ListQuery) { q.ActiveOnly = false }, nil)},
		{"a filter ignored", "List: each filter selects, and together they select what all of them do", lists(func(q *ports.ListQuery) { q.Step = "" }, nil)},
		{"StartedBefore inclusive", "List: StartedAfter is inclusive, StartedBefore exclusive", lists(func(q *ports.ListQuery) { q.StartedBefore = q.StartedBefore.Add(time.Millisecond) }, nil)},
		{"always descending", "List: ordered by each sort field, either way", lists(func(q *ports.ListQuery) { q.Ascending = false }, nil)},
		{"average of nothing", "List: AverageAge is the mean of (EndedAt or Now) − StartedAt", lists(nil, func(_ ports.ListQuery, p *ports.ListPage) { p.AverageAge = 0 })},
		{"cursors are offsets", "List: a cursor gives no row again and leaves none out while rows are inserted", cursorsAreOffsets},
		{"cursor on the last page", "List: NextCursor is empty on the last page", lastCursor},
		{"forged cursors start over", "List: ErrBadCursor for what is not a cursor of this list", startsOver},

		{"counts beyond the period", "Counts: from is inclusive, to exclusive", countsBeyond},
		{"counts not summed", "Counts: counts written with changes add up by bucket, type, name and label", countsTwice},
		{"nothing is ever stuck", "Monitor: Live counts the stuck ones by what they wait for", neverStuck},
		{"ended ones count as active", "Monitor: Live counts active workflows", countsEnded},
		{"second close fails", "Close: may be called twice", closesOnce},
	}
}

// reads changes what Load and Claim return.
func reads(change func(r *ports.Record)) func(*faulty) {
	return func(f *faulty) {
		f.load = func(ctx context.Context, id string) (ports.Record, error) {
			rec, err := f.Store.Load(ctx, id)
			if err == nil {
				change(&rec)
			}
			return rec, err
		}
	}
}

func compactsMetadata(r *ports.Record) {
	var b bytes.Buffer
	if json.Compact(&b, r.Row.Metadata) == nil {
		r.Row.Metadata = b.Bytes()
	}
}

// tornReads reads the row, lets a commit pass, and reads the events.
func tornReads(f *faulty) {
	committed := make(chan struct{}, 1)
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		errs := f.Store.Commit(ctx, batch)
		select {
		case committed <- struct{}{}:
		default:
		}
		return errs
	}
	f.load = func(ctx context.Context, id string) (ports.Record, error) {
		before, err := f.Store.Load(ctx, id)
		if err != nil {
			return before, err
		}
		select {
		case <-committed:
		case <-time.After(time.Millisecond):
		}
		after, err := f.Store.Load(ctx, id)
		return ports.Record{Row: before.Row, Events: after.Events}, err
	}
}

func missingIsEmpty(f *faulty) {
	f.load = func(ctx context.Context, id string) (ports.Record, error) {
		rec, err := f.Store.Load(ctx, id)
		if errors.Is(err, ports.ErrNotFound) {
			err = nil
		}
		return rec, err
	}
}

// active gives the active rows of a small store.
func (f *faulty) active(ctx context.Context) []ports.Row {
	page, _ := f.Store.List(ctx, ports.ListQuery{ActiveOnly: true, Limit: 100})
	return page.Rows
}

// grab hands active rows to a replica, whoever holds them.
func (f *faulty) grab(ctx context.Context, replica string, takes func(r ports.Row) bool) (recs []ports.Record) {
	for _, row := range f.active(ctx) {
		if !takes(row) {
			continue
		}
		c := ports.Change{Expected: row.Version, Holder: row.Owner, Row: row}
		c.Row.Owner, c.Row.DueAt = replica, time.Time{}
		if f.Store.Commit(ctx, []ports.Change{c})[0] == nil {
			rec, _ := f.Store.Load(ctx, row.WorkflowID)
			recs = append(recs, rec)
		}
	}
	return recs
}

func claimsTheLive(f *faulty) {
	f.claim = func(ctx context.Context, replica string, _ int) ([]ports.Record, error) {
		return f.grab(ctx, replica, func(r ports.Row) bool { return r.Owner != "" }), nil
	}
}

func claimsTheUndue(f *faulty) {
	f.claim = func(ctx context.Context, replica string, _ int) ([]ports.Record, error) {
		return f.grab(ctx, replica, func(r ports.Row) bool { return r.Owner == "" }), nil
	}
}

// claimsWithoutOwner returns records as claimed, but stores them as free.
func claimsWithoutOwner(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit)
		for _, rec := range recs {
			c := ports.Change{Expected: rec.Row.Version, Holder: replica, Row: rec.Row}
			c.Row.Owner, c.Row.DueAt = "", time.Now().Add(time.Hour)
			f.Store.Commit(ctx, []ports.Change{c})
		}
		return recs, err
	}
}

// claimsAgain returns what an earlier claim returned, once more.
func claimsAgain(f *faulty) {
	var earlier atomic.Pointer[ports.Record]
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit-1)
		if again := earlier.Load(); again != nil {
			recs = append(recs, *again)
		}
		if len(recs) > 0 {
			earlier.Store(&recs[0])
		}
		return recs, err
	}
}

func claimsMore(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		return f.Store.Claim(ctx, replica, limit+1)
	}
}

// renewsAll makes every holder live before a claim.
func renewsAll(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		for _, row := range f.active(ctx) {
			_ = f.Store.Renew(ctx, row.Owner, time.Hour)
		}
		return f.Store.Claim(ctx, replica, limit)
	}
}

// claimsStale returns workflows without their last event.
func claimsStale(f *faulty) {
	f.claim = func(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
		recs, err := f.Store.Claim(ctx, replica, limit)
		for i := range recs {
			recs[i].Row.Version--
			recs[i].Events = recs[i].Events[:len(recs[i].Events)-1]
		}
		return recs, err
	}
}

func renewsOnce(f *faulty) {
	known := map[string]bool{}
	f.renew = func(ctx context.Context, replica string, ttl time.Duration) error {
		if known[replica] {
			return nil
		}
		known[replica] = true
		return f.Store.Renew(ctx, replica, ttl)
	}
}

func releases(how func(ctx context.Context, f *faulty, replica string)) func(*faulty) {
	return func(f *faulty) {
		f.release = func(ctx context.Context, replica string) error {
			how(ctx, f, replica)
			return nil
		}
	}
}

func keepsLease(ctx context.Context, f *faulty, replica string) {
	_ = f.Store.Release(ctx, replica)
	_ = f.Store.Renew(ctx, replica, time.Hour)
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

func countsBeyond(f *faulty) {
	f.counts = func(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
		return f.Store.Counts(ctx, from, to.Add(time.Nanosecond), workflowType)
	}
}

func countsTwice(f *faulty) {
	f.counts = func(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
		counts, err := f.Store.Counts(ctx, from, to, workflowType)
		return append(counts, counts...), err
	}
}

func neverStuck(f *faulty) {
	f.live = func(ctx context.Context, grace time.Duration) (int, int, error) {
		active, _, err := f.Store.Live(ctx, grace)
		return active, 0, err
	}
}

func countsEnded(f *faulty) {
	f.live = func(ctx context.Context, grace time.Duration) (int, int, error) {
		_, stuck, err := f.Store.Live(ctx, grace)
		page, _ := f.Store.List(ctx, ports.ListQuery{Limit: 1})
		return page.Total, stuck, err
	}
}

func closesOnce(f *faulty) {
	closed := false
	f.close = func() error {
		if closed {
			return errors.New("closed already")
		}
		closed = true
		return f.Store.Close()
	}
}
