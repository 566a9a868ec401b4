package contracttests

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// batchRules: what a batch is and how it is found.
func batchRules() []StoreRule {
	return []StoreRule{
		rule("CreateBatch: keeps a batch and its workflows, in order", batchKept),
		rule("CreateBatch: writes its audit entry with it", batchAudited),
		rule("CreateBatch: it is RUNNING, with as many items as there are workflows, whatever b says of that", batchBegins),
		rule("CreateBatch: without any workflows it is COMPLETED at once", emptyBatch),
		rule("CreateBatch: takes MaxBatchItems workflows, no more, none twice", batchSize),
		rule("CreateBatch: ErrConflict if there is one with this ID, which stays as it is", batchTaken),
		rule("CreateBatch: ErrOverloaded if MaxRunningBatches are unfinished", batchOverload),
		rule("CreateBatch: of concurrent ones no more than MaxRunningBatches are kept", batchRace),
		rule("Batches: ErrNotFound where there is none", batchMissing),
		rule("ListBatches: pages through batches, newest first", batchesListed),
		rule("BatchItems: pages through the items of a batch, in order", itemsPaged),
		rule("CancelBatch: ends a RUNNING batch, with the audit entry", batchCancelled),
		rule("CancelBatch: one that has ended stays as it is, and nothing is written", endedNotCancelled),
	}
}

// batchID is the ID of the n-th batch.
func batchID(n int) string { return fmt.Sprintf("bat-01947a3c-0000-7000-8000-%012x", n) }

// batchOf is the n-th batch as it is before anything is done, made n seconds after Epoch.
func batchOf(n, items int) ports.Batch {
	return ports.Batch{
		ID: batchID(n), Action: "CANCEL", Reason: "recall", Request: json.RawMessage(`{"reason":"recall"}`),
		Filter: json.RawMessage(`{"status":"PARKED"}`), PerSecond: 10, CreatedBy: "admin-1", Role: "admin",
		CreatedAt: Epoch.Add(time.Duration(n) * time.Second), Status: ports.BatchRunning, Total: items,
	}
}

// workflowIDs are those of workflows from..to-1.
func workflowIDs(from, to int) []string {
	ids := make([]string, 0, to-from)
	for n := from; n < to; n++ {
		ids = append(ids, WorkflowID(n))
	}
	return ids
}

// newBatch creates the n-th batch with workflows 0..items-1.
func (p *probe) newBatch(n, items int) ports.Batch {
	b := batchOf(n, items)
	p.must(p.store.CreateBatch(p.ctx, b, workflowIDs(0, items), nil), "CreateBatch")
	return b
}

// batch expects the stored batch to be the given one.
func (p *probe) batch(want ports.Batch) {
	got, err := p.store.Batch(p.ctx, want.ID)
	p.must(err, "Batch")
	d := memberDiff(got, want)
	p.want(d == "", "batch %s differs in %s", want.ID, d)
}

// items gives a page of items.
func (p *probe) items(id string, offset, limit int) []ports.BatchItem {
	items, err := p.store.BatchItems(p.ctx, id, offset, limit)
	p.must(err, "BatchItems")
	return items
}

func (p *probe) sameItems(what string, got, want []ports.BatchItem) {
	p.want(len(got) == len(want), "%s: %d items, want %d", what, len(got), len(want))
	for i := range want {
		d := memberDiff(got[i], want[i])
		p.want(d == "", "%s: item %d differs in %s", what, i, d)
	}
}

// fresh are items without results.
func fresh(ids ...string) []ports.BatchItem {
	items := make([]ports.BatchItem, len(ids))
	for i, id := range ids {
		items[i].WorkflowID = id
	}
	return items
}

