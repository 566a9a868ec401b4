package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryEnvelopeHasTheSameMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, r := range map[string]*response{
		"no token":     s.get(t, "/workflows/active", "Authorization", "").is(401),
		"no workflow":  s.get(t, "/workflows/wf-nonsense/status").is(404),
		"no callback":  s.post(t, "/callbacks/cbt_nonsense", `{"outcome":"SUCCEEDED"}`).is(404),
		"no path":      s.get(t, "/nowhere").is(404),
		"no method":    s.call(t, http.MethodDelete, "/api/v1/workflows/active", "").is(405),
		"content type": s.post(t, "/workflows/order/start", order("", ""), "Content-Type", "text/plain").is(415),
		"invalid":      s.post(t, "/workflows/order/start", "{").is(400),
	} {
		e, _ := r.tree()["error"].(map[string]any)
		_, isObject := e["details"].(map[string]any)
		if len(e) != 4 || e["code"] == "" || e["message"] == "" || !isObject || e["traceId"] == "" {
			t.Errorf("%s: %s", name, r.body)
		}
	}
}

func TestAnEmptyIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, header := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/workflows/order/start", strings.NewReader(order("", "")))
		r.Header = http.Header{"Authorization": {"Bearer service"}, "Content-Type": {"application/json"}, header: {""}}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		got := (&response{t, w.Code, w.Header(), w.Body.Bytes()}).is(400).violations()
		if len(got) != 1 || got["header."+header] == "" {
			t.Errorf("%s: violations %v", header, got)
		}
	}
	s.post(t, "/workflows/order/start", order("", "")).is(201)
}
