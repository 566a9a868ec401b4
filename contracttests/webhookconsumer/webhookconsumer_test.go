package webhookconsumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/verify"
	"github.com/firstviscount/platform-coordination/contracttests/webhookconsumer"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// receiver is a consumer that counts what it acts on.
type receiver struct {
	webhook.Handler
	mu   sync.Mutex
	seen map[string]int
	acts map[string]int
}

func newReceiver(t *testing.T) (*receiver, webhook.Secret) {
	t.Helper()
	secret, err := webhook.NewSecret([]byte("a-secret-of-a-receivers-tests-!!"))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{seen: map[string]int{}, acts: map[string]int{}}
	r.Secrets = []webhook.Secret{secret}
	r.Handle = func(_ context.Context, e webhook.Event) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.seen[e.ID]++; r.seen[e.ID] == 1 {
			r.acts[e.ID]++
		}
		return nil
	}
	return r, secret
}

func (r *receiver) handled(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acts[id]
}

func TestAGoodReceiverKeepsEveryRule(t *testing.T) {
	t.Parallel()
	r, secret := newReceiver(t)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	webhookconsumer.Run(t, webhookconsumer.Target{URL: server.URL, Secret: secret, Handled: r.handled})
}

// status makes a receiver that answers by f, or as a good one if f gives 0.
func status(f func(r *http.Request, body []byte, e webhook.Event) int) func(*receiver) http.Handler {
	return func(good *receiver) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var e webhook.Event
			_ = json.Unmarshal(body, &e)
			if code := f(r, body, e); code != 0 {
				w.WriteHeader(code)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			good.ServeHTTP(w, r)
		})
	}
}

// unverified is a receiver that does not look at something: it makes it good.
func unverified(mend func(h http.Header, body []byte, s webhook.Secret)) func(*receiver) http.Handler {
	return func(good *receiver) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mend(r.Header, body, good.Secrets[0])
			r.Body = io.NopCloser(bytes.NewReader(body))
			good.ServeHTTP(w, r)
		})
	}
}

func sign(h http.Header, body []byte, s webhook.Secret) {
	webhook.SetHeaders(h, "id", time.Now(), body, s)
}

// wrong are receivers that break a rule each.
var wrong = []struct {
	name, rule string
	make       func(*receiver) http.Handler
}{
	{"takes nothing", "signed", status(func(*http.Request, []byte, webhook.Event) int { return 500 })},
	{"redirects", "signed", status(func(*http.Request, []byte, webhook.Event) int { return 302 })},
	{"acts twice", "signed", func(r *receiver) http.Handler {
		handle := r.Handle
		r.Handle = func(ctx context.Context, e webhook.Event) error {
			r.mu.Lock()
			r.acts[e.ID]++
			r.mu.Unlock()
			return handle(ctx, e)
		}
		return r
	}},
	{"takes what is not signed", "unsigned", unverified(sign)},
	{"takes any signature", "wrong-secret", unverified(sign)},
	{"does not look at the body", "changed-body", unverified(sign)},
	{"does not look at the id", "changed-id", unverified(sign)},
	{"does not look at the time", "old", unverified(sign)},
	{"does not look ahead", "future", unverified(sign)},
	{"refuses with 410", "wrong-secret", status(func(r *http.Request, body []byte, _ webhook.Event) int {
		return http.StatusGone
	})},
	{"refuses and acts", "unsigned", func(r *receiver) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			body, _ := io.ReadAll(request.Body)
			if e, err := webhook.ParseEvent(body); err == nil {
				_ = r.Handle(request.Context(), e)
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
	}},
	{"looks at one signature", "rotated", status(func(r *http.Request, _ []byte, _ webhook.Event) int {
		if strings.Contains(r.Header.Get(webhook.HeaderSignature), " ") {
			return 401
		}
		return 0
	})},
	{"refuses duplicates", "duplicate", func() func(*receiver) http.Handler {
		var seen sync.Map
		return status(func(_ *http.Request, _ []byte, e webhook.Event) int {
			if _, again := seen.LoadOrStore(e.ID, true); again {
				return 409
			}
			return 0
		})
	}()},
	{"acts on duplicates", "duplicate", func(r *receiver) http.Handler {
		r.Handle = func(_ context.Context, e webhook.Event) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.acts[e.ID]++
			return nil
		}
		return r
	}},
	{"wants the start first", "order", status(func(_ *http.Request, _ []byte, e webhook.Event) int {
		if e.Event == "saga.compensated" {
			return 409
		}
		return 0
	})},
	{"knows seven events", "unknown-event", status(func(_ *http.Request, _ []byte, e webhook.Event) int {
		if strings.Contains(e.Event, "to-come") {
			return 422
		}
		return 0
	})},
	{"is strict", "unknown-fields", status(func(_ *http.Request, body []byte, _ webhook.Event) int {
		if bytes.Contains(body, []byte("MemberToCome")) {
			return 400
		}
		return 0
	})},
	{"one at a time", "parallel", func() func(*receiver) http.Handler {
		var busy atomic.Int32
		return status(func(*http.Request, []byte, webhook.Event) int {
			defer busy.Add(-1)
			if busy.Add(1) > 1 {
				return 503
			}
			time.Sleep(50 * time.Millisecond)
			return 0
		})
	}()},
}

// TestWrongReceivers shows that the rules notice.
func TestWrongReceivers(t *testing.T) {
	t.Parallel()
	for _, w := range wrong {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r, secret := newReceiver(t)
			server := httptest.NewServer(w.make(r))
			t.Cleanup(server.Close)
			rules, err := webhookconsumer.Rules(webhookconsumer.Target{URL: server.URL, Secret: secret, Handled: r.handled})
			if err != nil {
				t.Fatal(err)
			}
			for _, rule := range rules {
				if rule.ID == webhookconsumer.Suite+"/"+w.rule {
					if verify.Check(t.Context(), rule).Failure == nil {
						t.Errorf("the rule %s found nothing", rule.ID)
					}
					return
				}
			}
			t.Fatalf("no rule %s", w.rule)
		})
	}
}

func TestATargetThatCannotBeCheckedIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := webhookconsumer.Rules(webhookconsumer.Target{URL: "http://x"}); err == nil {
		t.Error("a target without a secret is no error")
	}
}
