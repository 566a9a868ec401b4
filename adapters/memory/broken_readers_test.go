package memory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenReaders are stores that read wrongly what was written well.
func brokenReaders() []brokenStore {
	return []brokenStore{
		{fault: "event order reversed", promise: "Record: the encoded event lists in order", breaks: reads(func(r *ports.Record) { slices.Reverse(r.Events) })},
		{fault: "last event lost", promise: "Change: Events are kept byte for byte", breaks: reads(func(r *ports.Record) { r.Events = r.Events[:len(r.Events)-1] })},
		{fault: "times in seconds", promise: "Row: times are kept to the millisecond, in UTC", breaks: reads(func(r *ports.Record) { r.Row.StartedAt = r.Row.StartedAt.Truncate(time.Second) })},
		{fault: "times in another zone", promise: "Row: times are kept to the millisecond, in UTC", breaks: reads(func(r *ports.Record) { r.Row.UpdatedAt = r.Row.UpdatedAt.In(time.FixedZone("", 3600)) })},
		{fault: "zero time becomes 1970", promise: "Row: zero times stay zero", breaks: reads(func(r *ports.Record) { r.Row.DueAt = time.UnixMilli(max(0, r.Row.DueAt.UnixMilli())).UTC() })},
		{fault: "metadata rewritten", promise: "Row: Metadata is kept byte for byte", breaks: reads(compactsMetadata)},
		{fault: "row and events of different moments", promise: "Loader: a read during commits sees whole changes", breaks: tornReads},
		{fault: "missing is empty", promise: "Loader: ErrNotFound where there is none", breaks: missingIsEmpty},
		{fault: "counts beyond the period", promise: "Counts: from is inclusive, to exclusive", breaks: countsBeyond},
		{fault: "counts not summed", promise: "Counts: counts written with changes add up by bucket, type, name and label", breaks: countsTwice},
		{fault: "nothing is ever stuck", promise: "Monitor: Live counts the stuck ones by what they wait for", breaks: neverStuck},
		{fault: "ended ones count as active", promise: "Monitor: Live counts active workflows", breaks: countsEnded},
		{fault: "second close fails", promise: "Close: may be called twice", breaks: closesOnce},
		{fault: "a saga is its workflow", promise: "Loader: WorkflowOfSaga finds the workflow of a saga", breaks: sagaIsWorkflow},
		{fault: "a member lost", promise: "Row: every member is read as it was written", breaks: reads(func(r *ports.Record) { r.Row.ErrorCode = "" })},
		{fault: "a status unknown", promise: "Row: every status is kept", breaks: reads(unknownStatus)},
		{fault: "readers share slices", promise: "Record: what the caller alters after Load does not change the store", breaks: readsShared},
		{fault: "a free business key has a holder", promise: "Loader: BusinessKeyHolder finds the active or COMPLETED workflow", breaks: everyKeyHeld},
		{fault: "a record without its version", promise: "Loader: Idempotency finds a record by scope", breaks: recordsWithoutVersion},
		{fault: "counts of every type", promise: "Counts: a type selects, empty selects all", breaks: countsOfAll},
		{fault: "templates trimmed", promise: "TemplateStore: LoadTemplate gives what was saved under a hash", breaks: trimsTemplates},
		{fault: "a missing template is empty", promise: "TemplateStore: ErrNotFound for a hash that was never saved", breaks: overwritesTemplates},
		{fault: "ping fails", promise: "Monitor: Ping reports whether the store answers", breaks: func(f *faulty) { f.ping = func(context.Context) error { return ports.ErrUnavailable } }},
		{fault: "pool in other words", promise: "Monitor: Pool describes the connection pool as \"8/20 active\", or is empty", breaks: func(f *faulty) { f.pool = func() string { return "idle" } }},
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

// tornReads reads the row, lets the first transition pass, and reads the events.
func tornReads(f *faulty) {
	var first, done sync.Once
	begun, committed := make(chan struct{}), make(chan struct{})
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if batch[0].Expected == 0 {
			return f.Store.Commit(ctx, batch)
		}
		first.Do(func() { <-begun })
		errs := f.Store.Commit(ctx, batch)
		done.Do(func() { close(committed) })
		return errs
	}
	f.load = func(ctx context.Context, id string) (ports.Record, error) {
		before, err := f.Store.Load(ctx, id)
		if err != nil {
			return before, err
		}
		select {
		case begun <- struct{}{}:
			<-committed
		case <-committed:
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

func sagaIsWorkflow(f *faulty) {
	f.ofSaga = func(_ context.Context, sagaID string) (string, error) { return sagaID, nil }
}

func unknownStatus(r *ports.Record) {
	if r.Row.Status == domain.Parked {
		r.Row.Status = "UNKNOWN"
	}
}

// readsShared gives every reader of a version the same slices.
func readsShared(f *faulty) {
	given := map[string]ports.Record{}
	f.load = func(ctx context.Context, id string) (ports.Record, error) {
		rec, err := f.Store.Load(ctx, id)
		if known, ok := given[id]; ok && known.Row.Version == rec.Row.Version {
			return known, err
		}
		given[id] = rec
		return rec, err
	}
}

func everyKeyHeld(f *faulty) {
	f.holder = func(ctx context.Context, workflowType, key string) (string, error) {
		id, err := f.Store.BusinessKeyHolder(ctx, workflowType, key)
		if errors.Is(err, ports.ErrNotFound) {
			return contracttests.WorkflowID(1), nil
		}
		return id, err
	}
}

func recordsWithoutVersion(f *faulty) {
	f.record = func(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
		rec, err := f.Store.Idempotency(ctx, scope)
		rec.Version = 0
		return rec, err
	}
}

func countsOfAll(f *faulty) {
	f.counts = func(ctx context.Context, from, to time.Time, _ string) ([]ports.Count, error) {
		return f.Store.Counts(ctx, from, to, "")
	}
}

func trimsTemplates(f *faulty) {
	f.recall = func(ctx context.Context, hash string) ([]byte, error) {
		data, err := f.Store.LoadTemplate(ctx, hash)
		return bytes.TrimRight(data, "\n\x00"), err
	}
}
