package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// NewRequest is a delivery of an event as the coordinator sends it: sealed by
// the first secret, and signed now by all of them. An event without a timestamp
// is of now. Package webhooktest has more for the tests of a receiver.
func NewRequest(ctx context.Context, url string, e Event, secrets ...Secret) (*http.Request, error) {
	now := time.Now()
	if e.Timestamp.IsZero() {
		e.Timestamp = now.UTC().Truncate(time.Millisecond)
	}
	if len(e.Data) == 0 {
		e.Data = json.RawMessage("{}")
	}
	body, err := json.Marshal(e)
	if i := slices.IndexFunc(secrets, func(s Secret) bool { return !s.IsZero() }); err == nil && i >= 0 {
		body, err = Seal(body, secrets[i])
	}
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	SetHeaders(r.Header, e.ID, now, body, secrets...)
	return r, nil
}
