package ports

import (
	"context"
	"errors"
	"time"
)

// MaxWebhooks is how many subscriptions there can be.
const MaxWebhooks = 200

// ErrTooManyWebhooks: there are MaxWebhooks subscriptions.
var ErrTooManyWebhooks = errors.New("too many webhooks")

// Webhook is a subscription: whom to tell of which events.
type Webhook struct {
	ID          string // whk-…
	URL         string
	Description string
	Events      []string // names such as workflow.completed, sorted, at least one
	Active      bool
	// Disabled says why the coordinator, rather than a person, made it inactive; "" otherwise.
	Disabled string
	// Secrets sign: the current one first, then those that a rotation left to overlap.
	Secrets   []SealedSecret
	CreatedAt time.Time
	UpdatedAt time.Time
	// FailingSince is the first failed attempt since the last one that was
	// delivered; zero if there is none. Only SettleDeliveries, and SaveWebhook as it says, change it.
	FailingSince time.Time
	// Version counts what persons changed, from 1.
	Version int
}

// SealedSecret is a secret as it is stored: encrypted.
type SealedSecret struct {
	Sealed []byte
	// Until is when it no longer signs; zero for the current one.
	Until time.Time
}

// WebhookStore keeps subscriptions.
type WebhookStore interface {
	// SaveWebhook creates a subscription (Version 1) or replaces the one whose
	// Version is one less, and writes the audit entry with it. ErrConflict if the
	// stored version is another, ErrNotFound if a later one is not there,
	// ErrTooManyWebhooks.
	// FailingSince is kept as it is stored, but cleared when the stored one was
	// inactive and w is active. A subscription that is made inactive fails its
	// deliveries that are not settled.
	SaveWebhook(ctx context.Context, w Webhook, audit *AuditEntry) error
	// DeleteWebhook removes a subscription with its deliveries. ErrNotFound.
	DeleteWebhook(ctx context.Context, id string, audit *AuditEntry) error
	// Webhook by ID. ErrNotFound.
	Webhook(ctx context.Context, id string) (Webhook, error)
	// Webhooks are all subscriptions, oldest first.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// DisableWebhook makes an active subscription inactive because of what its
	// receiver did, and fails its deliveries that are not settled. It reports
	// false if it was inactive or is gone.
	DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error)
}

// Notice asks, as a part of a Change, that whoever subscribed to an event is
// told of it. When the change is committed, each subscription that is active
// then and wants the event has one more delivery; none has when it is refused.
type Notice struct {
	Sequence int    // of the event in its workflow
	Event    string // its name in subscriptions
	At       time.Time
}

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending   DeliveryStatus = "PENDING"   // not attempted, or asked for again
	DeliveryRetrying  DeliveryStatus = "RETRYING"  // to be attempted again
	DeliveryDelivered DeliveryStatus = "DELIVERED" // settled
	DeliveryFailed    DeliveryStatus = "FAILED"    // settled: given up
)

// DeliveryKey names a delivery: one event, one subscription.
type DeliveryKey struct {
	WebhookID  string
	WorkflowID string
	Sequence   int
}

// Delivery is an event on its way to a subscription.
type Delivery struct {
	DeliveryKey
	Event          string
	Status         DeliveryStatus
	Attempts       int
	CreatedAt      time.Time // the event's time
	LastAttemptAt  time.Time // zero before the first
	NextAttemptAt  time.Time // zero once settled
	ResponseStatus int       // of the last attempt; 0 if there was no response
	Error          string    // what was wrong with the last attempt, in words that are safe to show
}

// Attempt is what came of one attempt of a delivery.
type Attempt struct {
	DeliveryKey
	At             time.Time
	Status         DeliveryStatus // DELIVERED, RETRYING or FAILED
	NextAttemptAt  time.Time      // with RETRYING
	ResponseStatus int
	Error          string
}

// DeliveryStore keeps deliveries. Time is the store's where it decides who may
// attempt, never the caller's.
type DeliveryStore interface {
	// ClaimDeliveries takes over deliveries that are due and that nobody holds,
	// or whose holder's lease has run out: for each subscription in room at most
	// as many as it says, those due first before the others. Of one workflow and
	// subscription, a delivery whose first attempt is not settled holds up those
	// of later events that were never attempted. No two claims return the same
	// delivery unless its holder's lease ran out between them. Deliveries of
	// inactive subscriptions are not claimed.
	ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]Delivery, error)
	// SettleDeliveries records attempts and gives up the hold. What is gone, or
	// held by another replica meanwhile, is passed over. A delivered attempt
	// clears the subscription's FailingSince, a failed one sets it to its time if
	// it is zero. At most MaxBatch attempts.
	SettleDeliveries(ctx context.Context, replica string, attempts []Attempt) error
	// ListDeliveries pages through the deliveries of a subscription, newest event first.
	ListDeliveries(ctx context.Context, q DeliveryQuery) (DeliveryPage, error)
	// Redeliver makes one delivery PENDING and due now, whatever its status, and
	// writes the idempotency record and the audit entry with it, if given.
	// ErrNotFound; ErrIdempotencyKeyTaken, and nothing is done. One that is being
	// attempted is attempted again.
	Redeliver(ctx context.Context, key DeliveryKey, once *IdempotencyRecord, audit *AuditEntry) error
	// RecoverDeliveries makes every FAILED delivery of a subscription whose event
	// happened at since or later PENDING and due now, and returns how many. The
	// audit entry is written if there are any. The idempotency record, if given,
	// is written with the last of them, or alone, with how many there were as its
	// Version; ErrIdempotencyKeyTaken, and nothing is done.
	RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *IdempotencyRecord, audit *AuditEntry) (int, error)
	// DeliveryBacklog counts what active subscriptions have that is not settled, up
	// to MaxCount, and says since when the oldest is due; zero if there is none.
	DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error)
}

// DeliveryQuery selects deliveries; empty members select all.
type DeliveryQuery struct {
	WebhookID string
	Status    DeliveryStatus
	Offset    int
	Limit     int // 1 to 100
	// Cursor continues after the last delivery of an earlier page with the same
	// filters; Offset must then be 0.
	Cursor string
}

// DeliveryPage is one page of deliveries. Ties of the event's time are ordered
// by workflow ID and sequence, both descending.
type DeliveryPage struct {
	Deliveries []Delivery
	NextCursor string // "" on the last page
	Total      int    // exact up to MaxCount
}

// TargetError says why a webhook may not be sent to a URL. It does not quote
// the URL, which may hold a secret.
type TargetError struct{ Reason string }

func (e *TargetError) Error() string { return "not a webhook target: " + e.Reason }
