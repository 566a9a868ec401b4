package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/golden"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// delivery is a golden webhook with all that is sent.
type delivery struct {
	Message string            `json:"message"`
	Secrets []string          `json:"secrets"`
	Headers map[string]string `json:"headers"`

	body    []byte
	secrets []webhook.Secret
	at      time.Time
}

func deliveries(t *testing.T) (all []delivery) {
	t.Helper()
	if err := json.Unmarshal(golden.Deliveries(), &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		d := &all[i]
		d.body = golden.Message(d.Message)
		for _, text := range d.Secrets {
			d.secrets = append(d.secrets, secret(t, text))
		}
		seconds, err := strconv.ParseInt(d.Headers["webhook-timestamp"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		d.at = time.Unix(seconds, 0)
	}
	return all
}

func (d *delivery) header() http.Header {
	h := http.Header{}
	for name, value := range d.Headers {
		h.Set(name, value)
	}
	return h
}

func TestGoldenDeliveriesAreSignedAsWeSign(t *testing.T) {
	t.Parallel()
	sent := map[string]bool{}
	for _, d := range deliveries(t) {
		sent[d.Message] = true
		e, err := webhook.ParseEvent(d.body)
		if err != nil {
			t.Errorf("%s: %v", d.Message, err)
			continue
		}
		h := http.Header{}
		webhook.SetHeaders(h, e.ID, d.at, d.body, d.secrets...)
		for _, name := range []string{webhook.HeaderID, webhook.HeaderTimestamp, webhook.HeaderSignature} {
			if got, want := h.Get(name), d.header().Get(name); got != want {
				t.Errorf("%s: we send %s: %s, the golden delivery has %s", d.Message, name, got, want)
			}
		}
		for _, s := range d.secrets {
			if err := webhook.Verify(d.header(), d.body, d.at, s); err != nil {
				t.Errorf("%s: %v", d.Message, err)
			}
		}
		if err := webhook.Verify(d.header(), bytes.TrimSpace(d.body), d.at, d.secrets...); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%s with another body: %v", d.Message, err)
		}
	}
	for _, name := range golden.Names() {
		if strings.HasPrefix(name, "webhook") && !sent[name] {
			t.Errorf("there is no golden delivery of %s", name)
		}
	}
}

// The seals were made by another implementation of RFC 8785, in JavaScript,
// whose JSON.stringify that specification is written after.
func TestGoldenDeliveriesAreSealedAsWeSeal(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries(t) {
		if err := webhook.VerifySeal(d.body, d.secrets...); err != nil {
			t.Errorf("%s: %v", d.Message, err)
		}
		if err := webhook.VerifySeal(d.body, other(t)); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%s with another secret: %v", d.Message, err)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(d.body, &members); err != nil {
			t.Fatal(err)
		}
		seal := members[webhook.SealMember]
		delete(members, webhook.SealMember)
		bare, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := webhook.Seal(bare, d.secrets[0])
		if err != nil || !bytes.HasSuffix(sealed, append(seal, '}')) {
			t.Errorf("%s: we seal it as %s (%v), not with %s", d.Message, sealed, err, seal)
		}
	}
}

func TestGoldenDeliveriesAreReceived(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries(t) {
		var got webhook.Event
		receiver := &webhook.Handler{Secrets: d.secrets[:1], Now: func() time.Time { return d.at },
			Handle: func(_ context.Context, e webhook.Event) error { got = e; return nil }}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(d.body))
		r.Header = d.header()
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, r)
		if w.Code != http.StatusNoContent || got.ID != d.Headers["webhook-id"] || got.Event != "workflow.step.completed" {
			t.Errorf("%s: answered %d, received %+v", d.Message, w.Code, got)
		}
	}
}
