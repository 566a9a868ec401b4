package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// batch is what is stored of one batch.
type batch struct {
	ports.Batch
	keeper string
	items  []ports.BatchItem
	places map[string]int // of items, by workflow
}

// Errors of a caller that breaks the rules for batches of workflows.
var (
	errTooManyItems = fmt.Errorf("memory: a batch is for at most %d workflows", ports.MaxBatchItems)
	errItemTwice    = errors.New("memory: a batch names a workflow twice")
)

// given is a copy for a caller.
func (b *batch) given() ports.Batch {
	c := b.Batch
	c.Request, c.Filter = bytes.Clone(b.Request), bytes.Clone(b.Filter)
	return c
}

// CreateBatch keeps a batch and its workflows.
func (s *Store) CreateBatch(ctx context.Context, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) error {
	made, err := newBatch(b, workflowIDs)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	switch {
	case s.batches[b.ID] != nil:
		return ports.ErrConflict
	case made.Status == ports.BatchRunning && len(s.running) >= ports.MaxRunningBatches:
		return ports.ErrOverloaded
	}
	s.batches[b.ID] = made
	if made.Status == ports.BatchRunning {
		s.running[b.ID] = made
	}
	s.note(audit)
	return nil
}

func newBatch(b ports.Batch, workflowIDs []string) (*batch, error) {
	if len(workflowIDs) > ports.MaxBatchItems {
		return nil, errTooManyItems
	}
	made := &batch{Batch: b, items: make([]ports.BatchItem, len(workflowIDs)), places: make(map[string]int, len(workflowIDs))}
	made.Batch = made.given()
	made.CreatedAt, made.EndedAt, made.Status = storedTime(b.CreatedAt), time.Time{}, ports.BatchRunning
	made.Total, made.Succeeded, made.Failed = len(workflowIDs), 0, 0
	if made.Total == 0 {
		made.Status, made.EndedAt = ports.BatchCompleted, made.CreatedAt
	}
	for i, id := range workflowIDs {
		made.items[i].WorkflowID = id
		made.places[id] = i
	}
	if len(made.places) < len(workflowIDs) {
		return nil, errItemTwice
	}
	return made, nil
}

// findBatch finds a batch; the lock must be held.
func (s *Store) findBatch(ctx context.Context, id string) (*batch, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	b := s.batches[id]
	if b == nil {
		return nil, ports.ErrNotFound
	}
	return b, nil
}

// Batch by ID.
func (s *Store) Batch(ctx context.Context, id string) (ports.Batch, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.findBatch(ctx, id)
	if err != nil {
		return ports.Batch{}, err
	}
	return b.given(), nil
}

// ListBatches gives a page of batches, newest first.
func (s *Store) ListBatches(ctx context.Context, offset, limit int) (batches []ports.Batch, total int, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, 0, err
	}
	all := make([]*batch, 0, len(s.batches))
	for _, b := range s.batches {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *batch) int { return -compareBatches(a, b) })
	for _, b := range page(all, offset, limit) {
		batches = append(batches, b.given())
	}
	return batches, len(all), nil
}

// compareBatches orders batches as they were made.
func compareBatches(a, b *batch) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
}

// page cuts up to limit elements from offset on.
func page[T any](list []T, offset, limit int) []T {
	list = list[min(max(0, offset), len(list)):]
	return list[:min(max(0, limit), len(list))]
}

// BatchItems gives a page of the items of a batch.
func (s *Store) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.findBatch(ctx, id)
	if err != nil {
		return nil, err
	}
	return slices.Clone(page(b.items, offset, limit)), nil
}

// CancelBatch ends a RUNNING batch.
func (s *Store) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.findBatch(ctx, id)
	if err != nil {
		return ports.Batch{}, err
	}
	if b.Status == ports.BatchRunning {
		s.endBatch(b, ports.BatchCancelled, storedTime(at))
		s.note(audit)
	}
	return b.given(), nil
}

func (s *Store) endBatch(b *batch, status ports.BatchStatus, at time.Time) {
	b.Status, b.EndedAt = status, at
	delete(s.running, b.ID)
}

// ClaimBatch hands the oldest batch that nobody alive holds to a replica.
func (s *Store) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return ports.Batch{}, err
	}
	var oldest *batch
	now := s.now()
	for _, b := range s.running {
		if (b.keeper == "" || !s.leases[b.keeper].After(now)) && (oldest == nil || compareBatches(b, oldest) < 0) {
			oldest = b
		}
	}
	if oldest == nil {
		return ports.Batch{}, ports.ErrNotFound
	}
	oldest.keeper = replica
	return oldest.given(), nil
}

// leaveBatches leaves the batches of a replica to whoever claims them.
func (s *Store) leaveBatches(replica string) {
	for _, b := range s.running {
		if b.keeper == replica {
			b.keeper = ""
		}
	}
}

// kept is a batch that a replica holds; the lock must be held.
func (s *Store) kept(ctx context.Context, id, replica string) (*batch, error) {
	b, err := s.findBatch(ctx, id)
	switch {
	case errors.Is(err, ports.ErrNotFound), err == nil && (b.keeper != replica || replica == ""):
		return nil, ports.ErrConflict
	}
	return b, err
}

// NextItems gives items without a result to the batch's holder.
func (s *Store) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.kept(ctx, id, replica)
	if err != nil || b.Status != ports.BatchRunning {
		return nil, err
	}
	var next []ports.BatchItem
	for _, item := range b.items {
		if !item.Done && len(next) < limit {
			next = append(next, item)
		}
	}
	return next, nil
}

// SettleItems records results and counts them.
func (s *Store) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.kept(ctx, id, replica)
	if err != nil {
		return err
	}
	for _, item := range items {
		b.settle(item)
	}
	if b.Status == ports.BatchRunning && b.Succeeded+b.Failed == b.Total {
		s.endBatch(b, ports.BatchCompleted, b.lastResult())
	}
	return nil
}

// settle records the result of an item that has none.
func (b *batch) settle(result ports.BatchItem) {
	at, is := b.places[result.WorkflowID]
	if !is || b.items[at].Done {
		return
	}
	result.Done, result.At = true, storedTime(result.At)
	b.items[at] = result
	if result.Succeeded {
		b.Succeeded++
	} else {
		b.Failed++
	}
}

// lastResult is when the last item had its result.
func (b *batch) lastResult() time.Time {
	var last time.Time
	for _, item := range b.items {
		if item.At.After(last) {
			last = item.At
		}
	}
	return last
}
