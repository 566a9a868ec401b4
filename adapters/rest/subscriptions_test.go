package rest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/ports"
)

// subscriptions are kept in a store in memory, with secrets that say which they
// are. URLs with the word forbidden are refused.
type subscriptions struct {
	store *memory.Store
	clock ports.Clock
	keys  map[string]subscribed
	made  int
	// health is what there is to know of all.
	webhookHealth ports.WebhookHealth
}

// subscribed is what a request with an idempotency key was answered.
type subscribed struct {
	fingerprint string
	receipt     ports.WebhookReceipt
	rotation    ports.RotationReceipt
}

func newSubscriptions(clock ports.Clock) *subscriptions {
	return &subscriptions{store: memory.New(memory.Config{Clock: clock}), clock: clock, keys: map[string]subscribed{}}
}

// once answers a request by its key, if it was made before.
func (s *subscriptions) once(key *ports.IdempotencyKey) (subscribed, bool, error) {
	if key == nil {
		return subscribed{}, false, nil
	}
	before, found := s.keys[key.Scope]
	if found && before.fingerprint != key.Fingerprint {
		return before, true, ports.ErrKeyReused
	}
	before.receipt.Secret, before.receipt.Replayed = "", true
	before.rotation.Secret, before.rotation.Replayed = "", true
	return before, found, nil
}

func (s *subscriptions) secret() string {
	s.made++
	return fmt.Sprintf("whsec_%d", s.made)
}

func (s *subscriptions) CreateWebhook(ctx context.Context, r ports.WebhookRequest, key *ports.IdempotencyKey) (ports.WebhookReceipt, error) {
	if before, found, err := s.once(key); found {
		return before.receipt, err
	}
	if strings.Contains(r.URL, "forbidden") {
		return ports.WebhookReceipt{}, &ports.TargetError{Reason: "is a private address"}
	}
	if len(r.Events) == 0 {
		r.Events = []string{"workflow.completed"}
	}
	w := ports.Webhook{ID: fmt.Sprintf("whk-018d0ea9-0000-7000-8000-%012d", s.made+1), URL: r.URL, Description: r.Description, Events: r.Events,
		Active: r.Active, CreatedAt: s.clock.Now(), UpdatedAt: s.clock.Now(), Version: 1}
	receipt := ports.WebhookReceipt{Webhook: w, Secret: s.secret()}
	if key != nil {
		s.keys[key.Scope] = subscribed{fingerprint: key.Fingerprint, receipt: receipt}
	}
	return receipt, s.store.SaveWebhook(ctx, w, nil)
}

func (s *subscriptions) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	return s.store.Webhook(ctx, id)
}

func (s *subscriptions) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	return s.store.Webhooks(ctx)
}

func (s *subscriptions) UpdateWebhook(ctx context.Context, id string, c ports.WebhookChange) (ports.Webhook, error) {
	w, err := s.store.Webhook(ctx, id)
	if err != nil {
		return w, err
	}
	if c.URL != nil {
		w.URL = *c.URL
	}
	if c.Description != nil {
		w.Description = *c.Description
	}
	if c.Events != nil {
		w.Events = slices.Clone(c.Events)
	}
	if c.Active != nil {
		w.Active, w.Disabled = *c.Active, ""
	}
	w.Version++
	w.UpdatedAt = s.clock.Now()
	return w, s.store.SaveWebhook(ctx, w, nil)
}

func (s *subscriptions) DeleteWebhook(ctx context.Context, id string) error {
	return s.store.DeleteWebhook(ctx, id, nil)
}

func (s *subscriptions) RotateSecret(ctx context.Context, id string, overlap time.Duration, key *ports.IdempotencyKey) (ports.RotationReceipt, error) {
	if before, found, err := s.once(key); found {
		return before.rotation, err
	}
	w, err := s.store.Webhook(ctx, id)
	if err != nil {
		return ports.RotationReceipt{}, err
	}
	r := ports.RotationReceipt{Secret: s.secret(), RotatedAt: s.clock.Now(), OverlapUntil: s.clock.Now().Add(overlap)}
	if key != nil {
		s.keys[key.Scope] = subscribed{fingerprint: key.Fingerprint, rotation: r}
	}
	w.Secrets = []ports.SealedSecret{{Sealed: []byte{1}}, {Sealed: []byte{2}, Until: r.OverlapUntil}}
	w.Version++
	return r, s.store.SaveWebhook(ctx, w, nil)
}

func (s *subscriptions) Deliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	if _, err := s.store.Webhook(ctx, q.WebhookID); err != nil {
		return ports.DeliveryPage{}, err
	}
	return s.store.ListDeliveries(ctx, q)
}

func (s *subscriptions) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyKey) (bool, error) {
	err := s.store.Redeliver(ctx, key, s.record(once), nil)
	_, replayed, err := s.before(ctx, once, err)
	return replayed, err
}

func (s *subscriptions) Recover(ctx context.Context, id string, since time.Time, once *ports.IdempotencyKey) (ports.RecoveryReceipt, error) {
	if _, err := s.store.Webhook(ctx, id); err != nil {
		return ports.RecoveryReceipt{}, err
	}
	n, err := s.store.RecoverDeliveries(ctx, id, since, s.record(once), nil)
	before, replayed, err := s.before(ctx, once, err)
	return ports.RecoveryReceipt{Recovered: n + before, Replayed: replayed}, err
}

func (s *subscriptions) record(once *ports.IdempotencyKey) *ports.IdempotencyRecord {
	if once == nil {
		return nil
	}
	return &ports.IdempotencyRecord{Scope: once.Scope, Fingerprint: once.Fingerprint, CreatedAt: s.clock.Now()}
}

// before is what was answered to a request whose key turned out to be taken.
func (s *subscriptions) before(ctx context.Context, once *ports.IdempotencyKey, err error) (int, bool, error) {
	if !errors.Is(err, ports.ErrIdempotencyKeyTaken) {
		return 0, false, err
	}
	record, err := s.store.Idempotency(ctx, once.Scope)
	if err == nil && record.Fingerprint != once.Fingerprint {
		err = ports.ErrKeyReused
	}
	return record.Version, true, err
}

func (s *subscriptions) WebhookHealth(context.Context) (ports.WebhookHealth, error) {
	return s.webhookHealth, nil
}
