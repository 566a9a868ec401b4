package memory

import (
	"context"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// PurgeWorkflows removes workflows that ended before t, the first to end first.
func (s *Store) PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	endings := s.index.endings[status]
	if endings == nil { // not a status that ends
		return 0, nil
	}
	var old []*ports.Row
	for r := range endings.after(nil, true) {
		if len(old) >= limit || !r.EndedAt.Before(t) {
			break
		}
		if _, owes := s.outbox[r.WorkflowID]; !owes && !s.telling(r.WorkflowID) {
			old = append(old, r)
		}
	}
	for _, r := range old {
		s.drop(r)
	}
	return len(old), nil
}

// PurgeAudit removes entries made before t, oldest first.
func (s *Store) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	n := 0
	for ; n < limit && s.audit.size > 0 && s.audit.first().At.Before(t); n++ {
		s.audit.remove(s.audit.first())
	}
	return n, nil
}

// PurgeBatches removes batches that ended before t, the first to end first.
func (s *Store) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	var old []*batch
	for _, b := range s.batches {
		if b.Status != ports.BatchRunning && b.EndedAt.Before(t) {
			old = append(old, b)
		}
	}
	slices.SortFunc(old, func(a, b *batch) int { return a.EndedAt.Compare(b.EndedAt) })
	old = page(old, 0, limit)
	for _, b := range old {
		delete(s.batches, b.ID)
	}
	return len(old), nil
}

// PurgeDeliveries removes deliveries of events before t that nobody attempts any
// more, oldest first.
func (s *Store) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	var old []*delivery
	for _, sub := range s.webhooks {
		over := []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed}
		if !sub.webhook.Active {
			over = deliveryStatuses
		}
		for _, status := range over {
			n := 0
			for d := range sub.listed[status].after(nil, true) {
				if n++; n > limit || !d.CreatedAt.Before(t) {
					break
				}
				old = append(old, d)
			}
		}
	}
	slices.SortFunc(old, compareEvent)
	old = page(old, 0, limit)
	for _, d := range old {
		s.remove(d)
	}
	return len(old), nil
}
