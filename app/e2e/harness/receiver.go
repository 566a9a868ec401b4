package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Receiver is a receiver of webhooks as the SDK makes one: what it takes is
// verified, and kept.
type Receiver struct {
	server *httptest.Server

	mu      sync.Mutex
	secrets []webhook.Secret
	got     []Received
	seen    int
	// misbehave, if set, answers instead; false leaves it to the handler.
	misbehave func(n int, w http.ResponseWriter, r *http.Request) bool
}

// Received is a delivery that was verified.
type Received struct {
	coordination.WebhookPayload
	Body   string // byte for byte
	Header http.Header
	At     time.Time
}

// NewReceiver starts a receiver that knows no secret yet.
func NewReceiver(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{}
	r.server = httptest.NewServer(r)
	tb.Cleanup(func() {
		r.server.CloseClientConnections() // one may hang on purpose
		r.server.Close()
	})
	return r
}

// URL is where deliveries are posted to.
func (r *Receiver) URL() string { return r.server.URL + "/hook" }

// Knows makes these the secrets that deliveries are verified by.
func (r *Receiver) Knows(tb testing.TB, secrets ...string) {
	tb.Helper()
	var parsed []webhook.Secret
	for _, text := range secrets {
		secret, err := webhook.ParseSecret(text)
		if err != nil {
			tb.Fatal(err)
		}
		parsed = append(parsed, secret)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = parsed
}

// Misbehave answers requests instead of the handler, as long as it returns
// true; n counts all requests from 1.
func (r *Receiver) Misbehave(how func(n int, w http.ResponseWriter, r *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.misbehave = how
}

// Subscribe makes a webhook of the receiver, to the events that are told by
// default or to these, and lets it know the secret.
func (r *Receiver) Subscribe(tb testing.TB, client *coordination.Client, events ...coordination.WebhookEvent) *coordination.Webhook {
	tb.Helper()
	hook, err := client.Webhooks.Create(tb.Context(), coordination.WebhookRequest{URL: r.URL(), Events: events})
	if err != nil {
		tb.Fatal(err)
	}
	r.Knows(tb, hook.Secret)
	return hook
}

// Got is what was taken so far, in the order of arrival.
func (r *Receiver) Got() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Received(nil), r.got...)
}

// Of is what was taken of one workflow.
func (r *Receiver) Of(workflowID string) []Received {
	var list []Received
	for _, one := range r.Got() {
		if one.Data.WorkflowID == workflowID {
			list = append(list, one)
		}
	}
	return list
}

// Requests counts all requests, also those that were not taken.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// ServeHTTP takes a delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.seen++
	n, misbehave, secrets := r.seen, r.misbehave, r.secrets
	r.mu.Unlock()
	if misbehave != nil && misbehave(n, w, request) {
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	handler := webhook.Handler{Secrets: secrets, Handle: func(context.Context, webhook.Event) error {
		one := Received{Body: string(body), Header: request.Header.Clone(), At: time.Now()}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&one.WebhookPayload); err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, one)
		return nil
	}}
	handler.ServeHTTP(w, request)
}
