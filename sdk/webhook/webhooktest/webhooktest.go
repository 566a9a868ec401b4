// Package webhooktest delivers events to a receiver of webhooks as the
// coordinator does, for the receiver's own tests.
//
//	e := webhooktest.NewEvent(t, "workflow.completed", map[string]string{"workflowId": "wf-1"})
//	for range 2 { // the first answer may have been lost
//		if got := webhooktest.Deliver(t, receiver, e, secret); got.Code != http.StatusNoContent {
//			t.Errorf("answered %d: %s", got.Code, got.Body)
//		}
//	}
package webhooktest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// NewEvent is an event that was never sent before. data, its members, must be
// encodable as JSON; nil is an empty object.
func NewEvent(tb testing.TB, name string, data any) webhook.Event {
	tb.Helper()
	e := webhook.Event{ID: "evt-" + strings.ToLower(rand.Text()), Event: name, Timestamp: time.Now().UTC().Truncate(time.Millisecond)}
	if data == nil {
		return e
	}
	var err error
	if e.Data, err = json.Marshal(data); err != nil {
		tb.Fatalf("webhooktest: the data of an event: %v", err)
	}
	return e
}

// NewRequest is the delivery of an event as a handler sees it: sealed by the
// first secret and signed now by all of them. Change it, to see what the
// receiver refuses, and serve it.
func NewRequest(tb testing.TB, e webhook.Event, secrets ...webhook.Secret) *http.Request {
	tb.Helper()
	sent, err := webhook.NewRequest(tb.Context(), "http://receiver.test/", e, secrets...)
	if err != nil {
		tb.Fatalf("webhooktest: %v", err)
	}
	body, err := io.ReadAll(sent.Body)
	if err != nil {
		tb.Fatalf("webhooktest: %v", err)
	}
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
	r.Header = sent.Header
	return r
}

// Deliver lets a receiver take an event, signed now by the secrets, and returns
// what it answered: 2xx is what the coordinator takes for yes.
func Deliver(tb testing.TB, receiver http.Handler, e webhook.Event, secrets ...webhook.Secret) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, NewRequest(tb, e, secrets...))
	return w
}
