package contracttests

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// businessKeyRules: at most one active or COMPLETED workflow of a type has a key.
func businessKeyRules() []StoreRule {
	return []StoreRule{
		rule("Commit: ErrBusinessKeyTaken while an active workflow of the type has the key", activeBlocks),
		rule("Commit: ErrBusinessKeyTaken once a COMPLETED workflow of the type has the key", completedBlocks),
		rule("Commit: a FAILED or CANCELLED workflow frees its business key", endedFrees),
		rule("Commit: a reopened workflow claims its business key again", reopenedBlocks),
		rule("Commit: reopening is refused with ErrBusinessKeyTaken while another has the key", reopeningRefused),
		rule("Commit: business keys of different types are different", keysByType),
		rule("Row: an empty BusinessKey claims none", emptyKey),
		rule("Commit: one of two starts with one business key in a batch wins", keyWithinBatch),
		rule("Loader: BusinessKeyHolder finds the active or COMPLETED workflow", holderFound),
	}
}

// withKey gives a change the business key of the n-th workflow.
func withKey(n int) Edit { return EditRow(func(r *ports.Row) { r.BusinessKey = OrderID(n) }) }

func activeBlocks(p *probe) {
	row := p.start(1, HeldBy("r1"))
	n := 2
	for _, s := range []domain.Status{
		domain.Started, domain.InProgress, domain.Retrying, domain.Compensating, domain.Cancelling, domain.Parked,
	} {
		row = p.next(row, EditRow(func(r *ports.Row) { r.Status = s }))
		p.refused(StartOf(n, withKey(1)), ports.ErrBusinessKeyTaken, fmt.Sprintf("a start beside a %s workflow", s))
		p.absent(StartOf(n).Row)
		n++
	}
}

func completedBlocks(p *probe) {
	p.next(p.start(1), Ends(domain.Completed))
	p.refused(StartOf(2, withKey(1)), ports.ErrBusinessKeyTaken, "a start beside a COMPLETED workflow")
	p.absent(StartOf(2).Row)
}

func endedFrees(p *probe) {
	p.next(p.start(1), Ends(domain.Failed))
	p.next(p.start(2, withKey(1)), Ends(domain.Cancelled))
	p.start(3, withKey(1))
	p.refused(StartOf(4, withKey(1)), ports.ErrBusinessKeyTaken, "a start beside the third holder")
}

// reopen is the edit of a change that opens a new run of an ended workflow.
func reopen(c *ports.Change) {
	c.Row.Status, c.Row.Saga, c.Row.EndedAt = domain.InProgress, domain.SagaActive, time.Time{}
	c.Row.Run++
}

func reopenedBlocks(p *probe) {
	row := p.next(p.start(1), Ends(domain.Failed))
	row = p.next(row, reopen)
	p.refused(StartOf(2, withKey(1)), ports.ErrBusinessKeyTaken, "a start beside a reopened workflow")
	p.holder(1, row.WorkflowID)
	p.want(p.list(ports.ListQuery{ActiveOnly: true}).Total == 1, "a reopened workflow is not in the list of active ones")
	p.next(row, Ends(domain.Failed))
	p.start(2, withKey(1))
}

func reopeningRefused(p *probe) {
	failed := p.next(p.start(1), Ends(domain.Failed))
	second := p.start(2, withKey(1))
	again := NextOf(failed, reopen, costly)
	p.refused(again, ports.ErrBusinessKeyTaken, "reopening beside an active holder")
	p.untouched()
	p.holds(failed)
	second = p.next(second, Ends(domain.Completed))
	p.refused(again, ports.ErrBusinessKeyTaken, "reopening beside a COMPLETED holder")
	p.holds(failed)
	p.holder(1, second.WorkflowID)
	p.next(p.next(second, reopen), Ends(domain.Cancelled))
	p.commit(again)
	p.holder(1, failed.WorkflowID)
}