func batchKept(p *probe) {
	text := `ünï "q" 'q' \ % _ $1 ? 日本語 🚚`
	b := batchOf(1, 4)
	b.Reason, b.CreatedBy, b.Action, b.Role, b.PerSecond = text, text, "COMPENSATE", "service", 250
	b.Request, b.Filter = json.RawMessage(`{"b":1,"a":1.10, "t":"é"}`), json.RawMessage(`{ }`)
	ids := []string{WorkflowID(7), WorkflowID(3), text, WorkflowID(5)}
	want := slices.Clone(ids)
	p.must(p.store.CreateBatch(p.ctx, b, ids, nil), "CreateBatch")
	stored := b
	stored.Request, stored.Filter = slices.Clone(b.Request), slices.Clone(b.Filter)
	scribble(b.Request)
	scribble(b.Filter)
	clear(ids)
	p.batch(stored)
	p.sameItems("a new batch", p.items(b.ID, 0, 100), fresh(want...))
	bare := ports.Batch{ID: batchID(2), CreatedAt: Epoch.In(time.FixedZone("UTC+9", 9*60*60)), Status: ports.BatchRunning, Total: 1}
	p.must(p.store.CreateBatch(p.ctx, bare, workflowIDs(0, 1), nil), "CreateBatch of a bare batch")
	p.batch(bare)
}

func batchAudited(p *probe) {
	p.newBatch(1, 2)
	p.audited("a batch without an entry")
	entry := AuditOf(1)
	p.must(p.store.CreateBatch(p.ctx, batchOf(2, 2), workflowIDs(0, 2), &entry), "CreateBatch")
	p.audited("a batch", AuditOf(1))
	for n := 3; n <= ports.MaxRunningBatches; n++ {
		p.newBatch(n, 1)
	}
	refused := AuditOf(2)
	p.wantErr(p.store.CreateBatch(p.ctx, batchOf(99, 1), workflowIDs(0, 1), &refused), ports.ErrOverloaded, "one batch more")
	p.audited("a batch that was refused", AuditOf(1))
}

func batchBegins(p *probe) {
	b := batchOf(1, 3)
	b.Status, b.Total, b.Succeeded, b.Failed, b.EndedAt = ports.BatchCancelled, 99, 5, 6, Epoch
	p.must(p.store.CreateBatch(p.ctx, b, workflowIDs(0, 3), nil), "CreateBatch")
	p.batch(batchOf(1, 3))
}

func emptyBatch(p *probe) {
	for n := range ports.MaxRunningBatches + 1 {
		p.must(p.store.CreateBatch(p.ctx, batchOf(n, 0), nil, nil), "CreateBatch of nothing")
	}
	want := batchOf(1, 0)
	want.Status, want.EndedAt = ports.BatchCompleted, want.CreatedAt
	p.batch(want)
	p.live("r1")
	_, err := p.store.ClaimBatch(p.ctx, "r1")
	p.wantErr(err, ports.ErrNotFound, "ClaimBatch with nothing to do")
}

func batchSize(p *probe) {
	p.want(p.store.CreateBatch(p.ctx, batchOf(1, 0), workflowIDs(0, ports.MaxBatchItems+1), nil) != nil, "a batch of more than MaxBatchItems is taken")
	p.want(p.store.CreateBatch(p.ctx, batchOf(1, 0), []string{WorkflowID(1), WorkflowID(2), WorkflowID(1)}, nil) != nil, "a batch with one workflow twice is taken")
	_, err := p.store.Batch(p.ctx, batchID(1))
	p.wantErr(err, ports.ErrNotFound, "Batch that was not taken")
	b := p.newBatch(1, ports.MaxBatchItems)
	p.batch(b)
	last := p.items(b.ID, ports.MaxBatchItems-1, 10)
	p.sameItems("the last of many", last, fresh(WorkflowID(ports.MaxBatchItems-1)))
}

