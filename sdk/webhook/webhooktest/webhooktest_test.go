package webhooktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
	"github.com/firstviscount/platform-coordination/sdk/webhook/webhooktest"
)

func newSecret(t *testing.T, key string) webhook.Secret {
	t.Helper()
	s, err := webhook.NewSecret([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAReceiver(t *testing.T) {
	t.Parallel()
	before, after, foreign := newSecret(t, "the secret before: 24 bytes"), newSecret(t, "the secret after: 24 bytes!"), newSecret(t, "a secret of somebody else's")
	var got []webhook.Event
	var failure error
	receiver := &webhook.Handler{Secrets: []webhook.Secret{before, after}, Handle: func(_ context.Context, e webhook.Event) error {
		got = append(got, e)
		return failure
	}}
	e := webhooktest.NewEvent(t, "workflow.completed", map[string]string{"workflowId": "wf-1"})
	for _, secrets := range [][]webhook.Secret{{before}, {after}, {foreign, after}} {
		if w := webhooktest.Deliver(t, receiver, e, secrets...); w.Code != http.StatusNoContent {
			t.Errorf("answered %d: %s", w.Code, w.Body)
		}
	}
	if len(got) != 3 || got[0].ID != e.ID || got[0].Event != "workflow.completed" || string(got[0].Data) != `{"workflowId":"wf-1"}` || !got[0].Timestamp.Equal(e.Timestamp) {
		t.Errorf("handled %+v", got)
	}

	got = nil
	for name, c := range map[string]struct {
		secrets []webhook.Secret
		change  func(*http.Request)
		status  int
	}{
		"of somebody else": {[]webhook.Secret{foreign}, nil, http.StatusUnauthorized},
		"unsigned":         {nil, nil, http.StatusUnauthorized},
		"changed": {[]webhook.Secret{before}, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"id":"evt-1","event":"x"}`)) },
			http.StatusUnauthorized},
		"old": {[]webhook.Secret{before}, func(r *http.Request) { r.Header.Set(webhook.HeaderTimestamp, "1700000000") }, http.StatusUnauthorized},
		"too large": {[]webhook.Secret{before}, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", webhook.MaxEventBytes+1)))
		}, http.StatusRequestEntityTooLarge},
		"by GET": {[]webhook.Secret{before}, func(r *http.Request) { r.Method = http.MethodGet }, http.StatusMethodNotAllowed},
		"no event": {[]webhook.Secret{before}, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`[]`))
			webhook.SetHeaders(r.Header, "evt-1", time.Now(), []byte(`[]`), before)
		}, http.StatusBadRequest},
	} {
		r := webhooktest.NewRequest(t, e, c.secrets...)
		if c.change != nil {
			c.change(r)
		}
		w := httptest.NewRecorder()
		if receiver.ServeHTTP(w, r); w.Code != c.status || len(got) != 0 {
			t.Errorf("%s: answered %d, handled %v", name, w.Code, got)
		}
	}

	failure = errors.New("secret of the receiver")
	if w := webhooktest.Deliver(t, receiver, e, before); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("answered %d: %s", w.Code, w.Body)
	}
}

func TestADeliveryIsSealed(t *testing.T) {
	t.Parallel()
	s := newSecret(t, "the secret of this test: it")
	for _, data := range []any{nil, map[string]any{"amount": json.Number("1499.970"), "note": "<&>"}} {
		body, err := io.ReadAll(webhooktest.NewRequest(t, webhooktest.NewEvent(t, "workflow.started", data), s).Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.VerifySeal(body, s); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}
