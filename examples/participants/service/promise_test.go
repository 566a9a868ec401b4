package service_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// coordinator takes callbacks. It answers with the scripted statuses, one
// each, then with 200; a status of 0 is a connection that breaks.
type coordinator struct {
	mu     sync.Mutex
	script []int
	calls  []call
}

type call struct {
	url, key, body string
	at             time.Time
}

func (c *coordinator) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call{r.URL.String(), r.Header.Get("Idempotency-Key"), string(body), time.Now()})
	status := http.StatusOK
	if len(c.script) > 0 {
		status, c.script = c.script[0], c.script[1:]
	}
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{
		StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader("{}")),
		Header: http.Header{"Location": {"http://elsewhere.test/"}},
	}, nil
}

func (c *coordinator) taken() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]call(nil), c.calls...)
}

// inBubble runs a test on virtual time.
func inBubble(t *testing.T, test func(*subject, *coordinator), script ...int) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &coordinator{script: script}
		test(start(t, func(cfg *service.Config) { cfg.Callbacks = c }), c)
	})
}

func later(key string) command {
	return execute(key).with("callback", map[string]any{"url": "http://coordinator.test/cbt_1", "token": "cbt_1"})
}

// pass lets virtual time go by until nothing moves.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

const rang = `{"outcome":"SUCCEEDED","result":{"volume":3}}`

// called checks the number of callbacks and what the last one brought.
func (s *subject) called(c *coordinator, times int) {
	s.t.Helper()
	calls := c.taken()
	if len(calls) != times {
		s.t.Fatalf("%d callbacks, want %d", len(calls), times)
	}
	for _, c := range calls {
		if !strings.HasPrefix(c.url, "http://coordinator.test/cbt_") {
			s.t.Errorf("called %s: a redirect is not to be followed", c.url)
		}
	}
	if times > 0 && (calls[times-1].body != rang || calls[times-1].key != "k") {
		s.t.Errorf("callback %+v", calls[times-1])
	}
}

func TestAnAcceptedCommandIsAnsweredLater(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		began := time.Now()
		s.want(s.send("later", later("k")), coordination.OutcomeAccepted, 202, "")
		pass(laterDelay - time.Second)
		s.effects()
		s.called(c, 0)
		pass(2 * time.Second)
		s.effects("ring")
		s.called(c, 1)
		if at := c.taken()[0].at; at.Sub(began) != laterDelay {
			t.Errorf("called after %s", at.Sub(began))
		}
		// Who asks again gets the final answer at once.
		if a := s.send("later", later("k")); a.status != 200 || a.body != rang {
			t.Errorf("got %d %s", a.status, a.body)
		}
		pass(time.Hour)
		s.called(c, 1)
	})
}

func TestARepeatedCommandIsAcceptedOnce(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		first := s.send("later", later("k"))
		s.same(first, s.send("later", later("k")))
		s.restart()
		s.same(first, s.send("later", later("k")))
		s.want(s.send("later", later("k").with("parameters", map[string]any{"volume": 1})), "", 400, service.CodeKeyReused)
		pass(time.Hour)
		s.effects("ring")
		s.called(c, 1)
	})
}

func TestTheNewestCallbackCounts(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		s.want(s.send("later", later("k").with("callback", map[string]any{"url": "http://coordinator.test/cbt_2"})), coordination.OutcomeAccepted, 202, "")
		s.restart()
		pass(time.Hour)
		s.called(c, 1)
		if got := c.taken()[0].url; got != "http://coordinator.test/cbt_2" {
			t.Errorf("called %s", got)
		}
		s.effects("ring")
	})
}

func TestACallbackIsRepeatedUntilItIsTaken(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		pass(time.Hour)
		s.called(c, 7)
		s.effects("ring")
		calls := c.taken()
		if gap := calls[6].at.Sub(calls[5].at); gap < time.Second {
			t.Errorf("the last pause was %s, they should grow", gap)
		}
		if strings.Contains(s.logs.String(), "cbt_") {
			t.Errorf("the callback token was logged: %s", s.logs)
		}
	}, 500, 0, 503, 302, 429, 401)
}

func TestSomeAnswersEndTheCallbacks(t *testing.T) {
	for _, status := range []int{200, 204, 404, 409, 410} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			inBubble(t, func(s *subject, c *coordinator) {
				s.send("later", later("k"))
				pass(time.Hour)
				s.called(c, 1)
				s.restart()
				pass(time.Hour)
				s.called(c, 1)
			}, status)
		})
	}
}

func TestARestartForgetsNoPromise(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		s.close()
		pass(2 * laterDelay) // due while the process is down
		s.called(c, 0)
		s.open()
		pass(time.Second)
		s.effects("ring")
		s.called(c, 1)
	})
}

func TestARestartGoesOnCalling(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		pass(laterDelay)
		s.effects("ring")
		s.called(c, 1) // not taken
		s.restart()
		pass(time.Second)
		s.called(c, 2)
		s.restart()
		pass(time.Hour)
		s.called(c, 2)
		s.effects("ring")
	}, 503)
}

func TestAnUndoBeforeThePromisedEffectPreventsIt(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		s.succeeds(s.send("silence_later", compensate("u", "k")))
		s.restart()
		pass(time.Hour)
		s.called(c, 0)
		s.effects()
		s.want(s.send("later", later("k")), coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
	})
}

func TestAnUndoAfterThePromisedEffectEndsTheCallbacks(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		pass(laterDelay)
		s.called(c, 1) // not taken
		s.succeeds(s.send("silence_later", compensate("u", "k")))
		pass(time.Hour)
		s.called(c, 1)
		s.effects("ring", "silence")
	}, 503)
}

func TestAPromisedRejectionIsDeliveredToo(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.want(s.send("later", later("k").with("parameters", map[string]any{"behave": "reject"})), coordination.OutcomeAccepted, 202, "")
		pass(time.Hour)
		s.effects()
		calls := c.taken()
		if len(calls) != 1 || !strings.Contains(calls[0].body, "TOO_LATE_AT_NIGHT") {
			t.Errorf("callbacks %+v", calls)
		}
	})
}

func TestAPromiseNeedsACallback(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.want(s.send("later", execute("k")), "", 400, service.CodeCallbackRequired)
		for _, url := range []string{"", "coordinator", "file:///etc/passwd", "http://", "::"} {
			s.want(s.send("later", later("k").with("callback", map[string]any{"url": url})), "", 400, service.CodeCallbackRequired)
		}
		if n := len(s.entries()); n != 0 {
			t.Errorf("%d entries", n)
		}
		s.called(c, 0)
	})
}

func TestTheLedgerTellsWhenACallbackWasTaken(t *testing.T) {
	inBubble(t, func(s *subject, c *coordinator) {
		s.send("later", later("k"))
		pass(time.Hour)
		var kinds []string
		for _, e := range s.entries() {
			kinds = append(kinds, string(e.Kind))
		}
		want := strings.Join([]string{string(ledger.Accepted), string(ledger.Effect), string(ledger.CalledBack)}, " ")
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		s.called(c, 1)
	})
}
