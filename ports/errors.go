package ports

import (
	"errors"
	"fmt"
)

// Errors that adapters and the engine share. Compare with errors.Is.
var (
	// ErrNotFound: there is no such workflow, saga, template or record.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the change was decided on a state that is no longer the stored one.
	ErrConflict = errors.New("stale version or holder")
	// ErrBusinessKeyTaken: an active or COMPLETED workflow of the type has this business key.
	ErrBusinessKeyTaken = errors.New("business key is taken")
	// ErrIdempotencyKeyTaken: a record with this scope exists.
	ErrIdempotencyKeyTaken = errors.New("idempotency key is taken")
	// ErrBadCursor: the cursor is not one that this list, with these filters and this order, gave.
	ErrBadCursor = errors.New("not a cursor of this list")
	// ErrOverloaded: a bounded queue is full; nothing was done, try again later.
	ErrOverloaded = errors.New("too much work in progress")
	// ErrUnavailable: the store cannot be reached; whether a change was made is not known.
	ErrUnavailable = errors.New("store unavailable")
	// ErrKeyReused: the idempotency key was used with another request.
	ErrKeyReused = errors.New("idempotency key was used with another request")
	// ErrUnknownToken: the callback token authorises nothing.
	ErrUnknownToken = errors.New("unknown callback token")
	// ErrClosed: the engine is draining or stopped.
	ErrClosed = errors.New("coordinator is shutting down")
)

// ExistsError says which workflow holds a business key. It is ErrBusinessKeyTaken.
type ExistsError struct{ WorkflowID string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("workflow %s exists for this business key", e.WorkflowID)
}

// Unwrap makes errors.Is(err, ErrBusinessKeyTaken) true.
func (e *ExistsError) Unwrap() error { return ErrBusinessKeyTaken }