func batchTaken(p *probe) {
	b := p.newBatch(1, 2)
	entry := AuditOf(1)
	other := batchOf(1, 3)
	other.Action, other.Reason = "RETRY", "another"
	p.wantErr(p.store.CreateBatch(p.ctx, other, workflowIDs(5, 8), &entry), ports.ErrConflict, "CreateBatch with the ID of another")
	p.wantErr(p.store.CreateBatch(p.ctx, other, nil, &entry), ports.ErrConflict, "CreateBatch of nothing with the ID of another")
	p.batch(b)
	p.sameItems("a batch whose ID came again", p.items(b.ID, 0, 10), fresh(workflowIDs(0, 2)...))
	p.audited("a batch whose ID came again")
	errs := make([]error, racers)
	together(racers, func(i int) {
		errs[i] = p.store.CreateBatch(p.ctx, batchOf(2, 1), workflowIDs(i, i+1), nil)
	})
	kept := 0
	for _, err := range errs {
		if err == nil {
			kept++
			continue
		}
		p.wantErr(err, ports.ErrConflict, "a concurrent CreateBatch with one ID")
	}
	p.want(kept == 1, "%d of %d concurrent batches with one ID were kept, want 1", kept, racers)
	p.want(len(p.items(batchID(2), 0, 10)) == 1, "the batch does not have the items of one of them")
}

func batchOverload(p *probe) {
	for n := range ports.MaxRunningBatches {
		p.newBatch(n, 2)
	}
	refused := func(n int) {
		p.wantErr(p.store.CreateBatch(p.ctx, batchOf(n, 1), workflowIDs(0, 1), nil), ports.ErrOverloaded, "CreateBatch beside MaxRunningBatches")
		_, err := p.store.Batch(p.ctx, batchID(n))
		p.wantErr(err, ports.ErrNotFound, "Batch that was refused")
	}
	refused(100)
	_, err := p.store.CancelBatch(p.ctx, batchID(3), Epoch, nil)
	p.must(err, "CancelBatch")
	p.newBatch(101, 1)
	refused(102)
	b := p.hold("r1")
	p.done("r1", b.ID, Epoch, true, b.Total)
	p.newBatch(103, 1)
	refused(104)
}

func batchRace(p *probe) {
	const tries = 2 * ports.MaxRunningBatches
	errs := make([]error, tries)
	together(tries, func(i int) {
		errs[i] = p.store.CreateBatch(p.ctx, batchOf(i, 3), workflowIDs(0, 3), nil)
	})
	kept := 0
	for i, err := range errs {
		if err == nil {
			kept++
			p.sameItems("a batch that was taken", p.items(batchID(i), 0, 10), fresh(workflowIDs(0, 3)...))
			continue
		}
		p.wantErr(err, ports.ErrOverloaded, "a concurrent CreateBatch")
	}
	p.want(kept == ports.MaxRunningBatches, "%d concurrent batches were kept, want %d", kept, ports.MaxRunningBatches)
	_, total, err := p.store.ListBatches(p.ctx, 0, 100)
	p.want(err == nil && total == kept, "%d batches are listed, %v", total, err)
}

func batchMissing(p *probe) {
	p.newBatch(1, 1)
	_, err := p.store.Batch(p.ctx, batchID(2))
	p.wantErr(err, ports.ErrNotFound, "Batch")
	_, err = p.store.BatchItems(p.ctx, batchID(2), 0, 10)
	p.wantErr(err, ports.ErrNotFound, "BatchItems")
	entry := AuditOf(1)
	_, err = p.store.CancelBatch(p.ctx, batchID(2), Epoch, &entry)
	p.wantErr(err, ports.ErrNotFound, "CancelBatch")
	p.audited("a batch that is not there")
}

