package rest_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestUnknownPathsAndMethodsHaveTheEnvelope(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, path := range []string{"/", "/api", "/api/v1", "/api/v1/", "/api/v1/x", "/api/v1/workflows/", "/api/v1//workflows", "/api/v1/workflows/../health",
		"/api/v1/workflows/active/", "/API/V1/workflows", "/docs/", "/openapi", "/metrics", "/debug/pprof/"} {
		s.call(t, http.MethodGet, path, "").is(404).code(coordination.ErrNotFound)
	}
	for route, allow := range map[string]string{
		"DELETE /api/v1/workflows/order/start": "POST", "GET /api/v1/workflows/order/start": "POST", "PUT /api/v1/workflows": "GET, HEAD",
		"POST /api/v1/workflows/active": "GET, HEAD", "OPTIONS /api/v1/health": "GET, HEAD", "TRACE /api/v1/health": "GET, HEAD",
		"PATCH /api/v1/callbacks/x": "POST", "POST /livez": "GET, HEAD", "POST /docs": "GET, HEAD",
	} {
		method, path, _ := strings.Cut(route, " ")
		got := s.call(t, method, path, "").is(405)
		got.code(coordination.ErrMethodNotAllowed)
		if got.header.Get("Allow") != allow {
			t.Errorf("%s: Allow is %q, want %q", route, got.header.Get("Allow"), allow)
		}
	}
	s.call(t, http.MethodHead, "/api/v1/workflows", "").is(200)
}

func TestTraceIDIsTheCallersOrNew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	trace := func(parent string) string {
		return s.get(t, "/workflows/x/status", "Traceparent", parent).is(404).problem().TraceID
	}
	const id, want = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
	for _, parent := range []string{"00-" + id + "-00f067aa0ba902b7-01", "01-" + id + "-00f067aa0ba902b7-01-more"} {
		if got := trace(parent); got != want {
			t.Errorf("%q: trace ID is %s", parent, got)
		}
	}
	seen := map[string]bool{}
	for _, parent := range []string{"", "x", "00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01", "ff-" + id + "-00f067aa0ba902b7-01",
		"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "00-" + id + "-00f067aa0ba902b7-01-more", "00-" + id} {
		got := trace(parent)
		if got == want || seen[got] || !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(got) {
			t.Errorf("%q: trace ID is %s", parent, got)
		}
		seen[got] = true
	}
}

func TestRequestIDIsTheCallersOrNew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	if got := s.get(t, "/workflows", "X-Request-Id", "req-1").header.Get("X-Request-Id"); got != "req-1" {
		t.Errorf("request ID is %q", got)
	}
	for _, bad := range []string{"", "with space", strings.Repeat("x", 129), "<script>"} {
		if got := s.get(t, "/workflows", "X-Request-Id", bad).header.Get("X-Request-Id"); got == bad || got == "" {
			t.Errorf("%q: request ID is %q", bad, got)
		}
	}
}

// panicking is an engine with a fault in it.
type panicking struct{ *engine }

func (panicking) List(context.Context, ports.ListQuery) (ports.ListPage, error) {
	panic("nobody should see this: tok_secret")
}

func TestPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var log bytes.Buffer
	handler, err := rest.New(rest.Deps{Workflows: e, Answers: e, Queries: panicking{e}, Webhooks: newSubscriptions(e), Batches: newBatches(), Verify: verify, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{e, nil, nil, handler}
	got := s.get(t, "/workflows").is(500)
	got.code(coordination.ErrInternal)
	if strings.Contains(string(got.body)+log.String(), "nobody") || !strings.Contains(log.String(), "panic in a request handler") {
		t.Errorf("answer %s, log %s", got.body, log.String())
	}
	s.get(t, "/workflow-templates").is(200)
}

// TestNothingPersonalReachesLogsOrErrors sends canaries through every request
// that can carry them, good and bad, and looks for them where they must not be.
func TestNothingPersonalReachesLogsOrErrors(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	var log bytes.Buffer
	handler, err := rest.New(rest.Deps{Workflows: e, Answers: e, Queries: e, Webhooks: newSubscriptions(e), Batches: newBatches(), Verify: verify,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{e, nil, nil, handler}
	secret := func(body string) string {
		return strings.NewReplacer("tok_visa_4242", "CANARY-token", "John Doe", "CANARY-name", "123 Main St", "CANARY-street", "+1234567890", "CANARY-phone").Replace(body)
	}
	body := secret(readFile(t, "examples/order-request.json"))
	var answers []string
	note := func(r *response) *response {
		answers = append(answers, string(r.body))
		return r
	}
	started := note(s.post(t, "/workflows/order/start", body, "Authorization", "Bearer service/CALLER")).is(201)
	id := started.tree()["workflowId"].(string)
	note(s.post(t, "/workflows/order/start", body)).is(409)
	note(s.post(t, "/workflows/order/start", strings.Replace(body, `"quantity": 2`, `"quantity": "CANARY"`, 1))).is(400)
	note(s.post(t, "/workflows/order/start", strings.Replace(body, `1499.97`, `1499.96`, 1))).is(422)
	note(s.post(t, "/workflows/order/start", body[:len(body)-20])).is(400)
	note(s.post(t, "/workflows/order/start", body, "Content-Type", "text/CANARY")).is(415)
	note(s.get(t, "/workflows/"+id+"/status")).is(200)
	note(s.get(t, "/workflows/"+id+"/events")).is(200)
	note(s.get(t, "/sagas/"+e.state(id).SagaID)).is(200)
	note(s.post(t, "/callbacks/CANARY-token-in-path", `{"outcome":"SUCCEEDED","result":{"x":"CANARY"}}`)).is(404)
	for _, answer := range answers {
		if strings.Contains(answer, "CANARY") {
			t.Errorf("an answer has a canary: %s", answer)
		}
	}
	if strings.Contains(log.String(), "CANARY") {
		t.Errorf("the log has a canary:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "subject=CALLER") || !strings.Contains(log.String(), `route="POST /api/v1/workflows/order/start"`) {
		t.Errorf("the access log does not say who called what:\n%s", log.String())
	}
}

func TestServerHasLimits(t *testing.T) {
	t.Parallel()
	s := rest.Server(":0", http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes != rest.MaxHeaderBytes {
		t.Errorf("the server is %+v", s)
	}
}
