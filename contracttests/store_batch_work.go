package contracttests

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// batchWorkRules: how the items of a batch are worked off.
func batchWorkRules() []StoreRule {
	return []StoreRule{
		rule("ClaimBatch: hands the oldest unfinished batch that nobody holds to a replica", claimsBatch),
		rule("ClaimBatch: a batch whose holder is live is left alone", leavesHeldBatch),
		rule("ClaimBatch: takes over a batch whose holder's lease has run out", takesLapsedBatch),
		rule("ClaimBatch: ErrNotFound if there is none; a batch that has ended is none", claimsNoEndedBatch),
		rule("ClaimBatch: no two concurrent claims return the same batch", claimsBatchOnce),
		rule("Release: gives up every batch the replica keeps", releasesBatches),
		rule("NextItems: up to limit items of a batch without a result, in order, for its holder", nextInOrder),
		rule("NextItems: none once the batch has ended", nextOfEnded),
		rule("NextItems: ErrConflict for anybody but the holder", nextForHolder),
		rule("SettleItems: records results and counts them", resultsKept),
		rule("SettleItems: when every item has a result the batch is COMPLETED at the time of the last", completesBatch),
		rule("SettleItems: ErrConflict unless the replica holds the batch", settleForHolder),
		rule("SettleItems: an item that has a result keeps it; what is no item is passed over", resultsStay),
		rule("SettleItems: what was under way when the batch was cancelled is recorded, and it stays CANCELLED", resultsAfterCancel),
		rule("SettleItems: of concurrent results of one item one is counted", resultsCountedOnce),
	}
}

// done records results for up to so many items of a batch.
func (p *probe) done(replica, id string, at time.Time, succeeded bool, limit int) []ports.BatchItem {
	items := p.nextItems(replica, id, limit)
	for i := range items {
		items[i].Done, items[i].Succeeded, items[i].At = true, succeeded, at
		if !succeeded {
			items[i].Code, items[i].Message = "INVALID_WORKFLOW_STATE", "workflow is COMPLETED"
		}
	}
	p.must(p.store.SettleItems(p.ctx, id, replica, items), "SettleItems")
	return items
}

func (p *probe) nextItems(replica, id string, limit int) []ports.BatchItem {
	items, err := p.store.NextItems(p.ctx, id, replica, limit)
	p.must(err, "NextItems")
	p.want(len(items) <= limit, "NextItems of up to %d gave %d", limit, len(items))
	return items
}

func claimsBatch(p *probe) {
	p.live("r1")
	p.none("r1", "the store is empty")
	want := map[int]ports.Batch{}
	for _, n := range []int{2, 3, 1} {
		want[n] = p.newBatch(n, 2)
	}
	for n := 1; n <= 3; n++ {
		b := p.hold("r1")
		d := memberDiff(b, want[n])
		p.want(d == "", "the claimed batch differs from the oldest in %s", d)
	}
	p.none("r1", "all are held")
}

func leavesHeldBatch(p *probe) {
	p.newBatch(1, 2)
	b := p.hold("r1")
	p.live("r2")
	p.none("r2", "r1 holds it and is live")
	p.none("r1", "r1 holds it already")
	p.nextItems("r1", b.ID, 1)
}

func takesLapsedBatch(p *probe) {
	p.newBatch(1, 2)
	p.live("r2")
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	b, err := p.store.ClaimBatch(p.ctx, "r1")
	p.must(err, "ClaimBatch")
	p.done("r1", b.ID, Epoch, true, 1)
	p.eventually("a batch of a lapsed holder", func() bool {
		b, err = p.store.ClaimBatch(p.ctx, "r2")
		p.want(err == nil || errors.Is(err, ports.ErrNotFound), "ClaimBatch: %v", err)
		return err == nil
	})
	p.want(b.Succeeded == 1, "the claimed batch counts %d results, want 1", b.Succeeded)
	p.sameItems("after a takeover", p.nextItems("r2", b.ID, 10), fresh(WorkflowID(1)))
}

func claimsNoEndedBatch(p *probe) {
	cancelled, completed := p.newBatch(1, 1), p.newBatch(2, 1)
	_, err := p.store.CancelBatch(p.ctx, cancelled.ID, Epoch, nil)
	p.must(err, "CancelBatch")
	p.hold("r1")
	p.done("r1", completed.ID, Epoch, true, 1)
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.live("r2")
	p.none("r2", "both have ended")
}

