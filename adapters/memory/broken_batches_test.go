package memory_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenBatches are stores that keep batches badly.
func brokenBatches() []brokenStore {
	const create, cancel = "CreateBatch: ", "CancelBatch: "
	return []brokenStore{
		{fault: "the items of a batch are sorted", promise: create + "keeps a batch and its workflows, in order", breaks: creates(func(_ *ports.Batch, ids []string) []string {
			ids = slices.Clone(ids)
			slices.Sort(ids)
			return ids
		})},
		{fault: "a batch is made by nobody", promise: create + "writes its audit entry with it", breaks: func(f *faulty) {
			f.createBatch = func(ctx context.Context, b ports.Batch, ids []string, _ *ports.AuditEntry) error {
				return f.Store.CreateBatch(ctx, b, ids, nil)
			}
		}},
		{fault: "a batch begins as it is told", promise: create + "it is RUNNING, with as many items as there are workflows, whatever b says of that", breaks: beginsAsTold},
		{fault: "an empty batch runs for ever", promise: create + "without any workflows it is COMPLETED at once", breaks: creates(func(_ *ports.Batch, ids []string) []string {
			if len(ids) == 0 {
				return []string{contracttests.WorkflowID(ghost)}
			}
			return ids
		})},
		{fault: "a workflow twice in a batch", promise: create + "takes MaxBatchItems workflows, no more, none twice", breaks: creates(func(_ *ports.Batch, ids []string) []string {
			ids = slices.Clone(ids)
			slices.Sort(ids)
			return slices.Compact(ids)
		})},
		{fault: "a batch with a known ID is taken for made", promise: create + "ErrConflict if there is one with this ID, which stays as it is", breaks: func(f *faulty) {
			f.createBatch = func(ctx context.Context, b ports.Batch, ids []string, e *ports.AuditEntry) error {
				if err := f.Store.CreateBatch(ctx, b, ids, e); !errors.Is(err, ports.ErrConflict) {
					return err
				}
				return nil
			}
		}},
		{fault: "any number of batches runs", promise: create + "ErrOverloaded if MaxRunningBatches are unfinished", breaks: runsAny},
		{fault: "batches counted before they are made", promise: create + "of concurrent ones no more than MaxRunningBatches are kept", breaks: runsAny},
		{fault: "a missing batch is empty", promise: "Batches: ErrNotFound where there is none", breaks: func(f *faulty) {
			f.batchItems = func(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
				items, err := f.Store.BatchItems(ctx, id, offset, limit)
				if errors.Is(err, ports.ErrNotFound) {
					return nil, nil
				}
				return items, err
			}
		}},
		{fault: "batches listed oldest first", promise: "ListBatches: pages through batches, newest first", breaks: func(f *faulty) {
			f.listBatches = func(ctx context.Context, offset, limit int) ([]ports.Batch, int, error) {
				list, total, err := f.Store.ListBatches(ctx, offset, limit)
				slices.Reverse(list)
				return list, total, err
			}
		}},
		{fault: "every page of items is the first", promise: "BatchItems: pages through the items of a batch, in order", breaks: func(f *faulty) {
			f.batchItems = func(ctx context.Context, id string, _, limit int) ([]ports.BatchItem, error) {
				return f.Store.BatchItems(ctx, id, 0, limit)
			}
		}},
		{fault: "a batch is cancelled by nobody", promise: cancel + "ends a RUNNING batch, with the audit entry", breaks: func(f *faulty) {
			f.cancelBatch = func(ctx context.Context, id string, at time.Time, _ *ports.AuditEntry) (ports.Batch, error) {
				return f.Store.CancelBatch(ctx, id, at, nil)
			}
		}},
		{fault: "what has ended is cancelled", promise: cancel + "one that has ended stays as it is, and nothing is written", breaks: cancelsEnded},
	}
}

