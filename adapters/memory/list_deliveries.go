package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/deliveries"
	"github.com/firstviscount/platform-coordination/ports"
)

// ListDeliveries pages through deliveries, newest event first: the merge of a
// list for each selected subscription and status.
func (s *Store) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	place, err := deliveries.CheckQuery(&q)
	if err != nil {
		return ports.DeliveryPage{}, fmt.Errorf("memory: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return ports.DeliveryPage{}, err
	}
	var found []ports.Delivery
	total := 0
	for id, sub := range s.webhooks {
		if q.WebhookID != "" && q.WebhookID != id {
			continue
		}
		for status, list := range sub.listed {
			if q.Status == "" || q.Status == status {
				total += list.size
				found = append(found, beyond(list, place, q.Offset+q.Limit+1)...)
			}
		}
	}
	return deliveries.Page(&q, found, total), nil
}

// beyond copies up to limit deliveries after a place, newest event first.
func beyond(list *ordered[*delivery], p *deliveries.Place, limit int) []ports.Delivery {
	var found []ports.Delivery
	var from **delivery
	if p != nil {
		place := &delivery{Delivery: ports.Delivery{
			DeliveryKey: ports.DeliveryKey{WorkflowID: p.WorkflowID, Sequence: p.Sequence}, CreatedAt: p.CreatedAt,
		}}
		from = &place
		// The same event of another subscription may come after it.
		if b, at, same := list.locate(place); same && list.blocks[b][at].WebhookID < p.WebhookID {
			found = append(found, list.blocks[b][at].Delivery)
		}
	}
	for d := range list.after(from, false) {
		if len(found) == limit {
			break
		}
		found = append(found, d.Delivery)
	}
	return found
}

// DeliveryBacklog counts what is not settled, up to ports.MaxCount.
func (s *Store) DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return 0, time.Time{}, err
	}
	now := s.now()
	for _, sub := range s.webhooks {
		if !sub.webhook.Active || sub.unsettled.size == 0 {
			continue
		}
		pending += sub.unsettled.size
		if due := sub.unsettled.first().NextAttemptAt; !due.After(now) && (oldest.IsZero() || due.Before(oldest)) {
			oldest = due
		}
	}
	return min(pending, ports.MaxCount), oldest, nil
}
