package service_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

func TestBrokenContractsHaveAStatusAndNoOutcome(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("done")))
	for name, tc := range map[string]struct {
		action string
		body   command
		status int
		code   string
	}{
		"unknown action":         {"sing", execute("k"), 404, participant.CodeUnknownAction},
		"undo as a step":         {"silence", execute("k"), 400, service.CodeWrongDirection},
		"step as an undo":        {"ring", compensate("u", "done"), 400, service.CodeWrongDirection},
		"undo of nothing":        {"silence", execute("u").with("direction", "COMPENSATE"), 400, service.CodeForwardRequired},
		"undo of something else": {"silence_later", compensate("u", "done"), 400, service.CodeWrongUndo},
		"parameters missing":     {"ring", command{"commandId": "k", "direction": "EXECUTE"}, 400, service.CodeInvalidParameters},
		"another service":        {"ring", execute("k").with("service", "horn-service"), 400, participant.CodeWrongService},
		"another action":         {"ring", execute("k").with("action", "silence"), 400, participant.CodeInvalidCommand},
		"no key":                 {"ring", execute(""), 400, participant.CodeInvalidCommand},
		"no direction":           {"ring", execute("k").with("direction", "BACK"), 400, participant.CodeInvalidCommand},
	} {
		a := s.send(tc.action, tc.body)
		if a.status != tc.status || a.code() != tc.code || a.Outcome != "" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	s.effects("ring")
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.want(s.post("ring", []byte(`{"commandId":`), nil), "", 400, participant.CodeInvalidCommand)
	s.want(s.post("ring", nil, nil), "", 400, participant.CodeInvalidCommand)
	large := []byte(`{"x":"` + strings.Repeat("x", participant.MaxCommandBytes) + `"}`)
	s.want(s.post("ring", large, nil), "", 413, participant.CodeCommandTooLarge)
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	s.want(s.post("ring", large, chunked), "", 413, participant.CodeCommandTooLarge)
	s.effects()
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k").with("ofTheFuture", map[string]any{"a": []int{1}})))
	s.effects("ring")
}

func TestTheHeaderNamesTheSameKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	body, err := json.Marshal(execute("k"))
	if err != nil {
		t.Fatal(err)
	}
	header := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
	}
	s.want(s.post("ring", body, header("another")), "", 400, participant.CodeKeyMismatch)
	s.effects()
	s.succeeds(s.post("ring", body, header("k")))
	s.effects("ring")
}

func TestOnlySignedCommandsAreObeyed(t *testing.T) {
	t.Parallel()
	secret, err := webhook.ParseSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *service.Config) { c.Secret = secret })
	body, err := json.Marshal(execute("k"))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(at time.Time, text string) func(*http.Request) {
		return func(r *http.Request) { webhook.SetHeaders(r.Header, "msg_1", at, []byte(text), secret) }
	}
	now := time.Now()
	s.want(s.post("ring", body, nil), "", 401, participant.CodeInvalidSignature)
	s.want(s.post("ring", body, signed(now, "another body")), "", 401, participant.CodeInvalidSignature)
	s.want(s.post("ring", body, signed(now.Add(-6*time.Minute), string(body))), "", 401, participant.CodeInvalidSignature)
	s.effects()
	s.succeeds(s.post("ring", body, signed(now, string(body))))
	s.effects("ring")
}

func health(s *subject) (int, string) {
	w := httptest.NewRecorder()
	s.svc.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := start(t)
	if status, body := health(s); status != 200 || body != `{"status":"UP"}` {
		t.Errorf("got %d %s", status, body)
	}
	w := httptest.NewRecorder()
	s.svc.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ring", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET of an action: %d", w.Code)
	}
}

// When the ledger fails in the middle of a command, nobody knows whether it
// happened: 500, which a coordinator reads as UNKNOWN. What comes afterwards is
// refused before it is tried: 503, which means known not done.
func TestALedgerThatFailsStopsTheService(t *testing.T) {
	t.Parallel()
	var svc *service.Service
	breaking := service.Definition{Name: "bell-service", Actions: map[string]service.Action{
		"ring": {Do: func(*coordination.Command) (service.Decision, error) {
			if err := svc.Close(); err != nil {
				return service.Decision{}, errors.New("could not break it")
			}
			return service.Succeed("ring", struct{}{})
		}},
	}}
	s := start(t)
	s.close()
	var err error
	svc, err = service.Open(breaking, service.Config{Ledger: filepath.Join(t.TempDir(), "l"), Log: s.cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	s.svc = svc
	s.want(s.send("ring", execute("k")), coordination.OutcomeUnknown, 500, "IN_DOUBT")
	s.want(s.send("ring", execute("k")), coordination.OutcomeRetry, 503, service.CodeLedgerFailed)
	if status, body := health(s); status != 503 || body != `{"status":"DOWN"}` {
		t.Errorf("got %d %s", status, body)
	}
}

func TestADamagedLedgerStopsTheStart(t *testing.T) {
	t.Parallel()
	if _, err := service.Open(bell(), service.Config{Ledger: t.TempDir()}); err == nil {
		t.Error("a directory was opened as a ledger")
	}
}
