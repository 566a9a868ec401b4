// Package webhooks keeps subscriptions: it says which are allowed, makes and
// seals their secrets, and has every change written with its audit entry. What
// is delivered, and how, is the business of adapters/webhook.
package webhooks

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	sdk "github.com/firstviscount/platform-coordination/sdk/webhook"
)

const (
	webhookPrefix = "whk-"
	// updateTries is how often an update is made anew when others change the
	// same subscription meanwhile.
	updateTries = 4
)

// Store is the part of a store that subscriptions need.
type Store interface {
	ports.WebhookStore
	ports.DeliveryStore
	Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error)
}

// Deps are what subscriptions stand on. Changed may be nil.
type Deps struct {
	Store   Store
	Guard   *guard.Guard
	Sealer  ports.Sealer
	Clock   ports.Clock
	Entropy ports.Entropy
	// Secret, if not zero, is the secret of every new subscription, so that one
	// that is known beforehand works at once; for development only.
	Secret sdk.Secret
	// Changed is told after every change of a subscription or its deliveries.
	Changed func()
}

// Service is ports.Webhooks.
type Service struct{ Deps }

var _ ports.Webhooks = (*Service)(nil)

// New makes a service.
func New(d Deps) *Service {
	if d.Changed == nil {
		d.Changed = func() {}
	}
	return &Service{d}
}

// now is the time as it is stored.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Millisecond) }

// CreateWebhook makes a subscription; see ports.Webhooks.
func (s *Service) CreateWebhook(ctx context.Context, r ports.WebhookRequest, key *ports.IdempotencyKey) (ports.WebhookReceipt, error) {
	id := webhookPrefix + s.Entropy.UUID()
	if key != nil {
		id = webhookID(key.Scope)
		if receipt, err := s.created(ctx, id, r, key); !errors.Is(err, ports.ErrNotFound) {
			return receipt, err
		}
	}
	if err := s.checkTarget(ctx, r.URL); err != nil {
		return ports.WebhookReceipt{}, err
	}
	secret := webhook.Secret{Secret: s.Secret}
	if secret.IsZero() {
		secret.Secret = webhook.NewSecret()
	}
	if key != nil {
		secret.Scope, secret.Fingerprint, secret.Created = key.Scope, key.Fingerprint, key.Fingerprint
	}
	w := requested(id, r, s.now())
	sealed, err := webhook.SealSecret(s.Sealer, id, secret)
	if err != nil {
		return ports.WebhookReceipt{}, err
	}
	w.Secrets = []ports.SealedSecret{{Sealed: sealed}}
	err = s.Store.SaveWebhook(ctx, w, s.audit(ctx, id, nil, &w))
	switch {
	case errors.Is(err, ports.ErrConflict) && key != nil: // the same request at the same time
		return s.created(ctx, id, r, key)
	case err != nil:
		return ports.WebhookReceipt{}, err
	}
	s.Changed()
	return ports.WebhookReceipt{Webhook: w, Secret: secret.Reveal()}, nil
}

// requested is a subscription as a request makes it.
func requested(id string, r ports.WebhookRequest, at time.Time) ports.Webhook {
	return ports.Webhook{ID: id, URL: r.URL, Description: r.Description, Events: events(r.Events), Active: r.Active,
		CreatedAt: at, UpdatedAt: at, Version: 1}
}

// events are the names that are wanted, in the order in which they are kept.
func events(wanted []string) []string {
	list := slices.Clone(wanted)
	if len(list) == 0 {
		for _, name := range domain.Announcements(true) {
			list = append(list, string(name))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// created answers a request that has been made before by its idempotency key.
// ErrNotFound if it has not.
func (s *Service) created(ctx context.Context, id string, r ports.WebhookRequest, key *ports.IdempotencyKey) (ports.WebhookReceipt, error) {
	w, err := s.Store.Webhook(ctx, id)
	if err != nil {
		return ports.WebhookReceipt{}, err
	}
	// Every secret knows the request that made its subscription.
	secret, err := webhook.OpenSecret(s.Sealer, id, w.Secrets[0].Sealed)
	switch {
	case err != nil:
		return ports.WebhookReceipt{}, err
	case secret.Created != key.Fingerprint:
		return ports.WebhookReceipt{}, ports.ErrKeyReused
	}
	return ports.WebhookReceipt{Webhook: requested(id, r, w.CreatedAt), Replayed: true}, nil
}

func (s *Service) checkTarget(ctx context.Context, url string) error {
	u, err := s.Guard.CheckURL(url)
	if err != nil {
		return err
	}
	return s.Guard.CheckHost(ctx, u.Hostname())
}

// Webhook is one subscription; see ports.Webhooks.
func (s *Service) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	return s.Store.Webhook(ctx, id)
}

// Webhooks are all subscriptions; see ports.Webhooks.
func (s *Service) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	return s.Store.Webhooks(ctx)
}

// UpdateWebhook changes a subscription; see ports.Webhooks.
func (s *Service) UpdateWebhook(ctx context.Context, id string, c ports.WebhookChange) (ports.Webhook, error) {
	if c.URL != nil {
		if err := s.checkTarget(ctx, *c.URL); err != nil {
			return ports.Webhook{}, err
		}
	}
	return s.change(ctx, id, func(w *ports.Webhook) error {
		if c.URL != nil {
			w.URL = *c.URL
		}
		if c.Description != nil {
			w.Description = *c.Description
		}
		if c.Events != nil {
			w.Events = events(c.Events)
		}
		if c.Active != nil {
			w.Active, w.Disabled = *c.Active, ""
		}
		return nil
	})
}

// change makes a change on what is stored, anew if somebody else was faster.
func (s *Service) change(ctx context.Context, id string, how func(*ports.Webhook) error) (ports.Webhook, error) {
	for try := 1; ; try++ {
		before, err := s.Store.Webhook(ctx, id)
		if err != nil {
			return ports.Webhook{}, err
		}
		after := before
		after.Secrets = slices.Clone(before.Secrets)
		if err := how(&after); err != nil {
			return ports.Webhook{}, err
		}
		after.Version, after.UpdatedAt = before.Version+1, s.now()
		err = s.Store.SaveWebhook(ctx, after, s.audit(ctx, id, &before, &after))
		if errors.Is(err, ports.ErrConflict) && try < updateTries {
			continue
		}
		if err != nil {
			return ports.Webhook{}, err
		}
		s.Changed()
		if after.Active && !before.Active {
			after.FailingSince = time.Time{}
		}
		return after, nil
	}
}

// DeleteWebhook removes a subscription; see ports.Webhooks.
func (s *Service) DeleteWebhook(ctx context.Context, id string) error {
	before, err := s.Store.Webhook(ctx, id)
	if err != nil {
		return err
	}
	if err := s.Store.DeleteWebhook(ctx, id, s.audit(ctx, id, &before, nil)); err != nil {
		return err
	}
	s.Changed()
	return nil
}
