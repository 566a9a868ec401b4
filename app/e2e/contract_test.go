package e2e_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/contracttests/server"
	"github.com/firstviscount/platform-coordination/contracttests/verify"
)

// TestServerContract has the coordinator pass, on every store, what any server
// of this API must.
func TestServerContract(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		c := harness.Serve(t, harness.Options{Store: store})
		server.Run(t, c.API(""), harness.Token(t, auth.RoleAdmin))
	})
}

// answered changes the answers to some requests.
func answered(match func(r *http.Request) bool, change func(a *http.Response, body []byte) []byte) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			a := recorder.Result()
			body, _ := io.ReadAll(a.Body)
			if match(r) {
				body = change(a, body)
			}
			for name, values := range a.Header {
				if name != "Content-Length" {
					w.Header()[name] = values
				}
			}
			w.WriteHeader(a.StatusCode)
			_, _ = w.Write(body)
		})
	}
}

// asked changes the requests before they are served.
func asked(change func(r *http.Request)) func(next http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

func path(part string) func(r *http.Request) bool {
	return func(r *http.Request) bool { return strings.Contains(r.URL.Path, part) }
}

func status(from, to int) func(a *http.Response, body []byte) []byte {
	return func(a *http.Response, body []byte) []byte {
		if a.StatusCode == from {
			a.StatusCode = to
		}
		return body
	}
}

func text(from, to string) func(a *http.Response, body []byte) []byte {
	return func(_ *http.Response, body []byte) []byte { return bytes.ReplaceAll(body, []byte(from), []byte(to)) }
}

func without(header string) func(a *http.Response, body []byte) []byte {
	return func(a *http.Response, body []byte) []byte { a.Header.Del(header); return body }
}

func everything(*http.Request) bool { return true }

// rewrite changes the body of requests.
func rewrite(from, to string) func(r *http.Request) {
	return func(r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		body = bytes.Replace(body, []byte(from), []byte(to), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
}

// wrongServers break a rule each.
var wrongServers = []struct {
	name, rule string
	flaw       func(http.Handler) http.Handler
}{
	{"starts with 200", "start", answered(path("/start"), status(201, 200))},
	{"never completes", "start", answered(path("/status"), text(`"COMPLETED"`, `"IN_PROGRESS"`))},
	{"does not say that it repeats itself", "start-replayed", answered(everything, without("Idempotency-Replayed"))},
	{"ignores keys", "start-replayed", asked(func(r *http.Request) { r.Header.Del("X-Idempotency-Key") })},
	{"ignores bodies under a key", "start-key-reused", asked(func(r *http.Request) { r.Header.Del("X-Idempotency-Key") })},
	{"does not name the other workflow", "start-duplicate", answered(path("/start"), text(`"details":{"workflowId"`, `"details":{"other"`))},
	{"starts an order once for ever", "start-after-failure", func() func(http.Handler) http.Handler {
		var starts sync.Map
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, again := starts.LoadOrStore(r.URL.Path, true); again && strings.HasSuffix(r.URL.Path, "/start") {
					w.WriteHeader(http.StatusConflict)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}()},
	{"does not wait", "start-wait", asked(func(r *http.Request) { r.Header.Del("Prefer") })},
	{"knows no templates", "start-template", answered(path("/workflows/start"), status(201, 404))},
	{"leaves a declined order", "declined", answered(path("/sagas/"), text("COMPENSATED", "COMPENSATING"))},
	{"cancels with 200", "cancel", answered(path("/cancel"), status(202, 200))},
	{"cancels what is over", "cancel-completed", answered(path("/cancel"), status(422, 202))},
	{"retries anything", "retry-running", answered(path("/retry"), status(422, 200))},
	{"retries nothing", "retry-failed", answered(path("/retry"), status(200, 422))},
	{"loses an event", "events", answered(path("/events"), text(`"sequence":2`, `"sequence":3`))},
	{"streams from the start", "stream", asked(func(r *http.Request) { r.Header.Del("Last-Event-ID") })},
	{"counts wrongly", "saga", answered(path("/sagas/"), text(`"version":`, `"version":1`))},
	{"means it", "saga-dry-run", asked(func(r *http.Request) { r.URL.RawQuery = "" })},
	{"only says that it undid it", "saga-compensate", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/compensate") {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			next.ServeHTTP(w, r)
		})
	}},
	{"needs no token", "no-token", asked(func(r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			r.Header.Set("Authorization", "Bearer "+wrongToken)
		}
	})},
	{"does not say how to log in", "no-token", answered(everything, without("WWW-Authenticate"))},
	{"takes any token", "bad-token", asked(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+wrongToken) })},
	{"names one fault", "violations", answered(path("/start"), text("shippingMethod", "something"))},
	{"quotes what it was sent", "values-not-quoted", answered(path("/start"), text("The request is invalid", "The request is invalid: secret"))},
	{"passes over what it does not know", "unknown-member", asked(rewrite(`"contractTestOfNoSuchMember":true,`, ""))},
	{"calls any fault 400", "broken-json", answered(everything, status(413, 400))},
	{"rounds", "money", asked(rewrite("19.905", "19.90"))},
	{"does not add up", "money", asked(rewrite("19.91", "19.90"))},
	{"calls an unknown saga a workflow", "not-found", answered(path("/sagas/"), text("SAGA_NOT_FOUND", "WORKFLOW_NOT_FOUND"))},
	{"has the router's own errors", "no-route", answered(path("no-such-path"), func(*http.Response, []byte) []byte { return []byte("404 page not found") })},
	{"numbers no requests", "request-id", answered(everything, without("X-Request-Id"))},
	{"takes any callback", "callback-token", answered(path("/callbacks/"), status(404, 200))},
	{"lists what runs", "list", answered(path("/workflows"), text(`"totalElements":1`, `"totalElements":0`))},
	{"repeats a page", "list-pages", asked(func(r *http.Request) {
		q := r.URL.Query()
		q.Del("cursor")
		r.URL.RawQuery = q.Encode()
	})},
	{"has pages of any size", "list-limits", asked(func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "101", "100", 1) })},
	{"forgets its templates", "templates", answered(path("/workflow-templates/"), status(200, 404))},
	{"measures nothing", "metrics", answered(path("/metrics"), text("ORDER_FULFILLMENT", "OTHER"))},
	{"is not well", "health", answered(path("/health"), status(200, 503))},
}

// wrongToken is what servers that do not look at tokens use. Set by the test.
var wrongToken string

// TestWrongServers shows that the rules notice: each wrong server breaks the
// rule that is named.
func TestWrongServers(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: "memory"})
	wrongToken = harness.Token(t, auth.RoleAdmin)
	base, err := url.Parse(c.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, w := range wrongServers {
		proxy := httptest.NewServer(w.flaw(httputil.NewSingleHostReverseProxy(base)))
		t.Cleanup(proxy.Close)
		rules, err := server.Rules(server.Target{BaseURL: proxy.URL + "/api/v1", Token: wrongToken})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for _, r := range rules {
				if r.ID != server.Suite+"/"+w.rule {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if verify.Check(ctx, r).Failure == nil {
					t.Errorf("a server that %s passes the rule %s", w.name, r.ID)
				}
				return
			}
			t.Errorf("no rule %s", w.rule)
		})
	}
}