func batchesListed(p *probe) {
	list := func(offset, limit int) ([]ports.Batch, int) {
		got, total, err := p.store.ListBatches(p.ctx, offset, limit)
		p.must(err, "ListBatches")
		return got, total
	}
	got, total := list(0, 10)
	p.want(len(got) == 0 && total == 0, "an empty store lists %d batches of %d", len(got), total)
	const batches = 13
	var want []ports.Batch
	for _, n := range []int{5, 0, 12, 7, 3, 9, 1, 11, 2, 10, 4, 8, 6} {
		b := batchOf(n, 1)
		b.CreatedAt = Epoch.Add(time.Duration(n/2) * time.Hour) // two at a time
		p.must(p.store.CreateBatch(p.ctx, b, workflowIDs(0, 1), nil), "CreateBatch")
		want = append(want, b)
	}
	slices.SortFunc(want, func(a, b ports.Batch) int { return strings.Compare(b.ID, a.ID) })
	for offset := 0; offset < 20; offset += 5 {
		got, total := list(offset, 5)
		part := want[min(offset, batches):min(offset+5, batches)]
		p.want(total == batches && len(got) == len(part), "at offset %d there are %d batches of %d", offset, len(got), total)
		for i := range part {
			d := memberDiff(got[i], part[i])
			p.want(d == "", "batch %d at offset %d differs in %s", i, offset, d)
		}
	}
}

func itemsPaged(p *probe) {
	ids := workflowIDs(0, 25)
	slices.Reverse(ids)
	p.must(p.store.CreateBatch(p.ctx, batchOf(1, 25), ids, nil), "CreateBatch")
	p.newBatch(2, 7)
	for _, f := range []struct{ offset, limit int }{{0, 10}, {10, 10}, {20, 10}, {24, 1}, {30, 5}} {
		want := ids[min(f.offset, 25):min(f.offset+f.limit, 25)]
		p.sameItems(fmt.Sprintf("%d items from %d", f.limit, f.offset), p.items(batchID(1), f.offset, f.limit), fresh(want...))
	}
}

func batchCancelled(p *probe) {
	p.newBatch(1, 3)
	p.newBatch(2, 3)
	entry := AuditOf(1)
	at := Epoch.Add(time.Hour)
	got, err := p.store.CancelBatch(p.ctx, batchID(1), at, &entry)
	p.must(err, "CancelBatch")
	want := batchOf(1, 3)
	want.Status, want.EndedAt = ports.BatchCancelled, at
	d := memberDiff(got, want)
	p.want(d == "", "CancelBatch gives a batch that differs in %s", d)
	p.batch(want)
	p.batch(batchOf(2, 3))
	p.audited("a batch cancelled", AuditOf(1))
	p.sameItems("a cancelled batch", p.items(batchID(1), 0, 10), fresh(workflowIDs(0, 3)...))
	_, err = p.store.CancelBatch(p.ctx, batchID(2), at, nil)
	p.must(err, "CancelBatch without an entry")
	p.audited("a batch cancelled by nobody", AuditOf(1))
}

func endedNotCancelled(p *probe) {
	cancelled := p.newBatch(1, 3)
	_, err := p.store.CancelBatch(p.ctx, cancelled.ID, Epoch.Add(time.Hour), nil)
	p.must(err, "CancelBatch")
	completed := p.newBatch(2, 1)
	p.hold("r1")
	p.done("r1", completed.ID, Epoch.Add(time.Hour), true, 1)
	for _, id := range []string{cancelled.ID, completed.ID} {
		before, err := p.store.Batch(p.ctx, id)
		p.must(err, "Batch")
		entry := AuditOf(1)
		got, err := p.store.CancelBatch(p.ctx, id, Epoch.Add(2*time.Hour), &entry)
		p.must(err, "CancelBatch of an ended batch")
		d := memberDiff(got, before)
		p.want(d == "", "CancelBatch changed a %s batch in %s", before.Status, d)
		p.batch(before)
	}
	p.audited("nothing cancelled")
}

// hold makes a replica live and claims a batch for it.
func (p *probe) hold(replica string) ports.Batch {
	p.live(replica)
	b, err := p.store.ClaimBatch(p.ctx, replica)
	p.must(err, "ClaimBatch for "+replica)
	return b
}

// none expects that there is no batch to be claimed.
func (p *probe) none(replica, why string) {
	b, err := p.store.ClaimBatch(p.ctx, replica)
	p.want(errors.Is(err, ports.ErrNotFound), "ClaimBatch for %s gives %s, %v: %s", replica, b.ID, err, why)
}
