package ports

import (
	"context"
	"errors"
	"time"
)

// Limits of subscriptions.
const (
	// MaxSecrets is how many secrets of a subscription may sign at once.
	MaxSecrets = 8
	// MaxSecretOverlap is how long a secret may sign after it was replaced.
	MaxSecretOverlap = 7 * 24 * time.Hour
)

// ErrTooManySecrets: MaxSecrets secrets of the subscription sign now.
var ErrTooManySecrets = errors.New("too many secrets overlap")

// Webhooks is everything that can be asked of subscriptions. Each call returns
// after its effect is committed. Errors: ErrNotFound, ErrConflict,
// ErrUnavailable, ErrKeyReused, ErrTooManyWebhooks, ErrTooManySecrets,
// ErrBadCursor, *TargetError, or the context's.
type Webhooks interface {
	// CreateWebhook makes a subscription with a new secret.
	CreateWebhook(ctx context.Context, r WebhookRequest, key *IdempotencyKey) (WebhookReceipt, error)
	// Webhook is one subscription. It shows no secret.
	Webhook(ctx context.Context, id string) (Webhook, error)
	// Webhooks are all subscriptions, oldest first.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// UpdateWebhook changes what is given.
	UpdateWebhook(ctx context.Context, id string, c WebhookChange) (Webhook, error)
	// DeleteWebhook removes a subscription with its deliveries.
	DeleteWebhook(ctx context.Context, id string) error
	// RotateSecret makes a new secret; the one before signs too for overlap.
	RotateSecret(ctx context.Context, id string, overlap time.Duration, key *IdempotencyKey) (RotationReceipt, error)
	// Deliveries pages through those of a subscription, newest event first.
	Deliveries(ctx context.Context, q DeliveryQuery) (DeliveryPage, error)
	// Redeliver has one delivery attempted again, whatever its status, once for
	// each idempotency key.
	Redeliver(ctx context.Context, key DeliveryKey, once *IdempotencyKey) (replayed bool, err error)
	// Recover has every delivery attempted again that was given up, of events
	// that happened at since or later, once for each idempotency key.
	Recover(ctx context.Context, webhookID string, since time.Time, once *IdempotencyKey) (RecoveryReceipt, error)
	// WebhookHealth is what there is to know of all.
	WebhookHealth(ctx context.Context) (WebhookHealth, error)
}

// WebhookRequest is what a caller gives to subscribe.
type WebhookRequest struct {
	URL         string
	Description string
	Events      []string // none: what is told by default
	Active      bool
}

// WebhookChange is what a caller wants changed; nil members stay as they are.
type WebhookChange struct {
	URL         *string
	Description *string
	Events      []string
	// Active true also ends that the coordinator has disabled it.
	Active *bool
}

// WebhookReceipt is a subscription as it was made. A replay by idempotency key
// gives the same Webhook as the first time, and no secret.
type WebhookReceipt struct {
	Webhook  Webhook
	Secret   string // whsec_…, to be shown once and never logged
	Replayed bool
}

// RotationReceipt is a new secret, with the replay rule of WebhookReceipt.
type RotationReceipt struct {
	Secret    string // as in WebhookReceipt
	RotatedAt time.Time
	// OverlapUntil is until when the secret before signs too.
	OverlapUntil time.Time
	Replayed     bool
}

// RecoveryReceipt is how many deliveries are attempted again. A replay by
// idempotency key says how many there were the first time.
type RecoveryReceipt struct {
	Recovered int
	Replayed  bool
}

// WebhookHealth is how subscriptions and their deliveries stand.
type WebhookHealth struct {
	Subscriptions int
	Disabled      int       // by the coordinator
	Pending       int       // deliveries that are not settled, up to MaxCount
	OldestDue     time.Time // zero if there is none
}