func keysByType(p *probe) {
	p.start(1)
	other := func(c *ports.Change) { c.Row.Type = "RETURN_PROCESSING" }
	p.start(2, withKey(1), other)
	p.refused(StartOf(3, withKey(1), other), ports.ErrBusinessKeyTaken, "a second start of the other type")
	p.holder(1, WorkflowID(1))
	id, err := p.store.BusinessKeyHolder(p.ctx, "RETURN_PROCESSING", OrderID(1))
	p.want(err == nil && id == WorkflowID(2), "holder of the other type's key is %q, %v", id, err)
}

func emptyKey(p *probe) {
	none := EditRow(func(r *ports.Row) { r.BusinessKey = "" })
	p.starts(0, 3, none)
	p.next(StartOf(0, none).Row, Ends(domain.Completed))
	p.start(3, none)
}

func keyWithinBatch(p *probe) {
	errs := p.try(StartOf(1), StartOf(2, withKey(1), Keyed("scope-2")), StartOf(3))
	p.must(errs[2], "commit of the third change")
	winner, loser := 1, 2
	if errs[0] != nil {
		winner, loser = 2, 1
	}
	p.must(errs[winner-1], "commit of one of two starts with one business key")
	p.wantErr(errs[loser-1], ports.ErrBusinessKeyTaken, "commit of the other start")
	p.absent(StartOf(loser).Row)
	p.holder(1, WorkflowID(winner))
}

// holder expects who has the business key of the n-th workflow.
func (p *probe) holder(n int, want string) {
	id, err := p.store.BusinessKeyHolder(p.ctx, FixtureType, OrderID(n))
	p.must(err, "BusinessKeyHolder")
	p.want(id == want, "business key is held by %s, want %s", id, want)
}

func holderFound(p *probe) {
	row := p.start(1)
	p.start(2)
	p.holder(1, row.WorkflowID)
	done := p.next(row, Ends(domain.Completed))
	p.holder(1, row.WorkflowID)
	p.next(p.next(done, reopen), Ends(domain.Cancelled))
	_, err := p.store.BusinessKeyHolder(p.ctx, FixtureType, OrderID(1))
	p.wantErr(err, ports.ErrNotFound, "BusinessKeyHolder of a CANCELLED workflow's key")
	p.holder(2, WorkflowID(2))
}

// idempotencyRules: a record is written with its change or not at all.
func idempotencyRules() []StoreRule {
	return []StoreRule{
		rule("Loader: Idempotency finds a record by scope", recordFound),
		rule("Commit: ErrIdempotencyKeyTaken when a record with the scope exists", scopeTaken),
		rule("Commit: one of two changes with one idempotency scope in a batch wins", scopeWithinBatch),
		rule("Commit: a repeated start is refused, and its record tells what it did", repeatedStart),
		rule("Loader: PurgeIdempotency removes records made before t whose workflows have ended", purgesOld),
		rule("Loader: PurgeIdempotency removes up to limit and returns how many", purgeLimit),
	}
}

// sameRecord reports whether a stored record is the written one.
func sameRecord(got, want ports.IdempotencyRecord) bool {
	sameAge := sameTime(got.CreatedAt, want.CreatedAt)
	got.CreatedAt, want.CreatedAt = time.Time{}, time.Time{}
	return sameAge && got == want
}

func recordFound(p *probe) {
	first := StartOf(1, Keyed("scope-1"), HeldBy("r1"))
	second := NextOf(first.Row, Keyed("scope-2"))
	second.Idempotency.Fingerprint = `é "quoted"`
	p.commit(first)
	p.commit(second)
	for _, c := range []ports.Change{first, second} {
		got, err := p.store.Idempotency(p.ctx, c.Idempotency.Scope)
		p.must(err, "Idempotency")
		p.want(sameRecord(got, *c.Idempotency), "record is %+v, want %+v", got, *c.Idempotency)
	}
}

