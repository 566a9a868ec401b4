package contracttests

import (
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// keepAll writes one of everything that administration keeps.
func keepAll(p *probe) {
	p.next(p.start(1, HeldBy("r1"), Audited(1)), Audited(2))
	entry := AuditOf(3)
	p.must(p.store.CreateBatch(p.ctx, batchOf(1, 3), workflowIDs(0, 3), &entry), "CreateBatch")
	b := p.hold("r1")
	p.done("r1", b.ID, Epoch, true, 1)
	p.newBatch(2, 2)
	_, err := p.store.CancelBatch(p.ctx, batchID(2), Epoch.Add(time.Hour), nil)
	p.must(err, "CancelBatch")
	p.leased("k", 10, 7, 7, 3)
	p.agree("name", "first", "first")
}

func findAll(p *probe) {
	p.audited("what was written before", AuditOf(3), AuditOf(2), AuditOf(1))
	running, cancelled := batchOf(1, 3), batchOf(2, 2)
	running.Succeeded = 1
	cancelled.Status, cancelled.EndedAt = ports.BatchCancelled, Epoch.Add(time.Hour)
	p.batch(running)
	p.batch(cancelled)
	p.live("r2")
	p.none("r2", "r1 holds it and its lease has not run out")
	p.sameItems("what is left", p.nextItems("r1", running.ID, 10), fresh(workflowIDs(1, 3)...))
	p.leased("k", 10, 7, 3, 0)
	p.agree("name", "second", "first")
}
