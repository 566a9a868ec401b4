package contracttests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// pollEvery is how often a rule looks again for what the store's clock brings about.
const pollEvery = 2 * time.Millisecond

// longLease outlives every rule.
const longLease = time.Hour

// probe is what a rule works with. Its methods end the rule on the first thing
// that is not as promised, as testing.T.FailNow does, by a panic that rule
// turns into an error; so they must be called from the rule's own goroutine.
type probe struct {
	ctx   context.Context
	store ports.Store
}

// broken is what a probe panics with.
type broken struct{ err error }

// rule makes a StoreRule of a function that fails by its probe.
func rule(name string, body func(p *probe)) StoreRule {
	return StoreRule{Name: name, Check: func(ctx context.Context, s ports.Store) (err error) {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case broken:
				err = r.err
			default: // of the store, or of a rule that it surprised
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		body(&probe{ctx: ctx, store: s})
		return nil
	}}
}

// failf ends the rule.
func (p *probe) failf(format string, args ...any) { panic(broken{fmt.Errorf(format, args...)}) }

// must ends the rule on an error.
func (p *probe) must(err error, what string) {
	if err != nil {
		p.failf("%s: %w", what, err)
	}
}

// want ends the rule unless ok.
func (p *probe) want(ok bool, format string, args ...any) {
	if !ok {
		p.failf(format, args...)
	}
}

// wantErr ends the rule unless err is the wanted one.
func (p *probe) wantErr(err, wanted error, what string) {
	if !errors.Is(err, wanted) {
		p.failf("%s: got error %v, want %v", what, err, wanted)
	}
}

// commit commits changes as one batch and expects all of them to be taken.
func (p *probe) commit(batch ...ports.Change) {
	for i, err := range p.try(batch...) {
		p.must(err, fmt.Sprintf("commit of change %d of %d", i, len(batch)))
	}
}

// try commits changes as one batch and gives an error for each.
func (p *probe) try(batch ...ports.Change) []error {
	errs := p.store.Commit(p.ctx, batch)
	p.want(len(errs) == len(batch), "Commit of %d changes gave %d errors", len(batch), len(errs))
	return errs
}

// refused commits one change and expects a certain refusal.
func (p *probe) refused(c ports.Change, wanted error, why string) {
	p.wantErr(p.try(c)[0], wanted, "commit of "+why)
}

// start starts the n-th workflow and gives its row.
func (p *probe) start(n int, edits ...Edit) ports.Row {
	c := StartOf(n, edits...)
	p.commit(c)
	return c.Row
}

// starts starts workflows from..to-1, in as few batches as possible.
func (p *probe) starts(from, to int, edits ...Edit) {
	for from < to {
		batch := make([]ports.Change, 0, ports.MaxBatch)
		for ; from < to && len(batch) < ports.MaxBatch; from++ {
			batch = append(batch, StartOf(from, edits...))
		}
		p.commit(batch...)
	}
}

// next commits the next change of a workflow and gives its row.
func (p *probe) next(r ports.Row, edits ...Edit) ports.Row {
	c := NextOf(r, edits...)
	p.commit(c)
	return c.Row
}

// load loads a workflow that must be there.
func (p *probe) load(id string) ports.Record {
	rec, err := p.store.Load(p.ctx, id)
	p.must(err, "Load "+id)
	return rec
}

// holds expects the stored row to be the given one.
func (p *probe) holds(want ports.Row) {
	if d := rowDiff(p.load(want.WorkflowID).Row, want); d != "" {
		p.failf("stored row of %s differs in %s", want.WorkflowID, d)
	}
}

// absent expects no trace of a workflow.
func (p *probe) absent(r ports.Row) {
	_, err := p.store.Load(p.ctx, r.WorkflowID)
	p.wantErr(err, ports.ErrNotFound, "Load of a workflow that was not written")
	_, err = p.store.WorkflowOfSaga(p.ctx, r.SagaID)
	p.wantErr(err, ports.ErrNotFound, "WorkflowOfSaga of a workflow that was not written")
}

// live makes a replica live for longer than the rule lasts.
func (p *probe) live(replica string) {
	p.must(p.store.Renew(p.ctx, replica, longLease), "Renew "+replica)
}

// claim claims for a replica, and checks what holds for every claim.
func (p *probe) claim(replica string, limit int) []ports.Record {
	recs, err := p.store.Claim(p.ctx, replica, limit)
	p.must(err, "Claim for "+replica)
	p.want(len(recs) <= limit, "Claim of up to %d returned %d", limit, len(recs))
	return recs
}

// claims claims until exactly the wanted workflows have come; the store's
// clock or a claim's bystanders may delay them.
func (p *probe) claims(replica string, ids ...string) []ports.Record {
	missing := make(map[string]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	var got []ports.Record
	p.eventually("a claim of "+strings.Join(ids, ", "), func() bool {
		for _, rec := range p.claim(replica, len(ids)+1) {
			id := rec.Row.WorkflowID
			p.want(missing[id], "claim returned %s, which is not to be claimed or was returned before", id)
			delete(missing, id)
			got = append(got, rec)
		}
		return len(missing) == 0
	})
	return got
}

// list gives a page.
func (p *probe) list(q ports.ListQuery) ports.ListPage {
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := p.store.List(p.ctx, q)
	p.must(err, "List")
	p.want(len(page.Rows) <= q.Limit, "List with limit %d gave %d rows", q.Limit, len(page.Rows))
	return page
}

// eventually waits for what only time brings.
func (p *probe) eventually(what string, ok func() bool) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			p.failf("never seen: %s", what)
		}
	}
}

// rowDiff names the members in which two rows differ.
func rowDiff(got, want ports.Row) string { return memberDiff(got, want) }

// memberDiff names the members in which two structs differ; times are compared
// as instants that must be in UTC, JSON byte by byte.
func memberDiff[T any](got, want T) string {
	var diff []string
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		got, want := g.Field(i).Interface(), w.Field(i).Interface()
		if !sameMember(got, want) {
			diff = append(diff, fmt.Sprintf("%s (got %s, want %s)", g.Type().Field(i).Name, shown(got), shown(want)))
		}
	}
	return strings.Join(diff, "; ")
}

func sameMember(got, want any) bool {
	switch w := want.(type) {
	case time.Time:
		return sameTime(got.(time.Time), w)
	case json.RawMessage:
		return bytes.Equal(got.(json.RawMessage), w)
	default:
		return got == want
	}
}

func shown(member any) string {
	if text, ok := member.(json.RawMessage); ok {
		return strconv.Quote(string(text))
	}
	return fmt.Sprint(member)
}

// sameTime reports whether a stored time is the wanted instant, in UTC, and
// zero only if it should be.
func sameTime(got, want time.Time) bool {
	return got.Equal(want) && got.IsZero() == want.IsZero() && got.Location() == time.UTC
}