func scopeTaken(p *probe) {
	row := p.start(1, HeldBy("r1"), Keyed("scope-1"))
	p.refused(StartOf(2, Keyed("scope-1")), ports.ErrIdempotencyKeyTaken, "a start with a used scope")
	p.refused(NextOf(row, Keyed("scope-1")), ports.ErrIdempotencyKeyTaken, "a change with a used scope")
	p.next(row, Ends(domain.Failed))
	p.refused(StartOf(3, Keyed("scope-1")), ports.ErrIdempotencyKeyTaken, "a start with the scope of an ended workflow")
	p.start(4, Keyed("scope-1 "))
}

func scopeWithinBatch(p *probe) {
	batch := []ports.Change{StartOf(1, Keyed("scope")), StartOf(2, Keyed("scope"))}
	errs := p.try(batch...)
	winner, loser := 0, 1
	if errs[0] != nil {
		winner, loser = 1, 0
	}
	p.must(errs[winner], "commit of one of two changes with one scope")
	p.wantErr(errs[loser], ports.ErrIdempotencyKeyTaken, "commit of the other change")
	p.absent(batch[loser].Row)
	rec, err := p.store.Idempotency(p.ctx, "scope")
	p.want(err == nil && rec.WorkflowID == batch[winner].Row.WorkflowID, "the record tells of %q, %v", rec.WorkflowID, err)
}

// repeatedStart is what a client that saw no answer does: another workflow ID,
// the same business key, the same scope. Either refusal leads to the first.
func repeatedStart(p *probe) {
	p.start(1, Keyed("scope"))
	err := p.try(StartOf(2, withKey(1), Keyed("scope")))[0]
	p.want(errors.Is(err, ports.ErrIdempotencyKeyTaken) || errors.Is(err, ports.ErrBusinessKeyTaken),
		"commit of a repeated start: got error %v", err)
	p.absent(StartOf(2).Row)
	rec, err := p.store.Idempotency(p.ctx, "scope")
	p.want(err == nil && rec.WorkflowID == WorkflowID(1) && rec.Version == 1, "the record tells of %+v, %v", rec, err)
}

// madeAt sets when the idempotency record of a change was made.
func madeAt(t time.Time) Edit { return func(c *ports.Change) { c.Idempotency.CreatedAt = t } }

// purged purges and expects how many records went.
func (p *probe) purged(t time.Time, limit, want int) {
	n, err := p.store.PurgeIdempotency(p.ctx, t, limit)
	p.must(err, "PurgeIdempotency")
	p.want(n == want, "PurgeIdempotency removed %d records, want %d", n, want)
}

func purgesOld(p *probe) {
	cut := Epoch.Add(time.Hour)
	ended := p.start(1, Keyed("old-ended"), madeAt(cut.Add(-time.Millisecond)))
	ended = p.next(ended, Keyed("cut-ended"), madeAt(cut), Ends(domain.Failed))
	active := p.start(2, Keyed("old-active"), madeAt(Epoch))
	p.purged(cut, 100, 1)
	_, err := p.store.Idempotency(p.ctx, "old-ended")
	p.wantErr(err, ports.ErrNotFound, "Idempotency of a purged record")
	for _, scope := range []string{"cut-ended", "old-active"} {
		_, err := p.store.Idempotency(p.ctx, scope)
		p.must(err, "Idempotency of "+scope)
	}
	p.purged(cut, 100, 0)
	p.holds(ended)
	p.start(3, Keyed("old-ended"))
	p.next(active, Ends(domain.Completed))
	p.purged(cut, 100, 1)
}

func purgeLimit(p *probe) {
	const records, limit = 25, 10
	for n := range records {
		p.next(p.start(n, Keyed(OrderID(n))), Ends(domain.Completed))
	}
	later := Epoch.Add(24 * time.Hour)
	for _, want := range []int{limit, limit, records - 2*limit, 0} {
		p.purged(later, limit, want)
	}
}
