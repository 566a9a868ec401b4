package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// subscription is a webhook and its deliveries.
type subscription struct {
	webhook    ports.Webhook
	deliveries map[string][]*delivery // by workflow, in the order of sequences
	listed     map[ports.DeliveryStatus]*ordered[*delivery]
	unsettled  ordered[*delivery] // by when they are due
}

func newSubscription() *subscription {
	sub := &subscription{
		deliveries: map[string][]*delivery{},
		listed:     map[ports.DeliveryStatus]*ordered[*delivery]{},
		unsettled:  ordered[*delivery]{compare: compareNext},
	}
	for _, status := range deliveryStatuses {
		sub.listed[status] = &ordered[*delivery]{compare: compareEvent}
	}
	return sub
}

// SaveWebhook creates a subscription, or replaces the one whose version is one less.
func (s *Store) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	sub := s.webhooks[w.ID]
	switch {
	case sub == nil && w.Version != 1:
		return ports.ErrNotFound
	case sub != nil && sub.webhook.Version != w.Version-1:
		return ports.ErrConflict
	case sub == nil && len(s.webhooks) >= ports.MaxWebhooks:
		return ports.ErrTooManyWebhooks
	case sub == nil:
		sub = newSubscription()
		s.webhooks[w.ID] = sub
	}
	w = copiedWebhook(w)
	w.FailingSince = time.Time{}
	if revived := w.Active && !sub.webhook.Active; !revived {
		w.FailingSince = sub.webhook.FailingSince
	}
	sub.webhook = w
	if !w.Active {
		sub.giveUp()
	}
	s.note(audit)
	return nil
}

// DeleteWebhook removes a subscription with its deliveries.
func (s *Store) DeleteWebhook(ctx context.Context, id string, audit *ports.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if s.webhooks[id] == nil {
		return ports.ErrNotFound
	}
	delete(s.webhooks, id)
	for _, held := range s.underWay {
		for d := range held {
			if d.WebhookID == id {
				s.letGo(d)
			}
		}
	}
	s.note(audit)
	return nil
}

// Webhook gives a subscription.
func (s *Store) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return ports.Webhook{}, err
	}
	sub := s.webhooks[id]
	if sub == nil {
		return ports.Webhook{}, ports.ErrNotFound
	}
	return copiedWebhook(sub.webhook), nil
}

// Webhooks gives all subscriptions, oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	list := make([]ports.Webhook, 0, len(s.webhooks))
	for _, sub := range s.webhooks {
		list = append(list, copiedWebhook(sub.webhook))
	}
	slices.SortFunc(list, func(a, b ports.Webhook) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return list, nil
}

// DisableWebhook makes an active subscription inactive.
func (s *Store) DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	sub := s.webhooks[id]
	if sub == nil || !sub.webhook.Active {
		return false, nil
	}
	sub.webhook.Active, sub.webhook.Disabled, sub.webhook.UpdatedAt = false, reason, storedTime(at)
	sub.giveUp()
	return true, nil
}

// copiedWebhook shares nothing with w.
func copiedWebhook(w ports.Webhook) ports.Webhook {
	w.CreatedAt, w.UpdatedAt, w.FailingSince = storedTime(w.CreatedAt), storedTime(w.UpdatedAt), storedTime(w.FailingSince)
	w.Events = slices.Clone(w.Events)
	w.Secrets = slices.Clone(w.Secrets)
	for i := range w.Secrets {
		w.Secrets[i].Sealed = bytes.Clone(w.Secrets[i].Sealed)
		w.Secrets[i].Until = storedTime(w.Secrets[i].Until)
	}
	return w
}