// creates changes what a batch is made of.
func creates(change func(b *ports.Batch, ids []string) []string) func(*faulty) {
	return func(f *faulty) {
		f.createBatch = func(ctx context.Context, b ports.Batch, ids []string, audit *ports.AuditEntry) error {
			ids = change(&b, ids)
			return f.Store.CreateBatch(ctx, b, ids, audit)
		}
	}
}

// beginsAsTold shows each batch as its maker described it.
func beginsAsTold(f *faulty) {
	told := map[string]ports.Batch{}
	f.createBatch = func(ctx context.Context, b ports.Batch, ids []string, audit *ports.AuditEntry) error {
		told[b.ID] = b
		return f.Store.CreateBatch(ctx, b, ids, audit)
	}
	f.oneBatch = func(_ context.Context, id string) (ports.Batch, error) { return told[id], nil }
}

// runsAny forgets about a running batch where there are too many.
func runsAny(f *faulty) {
	f.createBatch = func(ctx context.Context, b ports.Batch, ids []string, audit *ports.AuditEntry) error {
		err := f.Store.CreateBatch(ctx, b, ids, audit)
		if errors.Is(err, ports.ErrOverloaded) {
			return nil
		}
		return err
	}
}

// cancelsEnded shows a batch that was cancelled as CANCELLED, whatever it was.
func cancelsEnded(f *faulty) {
	f.cancelBatch = func(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
		b, err := f.Store.CancelBatch(ctx, id, at, audit)
		b.Status, b.EndedAt = ports.BatchCancelled, at
		return b, err
	}
}

// brokenBatchWork are stores that lose or double what a batch does.
func brokenBatchWork() []brokenStore {
	const claim, next, settle = "ClaimBatch: ", "NextItems: ", "SettleItems: "
	return []brokenStore{
		{fault: "no batch is ever claimed", promise: claim + "hands the oldest unfinished batch that nobody holds to a replica", breaks: claimsBatches(func(context.Context, *faulty, string) (ports.Batch, error) {
			return ports.Batch{}, ports.ErrNotFound
		})},
		{fault: "a held batch is claimed", promise: claim + "a batch whose holder is live is left alone", breaks: claimsBatches(claimsHeld)},
		{fault: "the dead keep their batches", promise: claim + "takes over a batch whose holder's lease has run out", never: true, breaks: claimsBatches(func(ctx context.Context, f *faulty, replica string) (ports.Batch, error) {
			_ = f.Store.Renew(ctx, "r1", time.Hour)
			return f.Store.ClaimBatch(ctx, replica)
		})},
		{fault: "an ended batch is claimed", promise: claim + "ErrNotFound if there is none; a batch that has ended is none", breaks: claimsBatches(claimsListed)},
		{fault: "claims of batches overlap", promise: claim + "no two concurrent claims return the same batch", breaks: claimsBatches(claimsListed)},
		{fault: "release keeps the batches", promise: "Release: gives up every batch the replica keeps", breaks: releases(func(context.Context, *faulty, string) {})},
		{fault: "items come again", promise: next + "up to limit items of a batch without a result, in order, for its holder", breaks: nexts(func(ctx context.Context, f *faulty, id, _ string, limit int) ([]ports.BatchItem, error) {
			return f.Store.BatchItems(ctx, id, 0, limit)
		})},
		{fault: "a cancelled batch goes on", promise: next + "none once the batch has ended", breaks: nexts(func(ctx context.Context, f *faulty, id, _ string, limit int) ([]ports.BatchItem, error) {
			return f.Store.BatchItems(ctx, id, 0, limit)
		})},
		{fault: "anybody gets items", promise: next + "ErrConflict for anybody but the holder", breaks: nexts(func(ctx context.Context, f *faulty, id, _ string, limit int) ([]ports.BatchItem, error) {
			items, _ := f.Store.BatchItems(ctx, id, 0, limit)
			return items, nil
		})},
		{fault: "results are not counted", promise: settle + "records results and counts them", breaks: settles(func(context.Context, *faulty, string, string, []ports.BatchItem) error { return nil })},
		{fault: "a batch ends when its last item is settled", promise: settle + "when every item has a result the batch is COMPLETED at the time of the last", breaks: endsWithLastSettled},
		{fault: "anybody settles", promise: settle + "ErrConflict unless the replica holds the batch", breaks: settles(func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error {
			err := f.Store.SettleItems(ctx, id, replica, items)
			if errors.Is(err, ports.ErrConflict) {
				return nil
			}
			return err
		})},
		{fault: "a later result replaces the first", promise: settle + "an item that has a result keeps it; what is no item is passed over", breaks: settles(func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error {
			items = slices.Clone(items)
			slices.Reverse(items)
			return f.Store.SettleItems(ctx, id, replica, items)
		})},
		{fault: "results after a cancel are lost", promise: settle + "what was under way when the batch was cancelled is recorded, and it stays CANCELLED", breaks: settles(func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error {
			if b, err := f.Store.Batch(ctx, id); err == nil && b.Status != ports.BatchRunning {
				return nil
			}
			return f.Store.SettleItems(ctx, id, replica, items)
		})},
		{fault: "concurrent results are counted twice", promise: settle + "of concurrent results of one item one is counted", breaks: countsResultsTwice},
	}
}

