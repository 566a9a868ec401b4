package webhooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/ports"
)

// webhookID is the ID of the subscription that a request with an idempotency
// key makes: it follows from the scope, so that the request has its effect once
// however many replicas take it at once.
func webhookID(scope string) string { return webhookPrefix + wire.NamedUUID("webhook "+scope).String() }

// errRotated: a request that has been made before by its idempotency key.
var errRotated = errors.New("rotated before")

// RotateSecret makes a new secret; see ports.Webhooks.
func (s *Service) RotateSecret(ctx context.Context, id string, overlap time.Duration, key *ports.IdempotencyKey) (ports.RotationReceipt, error) {
	if overlap < 0 || overlap > ports.MaxSecretOverlap {
		return ports.RotationReceipt{}, fmt.Errorf("overlap %s is not between 0 and %s", overlap, ports.MaxSecretOverlap)
	}
	fresh := webhook.Secret{Secret: webhook.NewSecret()}
	if key != nil {
		fresh.Scope, fresh.Fingerprint = key.Scope, key.Fingerprint
	}
	var before ports.RotationReceipt
	_, err := s.change(ctx, id, func(w *ports.Webhook) error {
		known := s.open(w)
		if at := madeBy(known, key); at >= 0 {
			if known[at].Fingerprint != key.Fingerprint {
				return ports.ErrKeyReused
			}
			before = ports.RotationReceipt{RotatedAt: known[at].At, OverlapUntil: known[at].At.Add(overlap), Replayed: true}
			return errRotated
		}
		fresh.At = s.now()
		if len(known) > 0 {
			fresh.Created = known[0].Created
		}
		return s.replace(w, fresh, fresh.At.Add(overlap))
	})
	switch {
	case errors.Is(err, errRotated):
		return before, nil
	case err != nil:
		return ports.RotationReceipt{}, err
	}
	return ports.RotationReceipt{Secret: fresh.Reveal(), RotatedAt: fresh.At, OverlapUntil: fresh.At.Add(overlap)}, nil
}

// open opens the secrets of a subscription and drops those that cannot be: they
// sign no more, and a new one is the way out.
func (s *Service) open(w *ports.Webhook) []webhook.Secret {
	var known []webhook.Secret
	var sealed []ports.SealedSecret
	for _, one := range w.Secrets {
		if secret, err := webhook.OpenSecret(s.Sealer, w.ID, one.Sealed); err == nil {
			known, sealed = append(known, secret), append(sealed, one)
		}
	}
	w.Secrets = sealed
	return known
}

// madeBy finds the secret that a request with this key made; -1 if none did.
func madeBy(secrets []webhook.Secret, key *ports.IdempotencyKey) int {
	return slices.IndexFunc(secrets, func(s webhook.Secret) bool { return key != nil && s.Scope == key.Scope })
}

// replace puts a secret in front of the others. Those that have expired are
// kept as long as there is room, only to know the requests that made them.
func (s *Service) replace(w *ports.Webhook, fresh webhook.Secret, until time.Time) error {
	sealed, err := webhook.SealSecret(s.Sealer, w.ID, fresh)
	if err != nil {
		return err
	}
	list := []ports.SealedSecret{{Sealed: sealed}}
	var expired []ports.SealedSecret
	for _, old := range w.Secrets {
		if old.Until.IsZero() { // the current one
			old.Until = until
		}
		if old.Until.After(fresh.At) {
			list = append(list, old)
		} else {
			expired = append(expired, old)
		}
	}
	if len(list) > ports.MaxSecrets {
		return ports.ErrTooManySecrets
	}
	w.Secrets = append(list, expired[:min(len(expired), ports.MaxSecrets-len(list))]...)
	return nil
}