func claimsBatchOnce(p *probe) {
	for n := range ports.MaxRunningBatches {
		p.newBatch(n, 1)
	}
	holders := map[string]int{}
	got := make([]ports.Batch, racers)
	errs := make([]error, racers)
	for i := range racers {
		p.live(fmt.Sprint("r", i))
	}
	p.eventually("all batches by concurrent claims", func() bool {
		together(racers, func(i int) { got[i], errs[i] = p.store.ClaimBatch(p.ctx, fmt.Sprint("r", i)) })
		for i := range got {
			if errors.Is(errs[i], ports.ErrNotFound) {
				continue
			}
			p.must(errs[i], "a concurrent ClaimBatch")
			other, twice := holders[got[i].ID]
			p.want(!twice, "batch %s was claimed by r%d and r%d", got[i].ID, other, i)
			holders[got[i].ID] = i
		}
		return len(holders) == ports.MaxRunningBatches
	})
	for id, i := range holders {
		p.nextItems(fmt.Sprint("r", i), id, 1)
	}
}

func releasesBatches(p *probe) {
	p.newBatch(1, 2)
	p.newBatch(2, 2)
	first, second := p.hold("r1"), p.hold("r2")
	p.done("r1", first.ID, Epoch, true, 1)
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.live("r1")
	_, err := p.store.NextItems(p.ctx, first.ID, "r1", 1)
	p.wantErr(err, ports.ErrConflict, "NextItems of a batch given up")
	p.nextItems("r2", second.ID, 1)
	taken := p.hold("r3")
	p.want(taken.ID == first.ID && taken.Succeeded == 1, "claimed is %s with %d results", taken.ID, taken.Succeeded)
	p.none("r3", "r2 holds the other")
}

func nextInOrder(p *probe) {
	b := p.newBatch(1, 10)
	p.hold("r1")
	p.sameItems("the first", p.nextItems("r1", b.ID, 3), fresh(workflowIDs(0, 3)...))
	p.sameItems("asked again", p.nextItems("r1", b.ID, 3), fresh(workflowIDs(0, 3)...))
	item := fresh(WorkflowID(1))
	item[0].Done, item[0].At = true, Epoch
	p.must(p.store.SettleItems(p.ctx, b.ID, "r1", item), "SettleItems")
	p.sameItems("after the second has its result", p.nextItems("r1", b.ID, 3), fresh(WorkflowID(0), WorkflowID(2), WorkflowID(3)))
	p.done("r1", b.ID, Epoch, true, 3)
	p.sameItems("all that are left", p.nextItems("r1", b.ID, 100), fresh(workflowIDs(4, 10)...))
}

func nextOfEnded(p *probe) {
	completed, cancelled := p.newBatch(1, 2), p.newBatch(2, 2)
	p.hold("r1")
	p.hold("r1")
	p.done("r1", completed.ID, Epoch, true, 2)
	_, err := p.store.CancelBatch(p.ctx, cancelled.ID, Epoch, nil)
	p.must(err, "CancelBatch")
	for _, id := range []string{completed.ID, cancelled.ID} {
		p.want(len(p.nextItems("r1", id, 10)) == 0, "an ended batch gives items")
	}
}

func nextForHolder(p *probe) {
	b := p.newBatch(1, 2)
	conflict := func(replica, id string) {
		_, err := p.store.NextItems(p.ctx, id, replica, 10)
		p.wantErr(err, ports.ErrConflict, "NextItems for "+replica)
	}
	conflict("r1", b.ID)
	conflict("", b.ID)
	p.hold("r1")
	p.live("r2")
	conflict("r2", b.ID)
	conflict("r1", batchID(99))
	p.done("r1", b.ID, Epoch, true, 2)
	conflict("r2", b.ID)
}

func resultsKept(p *probe) {
	b := p.newBatch(1, 4)
	p.hold("r1")
	text := `ünï "q" 'q' \ % 日本語`
	failed := ports.BatchItem{WorkflowID: WorkflowID(2), Done: true, Code: "CODE-" + text, Message: text, At: Epoch.Add(time.Millisecond)}
	p.must(p.store.SettleItems(p.ctx, b.ID, "r1", []ports.BatchItem{failed}), "SettleItems")
	b.Failed = 1
	p.batch(b)
	first := p.done("r1", b.ID, Epoch.Add(time.Minute), true, 1)[0]
	b.Succeeded = 1
	p.batch(b)
	p.sameItems("results", p.items(b.ID, 0, 10), []ports.BatchItem{first, {WorkflowID: WorkflowID(1)}, failed, {WorkflowID: WorkflowID(3)}})
	p.must(p.store.SettleItems(p.ctx, b.ID, "r1", nil), "SettleItems of nothing")
	p.batch(b)
}

