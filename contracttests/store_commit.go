package contracttests

import (
	"context"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// commitRules: what a commit that is taken does.
func commitRules() []StoreRule {
	return []StoreRule{
		rule("Commit: all parts of a change are durable when its error is nil", everyPart),
		rule("Commit: what was acknowledged stays, change after change", nothingDropped),
		rule("Commit: returns one error per change, in order", errorsInOrder),
		rule("Commit: an empty batch has no errors", func(p *probe) { p.commit() }),
		rule("Commit: takes MaxBatch changes at once", fullBatch),
		rule("Commit: an ended context leaves each change either written or not", endedContext),
		rule("Change: Row replaces the stored row", rowReplaced),
		rule("Change: Events is empty if there are none", noEvents),
		rule("Record: the encoded event lists in order", eventsInOrder),
		rule("Loader: ErrNotFound where there is none", notFound),
		rule("Loader: WorkflowOfSaga finds the workflow of a saga", workflowOfSaga),
	}
}

func everyPart(p *probe) {
	c := StartOf(1, HeldBy("r1"), Keyed("scope-1"), Counting(ports.CountStarted, "", 1, 0))
	p.commit(c)
	p.holds(c.Row)
	rec := p.load(c.Row.WorkflowID)
	p.want(len(rec.Events) == 1 && string(rec.Events[0]) == string(c.Events),
		"stored events are %q, want %q", rec.Events, c.Events)
	got, err := p.store.Idempotency(p.ctx, "scope-1")
	p.must(err, "Idempotency of a written record")
	p.want(sameRecord(got, *c.Idempotency), "idempotency record is %+v, want %+v", got, *c.Idempotency)
	p.counted(c.Counts...)
	id, err := p.store.WorkflowOfSaga(p.ctx, c.Row.SagaID)
	p.must(err, "WorkflowOfSaga")
	p.want(id == c.Row.WorkflowID, "saga belongs to %s, want %s", id, c.Row.WorkflowID)
	p.want(p.list(ports.ListQuery{}).Total == 1, "the workflow is not in the list")
}

func nothingDropped(p *probe) {
	const workflows, changes = 40, 5
	for n := range workflows {
		row := p.start(n, HeldBy("r1"), Keyed(fmt.Sprint("start-", n)))
		for i := range changes {
			row = p.next(row, Keyed(fmt.Sprintf("next-%d-%d", n, i)))
		}
		p.holds(row)
		p.want(len(p.load(row.WorkflowID).Events) == changes+1,
			"%s has %d event lists of %d", row.WorkflowID, len(p.load(row.WorkflowID).Events), changes+1)
		for i := range changes {
			_, err := p.store.Idempotency(p.ctx, fmt.Sprintf("next-%d-%d", n, i))
			p.must(err, "Idempotency of an acknowledged change")
		}
	}
	p.want(p.list(ports.ListQuery{ActiveOnly: true}).Total == workflows, "not every workflow is in the list")
}

func errorsInOrder(p *probe) {
	p.start(1)
	p.start(3)
	stale := NextOf(StartOf(1).Row)
	stale.Expected = 7
	errs := p.try(StartOf(0), stale, StartOf(2), StartOf(3), NextOf(StartOf(4).Row))
	for i, refused := range []bool{false, true, false, true, true} {
		if refused {
			p.wantErr(errs[i], ports.ErrConflict, fmt.Sprintf("error %d of the batch", i))
		} else {
			p.must(errs[i], fmt.Sprintf("error %d of the batch", i))
		}
	}
}

func fullBatch(p *probe) {
	batch := make([]ports.Change, ports.MaxBatch)
	for n := range batch {
		batch[n] = StartOf(n, HeldBy("r1"), Keyed(fmt.Sprint("scope-", n)), Counting(ports.CountStarted, "", 1, 0))
	}
	p.commit(batch...)
	for n := range batch {
		batch[n] = NextOf(batch[n].Row, Counting(ports.CountStepCompleted, fmt.Sprint("STEP_", n), 1, 5))
	}
	p.commit(batch...)
	for n := range batch {
		p.holds(batch[n].Row)
		p.want(len(p.load(batch[n].Row.WorkflowID).Events) == 2, "workflow %d lacks events", n)
	}
	p.want(p.sum(ports.CountStarted).N == ports.MaxBatch, "the batch counted %d starts", p.sum(ports.CountStarted).N)
	p.want(p.sum(ports.CountStepCompleted).N == ports.MaxBatch, "the batch counted %d steps", p.sum(ports.CountStepCompleted).N)
}

func endedContext(p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	batch := []ports.Change{StartOf(1, Keyed("scope-1")), StartOf(2, Keyed("scope-2"))}
	errs := p.store.Commit(ctx, batch)
	p.want(len(errs) == len(batch), "Commit of %d changes gave %d errors", len(batch), len(errs))
	for i, c := range batch {
		rec, err := p.store.Load(p.ctx, c.Row.WorkflowID)
		_, keyErr := p.store.Idempotency(p.ctx, c.Idempotency.Scope)
		p.want((err == nil) == (keyErr == nil), "change %d is half written: row %v, record %v", i, err, keyErr)
		p.want(err == nil || errs[i] != nil, "change %d was acknowledged and is not there", i)
		p.want(err != nil || len(rec.Events) == 1, "change %d was written without its events", i)
	}
}

// rowReplaced alters what can change after the start; what a workflow is (its
// saga, type, template, keys, customer, metadata and start) never does.
func rowReplaced(p *probe) {
	before := p.start(1, HeldBy("r1"))
	p.start(2)
	after := p.next(before, EditRow(func(r *ports.Row) {
		r.Status, r.Saga = domain.Compensating, domain.SagaCompensating
		r.CurrentStep, r.SettledSteps, r.TotalSteps, r.ErrorCode = "PAYMENT_PROCESSING", 2, 4, "PAYMENT_DECLINED"
		r.Run = 2
		r.Owner, r.DueAt, r.WakeAt = "", Epoch.AddDate(10, 0, 0), Epoch.AddDate(11, 0, 0)
	}))
	p.holds(after)
	p.want(len(p.load(after.WorkflowID).Events) == 2, "the events before are gone")
	p.holds(StartOf(2).Row)
	p.want(p.list(ports.ListQuery{Step: "PAYMENT_PROCESSING", ErrorCode: "PAYMENT_DECLINED"}).Total == 1,
		"lists do not see the new row")
	p.want(p.list(ports.ListQuery{Step: before.CurrentStep}).Total == 1, "lists still see the old row")
	ended := p.next(after, Ends(domain.Failed))
	p.holds(ended)
	p.holds(p.next(ended, HeldBy("r2"), EditRow(func(r *ports.Row) { r.ErrorCode, r.EndedAt = "", time.Time{} })))
}

func noEvents(p *probe) {
	row := p.start(1, HeldBy("r1"))
	handover := ports.Change{Expected: row.Version, Holder: row.Owner, Row: row}
	handover.Row.Owner, handover.Row.DueAt = "", Epoch
	p.commit(handover)
	p.holds(handover.Row)
	p.want(len(p.load(row.WorkflowID).Events) == 1, "a change without events added an event list")
}

func eventsInOrder(p *probe) {
	const versions = 30
	first, second := p.start(1, HeldBy("r1")), p.start(2, HeldBy("r1"))
	for range versions - 1 {
		a, b := NextOf(first), NextOf(second)
		p.commit(a, b)
		first, second = a.Row, b.Row
	}
	for _, id := range []string{first.WorkflowID, second.WorkflowID} {
		events := p.load(id).Events
		p.want(len(events) == versions, "%s has %d event lists, want %d", id, len(events), versions)
		for i, e := range events {
			p.want(string(e) == string(eventsOf(id, i+1)), "event list %d of %s is %s", i+1, id, e)
		}
	}
}

func notFound(p *probe) {
	p.start(1)
	_, err := p.store.Load(p.ctx, WorkflowID(2))
	p.wantErr(err, ports.ErrNotFound, "Load")
	_, err = p.store.WorkflowOfSaga(p.ctx, SagaID(2))
	p.wantErr(err, ports.ErrNotFound, "WorkflowOfSaga")
	_, err = p.store.BusinessKeyHolder(p.ctx, FixtureType, OrderID(2))
	p.wantErr(err, ports.ErrNotFound, "BusinessKeyHolder")
	_, err = p.store.BusinessKeyHolder(p.ctx, FixtureType, "")
	p.wantErr(err, ports.ErrNotFound, "BusinessKeyHolder of no key")
	_, err = p.store.Idempotency(p.ctx, "scope-2")
	p.wantErr(err, ports.ErrNotFound, "Idempotency")
}

func workflowOfSaga(p *probe) {
	p.starts(0, 3)
	ended := NextOf(StartOf(1).Row, Ends(domain.Failed))
	p.commit(ended)
	for n := range 3 {
		id, err := p.store.WorkflowOfSaga(p.ctx, SagaID(n))
		p.must(err, "WorkflowOfSaga")
		p.want(id == WorkflowID(n), "saga %d belongs to %s", n, id)
	}
}
