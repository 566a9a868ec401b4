package contracttests

import (
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// conflictRules: when a commit is refused, and what a refusal leaves.
func conflictRules() []StoreRule {
	return []StoreRule{
		rule("Commit: refused with ErrConflict unless the stored version is Expected", versionFence),
		rule("Commit: refused with ErrConflict unless the stored owner is Holder", holderFence),
		rule("Commit: a start is refused with ErrConflict if its workflow exists", startTwice),
		rule("Commit: a change of a workflow that does not exist is refused with ErrConflict", changeOfNothing),
		rule("Commit: no part is visible when the error is ErrConflict", conflictLeavesNothing),
		rule("Commit: no part is visible when the error is ErrBusinessKeyTaken", takenKeyLeavesNothing),
		rule("Commit: no part is visible when the error is ErrIdempotencyKeyTaken", takenScopeLeavesNothing),
		rule("Commit: a refusal leaves the others of the batch committed", othersCommitted),
	}
}

func versionFence(p *probe) {
	row := p.start(1, HeldBy("r1"))
	row = p.next(row)
	for _, expected := range []int{1, 3, 4} {
		c := NextOf(row)
		c.Expected, c.Row.Version = expected, expected+1
		p.refused(c, ports.ErrConflict, "a change decided on another version")
	}
	p.holds(row)
	p.next(row)
}

func holderFence(p *probe) {
	held := p.start(1, HeldBy("r1"))
	free := p.start(2)
	for _, holder := range []string{"", "r2", "R1"} {
		c := NextOf(held)
		c.Holder = holder
		p.refused(c, ports.ErrConflict, "a change whose maker saw another holder")
	}
	c := NextOf(free)
	c.Holder = "r1"
	p.refused(c, ports.ErrConflict, "a change whose maker saw a holder where nobody is")
	p.holds(held)
	p.holds(free)
	p.next(held)
	p.next(free, HeldBy("r2"))
}

func startTwice(p *probe) {
	row := p.start(1)
	other := StartOf(1, EditRow(func(r *ports.Row) { r.BusinessKey, r.SagaID = "", SagaID(9) }))
	p.refused(other, ports.ErrConflict, "a start whose workflow exists")
	other.Holder = "r1"
	p.refused(other, ports.ErrConflict, "a start whose workflow exists")
	p.holds(row)
	ended := p.next(row, Ends(domain.Cancelled))
	p.refused(other, ports.ErrConflict, "a start whose workflow has ended")
	p.holds(ended)
}

func changeOfNothing(p *probe) {
	c := NextOf(StartOf(1).Row)
	p.refused(c, ports.ErrConflict, "a change of a workflow that does not exist")
	p.absent(c.Row)
}

// costly gives a change every part that a refusal must not leave behind.
func costly(c *ports.Change) {
	c.Row.CustomerID = "cust-refused"
	Keyed("refused")(c)
	Counting(ports.CountCompleted, "", 1, time.Second)(c)
}

// untouched expects nothing of a costly change to be there.
func (p *probe) untouched() {
	_, err := p.store.Idempotency(p.ctx, "refused")
	p.wantErr(err, ports.ErrNotFound, "Idempotency of a refused change")
	p.want(p.sum(ports.CountCompleted).N == 0, "counts of a refused change were added")
	p.want(p.list(ports.ListQuery{CustomerID: "cust-refused"}).Total == 0, "the row of a refused change is in lists")
}

func conflictLeavesNothing(p *probe) {
	row := p.next(p.start(1, HeldBy("r1")))
	stale := NextOf(row, costly, EditRow(func(r *ports.Row) { r.BusinessKey = "ord-refused" }))
	stale.Expected = 1
	p.refused(stale, ports.ErrConflict, "a stale change")
	foreign := NextOf(row, costly, EditRow(func(r *ports.Row) { r.BusinessKey = "ord-refused" }))
	foreign.Holder = "r2"
	p.refused(foreign, ports.ErrConflict, "a change by another holder")
	p.refused(StartOf(1, costly), ports.ErrConflict, "a second start")
	p.untouched()
	p.holds(row)
	p.want(len(p.load(row.WorkflowID).Events) == 2, "events of a refused change are stored")
	_, err := p.store.BusinessKeyHolder(p.ctx, FixtureType, "ord-refused")
	p.wantErr(err, ports.ErrNotFound, "BusinessKeyHolder of a refused change")
}

func takenKeyLeavesNothing(p *probe) {
	p.start(1)
	c := StartOf(2, costly, EditRow(func(r *ports.Row) { r.BusinessKey = OrderID(1) }))
	p.refused(c, ports.ErrBusinessKeyTaken, "a start with a taken business key")
	p.untouched()
	p.absent(c.Row)
	p.commit(StartOf(2))
}

func takenScopeLeavesNothing(p *probe) {
	row := p.start(1, HeldBy("r1"), Keyed("scope-1"))
	rec, err := p.store.Idempotency(p.ctx, "scope-1")
	p.must(err, "Idempotency")

	start := StartOf(2, costly, Keyed("scope-1"))
	p.refused(start, ports.ErrIdempotencyKeyTaken, "a start with a used idempotency key")
	next := NextOf(row, costly, Keyed("scope-1"))
	p.refused(next, ports.ErrIdempotencyKeyTaken, "a change with a used idempotency key")
	p.untouched()
	p.absent(start.Row)
	p.holds(row)
	p.want(len(p.load(row.WorkflowID).Events) == 1, "events of a refused change are stored")
	_, err = p.store.BusinessKeyHolder(p.ctx, FixtureType, OrderID(2))
	p.wantErr(err, ports.ErrNotFound, "BusinessKeyHolder of a refused change")
	now, err := p.store.Idempotency(p.ctx, "scope-1")
	p.want(err == nil && sameRecord(now, rec), "the record became %+v, %v", now, err)
}

func othersCommitted(p *probe) {
	first := p.start(1, HeldBy("r1"))
	p.start(2, Keyed("scope-2"))
	stale := NextOf(first)
	stale.Holder = "r2"
	batch := []ports.Change{
		StartOf(10, Keyed("scope-10"), Counting(ports.CountStarted, "", 1, 0)),
		stale,
		StartOf(11, EditRow(func(r *ports.Row) { r.BusinessKey = OrderID(1) })),
		NextOf(StartOf(2).Row, Counting(ports.CountStarted, "", 1, 0)),
		StartOf(12, Keyed("scope-2")),
		StartOf(13, Counting(ports.CountStarted, "", 1, 0)),
	}
	errs := p.try(batch...)
	wanted := []error{nil, ports.ErrConflict, ports.ErrBusinessKeyTaken, nil, ports.ErrIdempotencyKeyTaken, nil}
	for i, err := range errs {
		if wanted[i] == nil {
			p.must(err, "commit of a good change beside refused ones")
			p.holds(batch[i].Row)
		} else {
			p.wantErr(err, wanted[i], "commit of a bad change beside good ones")
		}
	}
	p.holds(first)
	p.absent(batch[2].Row)
	p.absent(batch[4].Row)
	_, err := p.store.Idempotency(p.ctx, "scope-10")
	p.must(err, "Idempotency of a change beside refused ones")
	p.want(p.sum(ports.CountStarted).N == 3, "counted %d of 3 changes beside refused ones", p.sum(ports.CountStarted).N)
}
