package ports

import (
	"context"
	"encoding/json"
	"time"
)

// AuditEntry says who changed what, and why. Entries are appended and never
// changed; retention alone removes them.
type AuditEntry struct {
	ID        string // aud-…, in the order of time
	At        time.Time
	Subject   string // of the token, never what a body claims
	Role      string
	Action    string // the operation, such as cancelWorkflow
	Target    string // workflow, saga, webhook or batch
	Reason    string // what the caller gave as the reason; "" if nothing
	RequestID string
	TraceID   string
	// Before and After are JSON objects that say what the change did, without
	// anything sensitive; nil if there was, or is, nothing.
	Before json.RawMessage
	After  json.RawMessage
}

// AuditLog keeps who changed what. The entry of a change to a workflow travels
// in its Change, that of a subscription or batch with what saves it: it is
// durable exactly if what it tells of is.
type AuditLog interface {
	// ListAudit pages through entries, newest first.
	ListAudit(ctx context.Context, q AuditQuery) (AuditPage, error)
}

// AuditQuery selects entries; empty members select all.
type AuditQuery struct {
	Subject string
	Action  string
	Target  string
	From    time.Time // inclusive
	To      time.Time // exclusive
	Offset  int
	Limit   int // 1 to 100
	// Cursor continues after the last entry of an earlier page with the same
	// filters; Offset must then be 0.
	Cursor string
}

// AuditPage is one page of entries.
type AuditPage struct {
	Entries    []AuditEntry
	NextCursor string // "" on the last page
	Total      int    // exact up to MaxCount
}

// Actor is on whose behalf a request is made.
type Actor struct {
	Subject   string
	Role      string
	Operation string
	RequestID string
	TraceID   string
	// Reason is why, where that is not what the request itself says; "" otherwise.
	Reason string
}

type actorKey struct{}

// WithActor says on whose behalf what is done with the context is done, for the
// audit. A change without an actor, such as a timer's, has no entry.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is on whose behalf ctx is; false if on nobody's.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}
