package rest_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// batches remembers what was asked of it, and selects as many workflows as a
// test says.
type batches struct {
	mu      sync.Mutex
	asked   []ports.BatchRequest
	keys    map[string]ports.IdempotencyKey
	kept    []ports.Batch // oldest first
	items   []ports.BatchItem
	preview ports.BatchPreview
	refuse  error
}

func newBatches() *batches { return &batches{keys: map[string]ports.IdempotencyKey{}} }

func (b *batches) CreateBatch(ctx context.Context, r ports.BatchRequest, key *ports.IdempotencyKey) (ports.BatchReceipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return ports.BatchReceipt{}, b.refuse
	}
	if key != nil {
		if before, found := b.keys[key.Scope]; found && before.Fingerprint != key.Fingerprint {
			return ports.BatchReceipt{}, ports.ErrKeyReused
		} else if found {
			return ports.BatchReceipt{Batch: b.kept[0], Replayed: true}, nil
		}
		b.keys[key.Scope] = *key
	}
	b.asked = append(b.asked, r)
	actor, _ := ports.ActorOf(ctx)
	made := ports.Batch{ID: fmt.Sprintf("bat-018d0ea9-0000-7000-8000-%012d", len(b.kept)+1), Action: r.Action, Reason: r.Reason, Request: r.Request,
		Filter: r.Filter, PerSecond: r.PerSecond, CreatedBy: actor.Subject, Role: actor.Role, CreatedAt: time.Date(2024, 1, 15, 13, 0, 0, 0, time.UTC),
		Status: ports.BatchRunning, Total: 3, Succeeded: 1}
	b.kept = append(b.kept, made)
	return ports.BatchReceipt{Batch: made}, nil
}

func (b *batches) PreviewBatch(_ context.Context, r ports.BatchRequest) (ports.BatchPreview, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r)
	return b.preview, b.refuse
}

func (b *batches) Batch(_ context.Context, id string) (ports.Batch, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.kept {
		if one.ID == id {
			return one, nil
		}
	}
	return ports.Batch{}, ports.ErrNotFound
}

func (b *batches) Batches(_ context.Context, offset, limit int) ([]ports.Batch, int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := min(offset, len(b.kept))
	return b.kept[from:min(from+limit, len(b.kept))], len(b.kept), nil
}

func (b *batches) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, int, error) {
	if _, err := b.Batch(ctx, id); err != nil {
		return nil, 0, err
	}
	from := min(offset, len(b.items))
	return b.items[from:min(from+limit, len(b.items))], len(b.items), nil
}

func (b *batches) CancelBatch(ctx context.Context, id string) (ports.Batch, error) {
	one, err := b.Batch(ctx, id)
	one.Status, one.EndedAt = ports.BatchCancelled, one.CreatedAt.Add(time.Minute)
	return one, err
}