func claimsBatches(claim func(ctx context.Context, f *faulty, replica string) (ports.Batch, error)) func(*faulty) {
	return func(f *faulty) {
		f.claimBatch = func(ctx context.Context, replica string) (ports.Batch, error) { return claim(ctx, f, replica) }
	}
}

// claimsListed gives the newest batch, whoever has it and whether it has ended.
func claimsListed(ctx context.Context, f *faulty, replica string) (ports.Batch, error) {
	if b, err := f.Store.ClaimBatch(ctx, replica); err == nil {
		return b, nil
	}
	list, _, err := f.Store.ListBatches(ctx, 0, 1)
	if err != nil || len(list) == 0 {
		return ports.Batch{}, ports.ErrNotFound
	}
	return list[0], nil
}

// claimsHeld takes what others hold.
func claimsHeld(ctx context.Context, f *faulty, replica string) (ports.Batch, error) {
	b, err := f.Store.ClaimBatch(ctx, replica)
	if errors.Is(err, ports.ErrNotFound) {
		_ = f.Store.Release(ctx, "r1")
		return f.Store.ClaimBatch(ctx, replica)
	}
	return b, err
}

func nexts(next func(ctx context.Context, f *faulty, id, replica string, limit int) ([]ports.BatchItem, error)) func(*faulty) {
	return func(f *faulty) {
		f.nextItems = func(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
			return next(ctx, f, id, replica, limit)
		}
	}
}

func settles(settle func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error) func(*faulty) {
	return func(f *faulty) {
		f.settleItems = func(ctx context.Context, id, replica string, items []ports.BatchItem) error {
			return settle(ctx, f, id, replica, items)
		}
	}
}

// endsWithLastSettled takes the time of what was settled last, not of the last result.
func endsWithLastSettled(f *faulty) {
	ends := map[string]time.Time{}
	settles(func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error {
		for _, item := range items {
			ends[id] = item.At
		}
		return f.Store.SettleItems(ctx, id, replica, items)
	})(f)
	f.oneBatch = func(ctx context.Context, id string) (ports.Batch, error) {
		b, err := f.Store.Batch(ctx, id)
		if b.Status == ports.BatchCompleted {
			b.EndedAt = ends[id]
		}
		return b, err
	}
}

// countsResultsTwice counts one result more for two calls that meet.
func countsResultsTwice(f *faulty) {
	second := meet()
	more := 0
	settles(func(ctx context.Context, f *faulty, id, replica string, items []ports.BatchItem) error {
		if second() {
			more++
		}
		return f.Store.SettleItems(ctx, id, replica, items)
	})(f)
	f.oneBatch = func(ctx context.Context, id string) (ports.Batch, error) {
		b, err := f.Store.Batch(ctx, id)
		b.Succeeded += more
		return b, err
	}
}
