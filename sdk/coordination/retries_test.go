package coordination_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// reply is what a script answers to one attempt: a response or a failure.
type reply struct {
	status int
	header http.Header
	body   string
	cut    bool // the connection ends behind body
	err    error
}

// script is a transport without a network, so that it works on virtual time. It
// answers each attempt with the next reply, the last one again and again.
type script struct {
	replies []reply
	keys    []string
	tokens  []string
	bodies  []string
	times   []time.Time
}

func (s *script) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	next := s.replies[min(len(s.times), len(s.replies)-1)]
	s.keys = append(s.keys, request.Header.Get("X-Idempotency-Key"))
	s.tokens = append(s.tokens, request.Header.Get("Authorization"))
	s.bodies = append(s.bodies, string(body))
	s.times = append(s.times, time.Now())
	if next.err != nil {
		return nil, next.err
	}
	reader := io.Reader(strings.NewReader(next.body))
	if next.cut {
		reader = io.MultiReader(reader, iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	header := next.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: next.status, Header: header, Body: io.NopCloser(reader), Request: request}, nil
}

func (s *script) client(t *testing.T, options ...coordination.Option) *coordination.Client {
	t.Helper()
	return newClient(t, "http://coordination.test", append(options, coordination.WithHTTPClient(&http.Client{Transport: s}))...)
}

var (
	success   = reply{status: 201, body: `{"workflowId":"wf-1"}`}
	refused   = reply{err: errors.New("connection refused")}
	cut       = reply{status: 201, cut: true, body: `{"workflowId"`}
	badProxy  = reply{status: 504, body: "<html>"}
	busy      = reply{status: 503, body: `{"error":{"code":"SERVICE_UNAVAILABLE","message":"busy","traceId":"t"}}`}
	deadline  = reply{status: 504, body: `{"error":{"code":"TIMEOUT_EXCEEDED","message":"too late","traceId":"t"}}`}
	internal  = reply{status: 500, body: `{"error":{"code":"INTERNAL_ERROR","message":"oops","traceId":"t"}}`}
	untrusted = reply{err: &tls.CertificateVerificationError{Err: errors.New("unknown authority")}}
)

func after(seconds string, r reply) reply {
	r.header = http.Header{"Retry-After": {seconds}}
	return r
}

func TestCallsAreRepeatedWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies  []reply
		attempts int
		err      error
	}{
		"at once":               {[]reply{success}, 1, nil},
		"connection refused":    {[]reply{refused, success}, 2, nil},
		"cut response":          {[]reply{cut, success}, 2, nil},
		"busy":                  {[]reply{busy, busy, success}, 3, nil},
		"bad gateway":           {[]reply{{status: 502}, success}, 2, nil},
		"too many requests":     {[]reply{{status: 429}, success}, 2, nil},
		"gateway timeout":       {[]reply{badProxy, success}, 2, nil},
		"always busy":           {[]reply{busy}, coordination.DefaultMaxAttempts, coordination.ErrServiceUnavailable},
		"always gateway":        {[]reply{badProxy}, coordination.DefaultMaxAttempts, coordination.ErrServiceUnavailable},
		"always refused":        {[]reply{refused}, coordination.DefaultMaxAttempts, refused.err},
		"workflow's deadline":   {[]reply{deadline}, 1, coordination.ErrTimeoutExceeded},
		"internal error":        {[]reply{internal}, 1, coordination.ErrInternal},
		"bad request":           {[]reply{{status: 400}}, 1, coordination.ErrUnexpectedResponse},
		"wrong certificate":     {[]reply{untrusted}, 1, untrusted.err},
		"asked to wait an hour": {[]reply{after("3600", busy)}, 1, coordination.ErrServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := &script{replies: c.replies}
				_, err := startOrder(t.Context(), script.client(t))
				if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Errorf("the error is %v, want %v", err, c.err)
				}
				if len(script.times) != c.attempts {
					t.Errorf("%d attempts, want %d", len(script.times), c.attempts)
				}
				if len(slices.Compact(script.keys)) != 1 || script.keys[0] == "" {
					t.Errorf("the attempts have keys %q", script.keys)
				}
				if len(slices.Compact(script.bodies)) != 1 || script.bodies[0] == "" {
					t.Errorf("the attempts have bodies %q", script.bodies)
				}
			})
		})
	}
}

func TestEveryCallHasItsOwnKey(t *testing.T) {
	t.Parallel()
	script := &script{replies: []reply{success}}
	client := script.client(t)
	for range 3 {
		if _, err := startOrder(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(script.keys)
	if len(slices.Compact(script.keys)) != 3 {
		t.Errorf("the keys are %q", script.keys)
	}
}

func TestWaitsGrowAndFollowRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(4 * time.Second).UTC().Format(http.TimeFormat)
		script := &script{replies: []reply{busy, busy, after("2", busy), after(date, busy), success}}
		client := script.client(t, coordination.WithRetry(coordination.Retries{
			MaxAttempts: 5, MinWait: 100 * time.Millisecond, MaxWait: 4 * time.Second,
		}))
		if _, err := startOrder(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		for i, limits := range [][2]time.Duration{
			{50 * time.Millisecond, 100 * time.Millisecond},
			{100 * time.Millisecond, 200 * time.Millisecond},
			{2 * time.Second, 2 * time.Second},
			{time.Second, 3 * time.Second}, // the date, about two seconds after its predecessors
		} {
			if wait := script.times[i+1].Sub(script.times[i]); wait < limits[0] || wait > limits[1] {
				t.Errorf("wait %d is %v, want %v to %v", i+1, wait, limits[0], limits[1])
			}
		}
	})
}

func TestWaitsEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := &script{replies: []reply{after("2", busy)}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := startOrder(ctx, script.client(t))
		if !errors.Is(err, coordination.ErrServiceUnavailable) || time.Since(start) != 0 {
			t.Errorf("gave up after %v with %v", time.Since(start), err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		script := &script{replies: []reply{after("2", busy)}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := startOrder(ctx, script.client(t))
		if !errors.Is(err, coordination.ErrServiceUnavailable) || !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("gave up after %v with %v", time.Since(start), err)
		}
	})
}

// stuck answers when its request is given up.
type stuck struct{ attempts int }

func (s *stuck) RoundTrip(request *http.Request) (*http.Response, error) {
	s.attempts++
	<-request.Context().Done()
	return nil, request.Context().Err()
}

func TestAnAttemptThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		transport := &stuck{}
		client := newClient(t, "http://coordination.test", coordination.WithTimeout(3*time.Second),
			coordination.WithRetry(coordination.Retries{MaxAttempts: 1}),
			coordination.WithHTTPClient(&http.Client{Transport: transport}))
		start := time.Now()
		_, err := client.Workflows.Retry(t.Context(), workflowID, coordination.RetryRequest{}, coordination.WithWait(10*time.Second))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 13*time.Second || transport.attempts != 1 {
			t.Errorf("%d attempts took %v: %v", transport.attempts, time.Since(start), err)
		}
	})
}

func TestTokensAreFetchedForEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetched := 0
		script := &script{replies: []reply{busy, success}}
		client := script.client(t, coordination.WithTokenSource(func(context.Context) (string, error) {
			fetched++
			return "t", nil
		}))
		if _, err := startOrder(t.Context(), client); err != nil || fetched != 2 {
			t.Errorf("fetched %d tokens (%v)", fetched, err)
		}
	})
	failure := errors.New("no token today")
	script := &script{replies: []reply{success}}
	client := script.client(t, coordination.WithTokenSource(func(context.Context) (string, error) { return "", failure }))
	if _, err := startOrder(t.Context(), client); !errors.Is(err, failure) || len(script.times) != 0 {
		t.Errorf("%d attempts without a token (%v)", len(script.times), err)
	}
}

// cachedTokens gives the same token until that was refused: t1, t2, …
func cachedTokens() coordination.TokenSource {
	n := 1
	return func(ctx context.Context) (string, error) {
		if coordination.RefusedToken(ctx) == fmt.Sprint("t", n) {
			n++
		}
		return fmt.Sprint("t", n), nil
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	expired := reply{status: 401, body: `{"error":{"code":"AUTHENTICATION_REQUIRED","message":"expired","traceId":"t"}}`}
	failing := func(ctx context.Context) (string, error) {
		if coordination.RefusedToken(ctx) != "" {
			return "", errors.New("no other token")
		}
		return "t", nil
	}
	for name, c := range map[string]struct {
		tokens  coordination.Option
		replies []reply
		sent    []string
		err     error
	}{
		"renewed":               {coordination.WithTokenSource(cachedTokens()), []reply{expired, success}, []string{"t1", "t2"}, nil},
		"renewed between tries": {coordination.WithTokenSource(cachedTokens()), []reply{busy, expired, busy, success}, []string{"t1", "t1", "t2", "t2"}, nil},
		"refused again":         {coordination.WithTokenSource(cachedTokens()), []reply{expired}, []string{"t1", "t2"}, coordination.ErrAuthenticationRequired},
		"no other":              {coordination.WithTokenSource(failing), []reply{expired}, []string{"t"}, coordination.ErrAuthenticationRequired},
		"fixed":                 {coordination.WithToken("t"), []reply{expired}, []string{"t"}, coordination.ErrAuthenticationRequired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				script := &script{replies: c.replies}
				_, err := startOrder(t.Context(), script.client(t, c.tokens))
				if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Errorf("the error is %v, want %v", err, c.err)
				}
				for i, token := range c.sent {
					c.sent[i] = "Bearer " + token
				}
				if !slices.Equal(script.tokens, c.sent) || len(slices.Compact(script.keys)) != 1 {
					t.Errorf("sent %q under keys %q, want %q", script.tokens, script.keys, c.sent)
				}
			})
		})
	}
	script := &script{replies: []reply{expired}}
	if _, err := startOrder(t.Context(), script.client(t)); !errors.Is(err, coordination.ErrAuthenticationRequired) || len(script.times) != 1 {
		t.Errorf("without a token: %v after %d attempts", err, len(script.times))
	}
}

func TestResponsesAreBounded(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{100: nil, 101: coordination.ErrResponseTooLarge} {
		body := `{"sagaId":"` + strings.Repeat("s", size-len(`{"sagaId":""}`)) + `"}`
		script := &script{replies: []reply{{status: 200, body: body}}}
		client := script.client(t, coordination.WithMaxResponseBytes(100))
		if _, err := client.Sagas.Get(t.Context(), sagaID); !errors.Is(err, want) || len(script.times) != 1 {
			t.Errorf("%d bytes: %v in %d attempts", size, err, len(script.times))
		}
	}
}

func TestCallbackTokensAreNotInErrors(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]reply{
		"refused": refused, "bare": {status: 404}, "no JSON": {status: 200, body: "<html>"}, "too large": {status: 200, body: strings.Repeat(" ", 200)},
	} {
		script := &script{replies: []reply{answer}}
		client := script.client(t, coordination.WithRetry(coordination.Retries{MaxAttempts: 1}), coordination.WithMaxResponseBytes(100))
		_, err := client.Callbacks.Answer(t.Context(), "cbt_secret", coordination.Answer{Outcome: coordination.OutcomeSucceeded})
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "cbt_secret") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
