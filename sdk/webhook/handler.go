package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// MaxEventBytes bounds the body that a Handler reads.
const MaxEventBytes = 1 << 20

// Event is a webhook of the coordinator. Its ID is the same whenever it is
// delivered: remember it, since a delivery whose answer was lost comes again.
// The payload that is sent has a seal besides; see [VerifySeal].
type Event struct {
	ID        string          `json:"id" minLength:"1" doc:"Identifier of the event, the same whenever it is delivered" example:"evt-019bc123-6d40-7b2e-9c5a-3f1d2e4a5b6c"`
	Timestamp time.Time       `json:"timestamp" doc:"When it happened" example:"2026-01-15T10:00:36Z"`
	Event     string          `json:"event" minLength:"1" doc:"What happened; there may be more kinds than a receiver knows" example:"workflow.step.completed"`
	Data      json.RawMessage `json:"data" doc:"What it is about"`
}

// Handler receives webhooks: it verifies each and answers as the coordinator
// expects. Of events that it does not know, Handle returns nil.
type Handler struct {
	// Secrets may have signed; more than one while a secret is rotated.
	Secrets []Secret
	// Handle takes an event into care, quickly: the coordinator waits ten
	// seconds. Events of a workflow may come again, and in another order. After
	// an error the event is delivered again later.
	Handle func(ctx context.Context, e Event) error
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

var _ http.Handler = (*Handler)(nil)

// ServeHTTP takes one delivery: 204 if it was handled, 401 if it is not signed
// by one of the secrets, 400 if it is no event, 503 if Handle failed.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxEventBytes))
	if err != nil {
		http.Error(w, fmt.Sprintf("want at most %d bytes", MaxEventBytes), http.StatusRequestEntityTooLarge)
		return
	}
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	if err := Verify(r.Header, body, now(), h.Secrets...); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	e, err := ParseEvent(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.Handle(r.Context(), e); err != nil { // its text is the receiver's own business
		http.Error(w, "not handled, try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ErrEvent: the body is no event. It is not quoted.
var ErrEvent = errors.New("the body is no event: want a JSON object with id and event")

// ParseEvent reads the body of a delivery, which must have been verified.
// Members that are not known are passed over.
func ParseEvent(body []byte) (Event, error) {
	var e Event
	if json.Unmarshal(body, &e) != nil || e.ID == "" || e.Event == "" {
		return Event{}, ErrEvent
	}
	return e, nil
}