func completesBatch(p *probe) {
	b := p.newBatch(1, 5)
	p.hold("r1")
	last := Epoch.Add(3 * time.Hour)
	p.done("r1", b.ID, last, false, 2)
	p.done("r1", b.ID, Epoch.Add(time.Hour), true, 2)
	b.Succeeded, b.Failed = 2, 2
	p.batch(b)
	p.done("r1", b.ID, Epoch.Add(2*time.Hour), true, 1)
	b.Succeeded, b.Status, b.EndedAt = 3, ports.BatchCompleted, last
	p.batch(b)
	p.must(p.store.SettleItems(p.ctx, b.ID, "r1", fresh(WorkflowID(0))), "SettleItems of a COMPLETED batch")
	p.batch(b)
}

func settleForHolder(p *probe) {
	b := p.newBatch(1, 2)
	item := fresh(WorkflowID(0))
	item[0].Done, item[0].Succeeded, item[0].At = true, true, Epoch
	conflict := func(replica, id string) {
		p.wantErr(p.store.SettleItems(p.ctx, id, replica, item), ports.ErrConflict, "SettleItems for "+replica)
	}
	conflict("r1", b.ID)
	conflict("", b.ID)
	p.hold("r1")
	conflict("r2", b.ID)
	conflict("r1", batchID(99))
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.hold("r2")
	conflict("r1", b.ID)
	p.batch(b)
	p.sameItems("what others settled", p.items(b.ID, 0, 10), fresh(workflowIDs(0, 2)...))
}

func resultsStay(p *probe) {
	b := p.newBatch(1, 3)
	p.hold("r1")
	first := p.done("r1", b.ID, Epoch, true, 1)[0]
	again := ports.BatchItem{WorkflowID: first.WorkflowID, Done: true, Code: "X", At: Epoch.Add(time.Hour)}
	twice := ports.BatchItem{WorkflowID: WorkflowID(1), Done: true, Succeeded: true, At: Epoch}
	other := ports.BatchItem{WorkflowID: WorkflowID(77), Done: true, At: Epoch}
	p.must(p.store.SettleItems(p.ctx, b.ID, "r1", []ports.BatchItem{again, twice, other, {WorkflowID: WorkflowID(1), Done: true, At: Epoch}}), "SettleItems")
	b.Succeeded = 2
	p.batch(b)
	p.sameItems("results", p.items(b.ID, 0, 10), []ports.BatchItem{first, twice, {WorkflowID: WorkflowID(2)}})
}

func resultsAfterCancel(p *probe) {
	b := p.newBatch(1, 2)
	p.hold("r1")
	items := p.nextItems("r1", b.ID, 2)
	_, err := p.store.CancelBatch(p.ctx, b.ID, Epoch.Add(time.Hour), nil)
	p.must(err, "CancelBatch")
	for i := range items {
		items[i].Done, items[i].Succeeded, items[i].At = true, true, Epoch.Add(2*time.Hour)
		p.must(p.store.SettleItems(p.ctx, b.ID, "r1", items[i:i+1]), "SettleItems of a cancelled batch")
	}
	b.Status, b.EndedAt, b.Succeeded = ports.BatchCancelled, Epoch.Add(time.Hour), 2
	p.batch(b)
	p.sameItems("results", p.items(b.ID, 0, 10), items)
}

func resultsCountedOnce(p *probe) {
	const items = 60
	b := p.newBatch(1, items)
	p.hold("r1")
	errs := make([]error, racers)
	together(racers, func(i int) {
		for from := 0; from < items; from += 20 {
			list := fresh(workflowIDs(from, from+20)...)
			for j := range list {
				list[j].Done, list[j].Succeeded, list[j].At = true, (i+j)%2 == 0, Epoch
			}
			errs[i] = errors.Join(errs[i], p.store.SettleItems(p.ctx, b.ID, "r1", list))
		}
	})
	for _, err := range errs {
		p.must(err, "a concurrent SettleItems")
	}
	succeeded := 0
	for _, item := range p.items(b.ID, 0, items) {
		p.want(item.Done, "an item has no result")
		if item.Succeeded {
			succeeded++
		}
	}
	b.Status, b.EndedAt, b.Succeeded, b.Failed = ports.BatchCompleted, Epoch, succeeded, items-succeeded
	p.batch(b)
}
