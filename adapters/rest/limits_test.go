package rest_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// newLimitedServer is the API with a limit that the test gives.
func newLimitedServer(t *testing.T, limit rest.Limit, failed rest.LoginFailed) *server {
	t.Helper()
	e := newEngine(t)
	handler, err := rest.New(rest.Deps{Workflows: e, Answers: e, Queries: e, Webhooks: newSubscriptions(e), Batches: newBatches(), Verify: verify, Clock: e, Limit: limit, LoginFailed: failed})
	if err != nil {
		t.Fatal(err)
	}
	return &server{e, nil, nil, handler}
}

func TestEveryAuthenticatedResponseTellsTheQuota(t *testing.T) {
	t.Parallel()
	var seen []rest.Caller
	s := newLimitedServer(t, func(_ context.Context, c rest.Caller) (rest.Allowance, error) {
		seen = append(seen, c)
		return rest.Allowance{Policy: c.Role, Quota: 1000, Window: time.Hour, Reset: 59*time.Minute + time.Millisecond, Remaining: 998}, nil
	}, nil)
	for path, want := range map[string]int{"/workflows": 200, "/workflows/x/status": 404, "/workflows?size=0": 400, "/health": 403} {
		got := s.get(t, path, "Authorization", "Bearer external/shop").is(want)
		if policy := got.header.Get("RateLimit-Policy"); policy != `"external";q=1000;w=3600` {
			t.Errorf("%s: policy is %s", path, policy)
		}
		if limit := got.header.Get("RateLimit"); limit != `"external";r=998;t=3541` {
			t.Errorf("%s: limit is %s", path, limit)
		}
	}
	if len(seen) != 4 || seen[0].Subject != "shop" {
		t.Errorf("counted %+v", seen)
	}
	for _, path := range []string{"/livez", "/readyz", "/docs", "/api/v1/none"} {
		if got := s.call(t, http.MethodGet, path, ""); got.header.Get("RateLimit") != "" {
			t.Errorf("%s is counted", path)
		}
	}
	s.post(t, "/callbacks/cbt_x", `{"outcome":"SUCCEEDED"}`).is(404)
	s.get(t, "/workflows", "Authorization", "Bearer forged").is(401)
	if len(seen) != 4 {
		t.Errorf("callbacks or failed logins were counted: %+v", seen)
	}
}

func TestAUsedUpQuotaIsRefused(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, func(context.Context, rest.Caller) (rest.Allowance, error) {
		return rest.Allowance{Refused: true, Policy: "service", Quota: 10000, Window: time.Hour, Reset: 90 * time.Second}, nil
	}, nil)
	got := s.post(t, "/workflows/order/start", order("", "")).is(429)
	var details coordination.LimitDetails
	if err := got.code(coordination.ErrRateLimitExceeded).DecodeDetails(&details); err != nil {
		t.Fatal(err)
	}
	want := coordination.LimitDetails{Policy: "service", Limit: 10000, Window: coordination.Duration(time.Hour), RetryAfter: coordination.Duration(90 * time.Second)}
	if details != want || got.header.Get("Retry-After") != "90" || got.header.Get("RateLimit") != `"service";r=0;t=90` {
		t.Errorf("details %+v, header %v", details, got.header)
	}
	if s.callCount() != 0 {
		t.Error("a refused request reached the engine")
	}
	// What another transport has authorised is not counted here.
	r, _ := http.NewRequest(http.MethodGet, "/api/v1/workflows", nil)
	w := newRecorder()
	s.ServeHTTP(w, r.WithContext(rest.WithCaller(t.Context(), rest.Caller{Subject: "bus", Role: "service"})))
	if w.Code != 200 {
		t.Errorf("a request over the bus: %d", w.Code)
	}
}

func TestALimitThatCannotBeToldIsNotTheCallersFault(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, func(context.Context, rest.Caller) (rest.Allowance, error) {
		return rest.Allowance{}, ports.ErrUnavailable
	}, nil)
	got := s.get(t, "/workflows").is(503)
	if got.code(coordination.ErrServiceUnavailable); got.header.Get("Retry-After") == "" || got.header.Get("RateLimit") != "" {
		t.Errorf("header %v", got.header)
	}
}

// Behind one address may be many callers: those with a valid token go on.
func TestTooManyFailedLoginsAreRefusedAndValidTokensAreNot(t *testing.T) {
	t.Parallel()
	const allowed = 3
	failures, from := 0, ""
	s := newLimitedServer(t, nil, func(address string) time.Duration {
		failures, from = failures+1, address
		if failures > allowed {
			return 41500 * time.Millisecond
		}
		return 0
	})
	for i := range 2 * allowed {
		header := "Bearer forged"
		if i%2 == 0 {
			header = ""
		}
		got := s.get(t, "/workflows", "Authorization", header, "X-Forwarded-For", "198.51.100."+strconv.Itoa(i))
		if i < allowed {
			got.is(401).code(coordination.ErrAuthenticationRequired)
			continue
		}
		var details coordination.LimitDetails
		if err := got.is(429).code(coordination.ErrRateLimitExceeded).DecodeDetails(&details); err != nil {
			t.Fatal(err)
		}
		if details.Policy != coordination.PolicyFailedLogins || got.header.Get("Retry-After") != "42" {
			t.Errorf("details %+v, header %v", details, got.header)
		}
		s.get(t, "/workflows").is(200)
	}
	s.get(t, "/health", "Authorization", "Bearer external").is(403)
	s.get(t, "/workflows", "Authorization", "Bearer keyless").is(503)
	if failures != 2*allowed || from != "192.0.2.1:1234" {
		t.Errorf("%d failures, from %q", failures, from)
	}
}
