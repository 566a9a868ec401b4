package participant_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const (
	command = `{"commandId":"saga-1:1:PAY:execute","workflowId":"wf-1","sagaId":"saga-1","service":"pay","action":"pay","direction":"EXECUTE","attempt":1,"parameters":{"amount":10.5}}`
	undo    = `{"commandId":"saga-1:1:VOID:compensate","service":"pay","action":"void","direction":"COMPENSATE","attempt":1,"parameters":{},"forward":{"step":"PAY","commandId":"saga-1:1:PAY:execute","outcome":"SUCCEEDED"}}`
)

var quiet = slog.New(slog.DiscardHandler)

// payments is a participant that counts its effects.
type payments struct {
	*participant.Participant
	paid, voided atomic.Int64
}

func newPayments(cfg participant.Config, outcome participant.Outcome) *payments {
	cfg.Logger = quiet
	rules := participant.NewMemory()
	s := &payments{Participant: participant.New("pay", cfg)}
	s.Handle("pay", rules.Do(func(context.Context, *participant.Command) participant.Outcome {
		s.paid.Add(1)
		if outcome == nil {
			panic("as the test wants")
		}
		return outcome
	}))
	s.Handle("void", rules.Undo(func(context.Context, *participant.Command) participant.Outcome {
		s.voided.Add(1)
		return participant.Succeeded{}
	}))
	return s
}

var paid = participant.Succeeded{Result: map[string]string{"paymentId": "p-1"}}

func post(h http.Handler, action, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/pay-service/"+action, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func is(t *testing.T, w *httptest.ResponseRecorder, status int, outcome coordination.Outcome, code string) {
	t.Helper()
	var a coordination.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	got := ""
	if a.Error != nil {
		got = a.Error.Code
	}
	if w.Code != status || a.Outcome != outcome || got != code {
		t.Errorf("got %d %s, want %d %s %s", w.Code, w.Body, status, outcome, code)
	}
}

func TestOutcomesOverHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o       participant.Outcome
		status  int
		outcome coordination.Outcome
		code    string
	}{
		{paid, 200, coordination.OutcomeSucceeded, ""},
		{participant.Succeeded{}, 200, coordination.OutcomeSucceeded, ""},
		{participant.Accepted{}, 202, coordination.OutcomeAccepted, ""},
		{participant.Rejected{Code: "DECLINED"}, 422, coordination.OutcomeRejected, "DECLINED"},
		{participant.Retry{Code: "BUSY", After: 1500 * time.Millisecond}, 503, coordination.OutcomeRetry, "BUSY"},
		{participant.Unknown{Code: "LOST"}, 500, coordination.OutcomeUnknown, "LOST"},
		{participant.Refused{Code: "ODD"}, 400, "", "ODD"},
		{participant.Refused{Status: 409, Code: "ODD"}, 409, "", "ODD"},
		{participant.Succeeded{Result: []int{1}}, 500, coordination.OutcomeUnknown, participant.CodeInternal},
		{nil, 500, coordination.OutcomeUnknown, participant.CodeInternal}, // a panic
	} {
		w := post(newPayments(participant.Config{}, c.o), "pay", command)
		is(t, w, c.status, c.outcome, c.code)
		if c.outcome == coordination.OutcomeRetry && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}

func TestWhatIsRefusedBeforeTheActionSeesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action, body string
		headers      []string
		status       int
		code         string
	}{
		"unknown action":       {"refund", command, nil, 404, participant.CodeUnknownAction},
		"no JSON":              {"pay", "{", nil, 400, participant.CodeInvalidCommand},
		"no object":            {"pay", `[]`, nil, 400, participant.CodeInvalidCommand},
		"two objects":          {"pay", command + command, nil, 400, participant.CodeInvalidCommand},
		"no key":               {"pay", `{"direction":"EXECUTE"}`, nil, 400, participant.CodeInvalidCommand},
		"no direction":         {"pay", `{"commandId":"k"}`, nil, 400, participant.CodeInvalidCommand},
		"parameters no object": {"pay", `{"commandId":"k","direction":"EXECUTE","parameters":[1]}`, nil, 400, participant.CodeInvalidCommand},
		"another key":          {"pay", command, []string{"Idempotency-Key", "other"}, 400, participant.CodeKeyMismatch},
		"another action":       {"void", command, nil, 400, participant.CodeInvalidCommand},
		"another service":      {"pay", strings.Replace(command, `"service":"pay"`, `"service":"ship"`, 1), nil, 400, participant.CodeWrongService},
		"too large":            {"pay", command + strings.Repeat(" ", participant.MaxCommandBytes), nil, 413, participant.CodeCommandTooLarge},
	} {
		s := newPayments(participant.Config{}, paid)
		is(t, post(s, c.action, c.body, c.headers...), c.status, "", c.code)
		if s.paid.Load() != 0 {
			t.Errorf("%s: it was done", name)
		}
	}
	w := httptest.NewRecorder()
	newPayments(participant.Config{}, paid).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/pay", nil))
	is(t, w, 405, "", participant.CodeInvalidCommand)
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	t.Parallel()
	body := strings.Replace(command, `"attempt":1`, `"attempt":1,"tomorrow":{"x":[1]}`, 1)
	is(t, post(newPayments(participant.Config{}, paid), "pay", body), 200, coordination.OutcomeSucceeded, "")
}

func TestAPassedDeadlineIsNotBegun(t *testing.T) {
	t.Parallel()
	s := newPayments(participant.Config{}, paid)
	body := strings.Replace(command, `"attempt":1`, `"attempt":1,"deadline":"2020-01-01T00:00:00Z"`, 1)
	is(t, post(s, "pay", body), 503, coordination.OutcomeRetry, participant.CodeDeadlinePassed)
	if s.paid.Load() != 0 {
		t.Error("it was done")
	}
}

func TestTheDeadlineEndsTheContext(t *testing.T) {
	t.Parallel()
	p := participant.New("pay", participant.Config{Logger: quiet})
	p.HandleFunc("pay", func(ctx context.Context, _ *participant.Command) participant.Outcome {
		<-ctx.Done()
		return participant.Unknown{Code: "OUT_OF_TIME"}
	})
	c := &participant.Command{Command: coordination.Command{CommandID: "k", Action: "pay", Deadline: coordination.At(time.Now().Add(50 * time.Millisecond))}}
	if o := p.Do(t.Context(), c); o != (participant.Unknown{Code: "OUT_OF_TIME"}) {
		t.Errorf("%+v", o)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	secret := func(text string) webhook.Secret {
		s, err := webhook.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	current, former, foreign := secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), secret("whsec_YmVuY2htYXJrIHNlY3JldCBiZW5jaG1hcmsgc2Vj"), secret("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	now := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	s := newPayments(participant.Config{Secrets: []webhook.Secret{current, former}, Now: func() time.Time { return now }}, paid)
	signed := func(by webhook.Secret, at time.Time, body string) int {
		h := http.Header{}
		webhook.SetHeaders(h, "saga-1:1:PAY:execute", at, []byte(body), by)
		r := httptest.NewRequest(http.MethodPost, "/pay", strings.NewReader(command))
		r.Header = h
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	for name, got := range map[string][2]int{
		"unsigned":        {post(s, "pay", command).Code, 401},
		"foreign":         {signed(foreign, now, command), 401},
		"of another body": {signed(current, now, undo), 401},
		"an hour old":     {signed(current, now.Add(-time.Hour), command), 401},
		"current":         {signed(current, now, command), 200},
		"former":          {signed(former, now, command), 200},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
}

func event(data string) []byte {
	return []byte(`{"specversion":"1.0","id":"e","source":"/c","type":"com.firstviscount.coordination.command.v1","traceparent":"00-t","data":` + data + `}`)
}

func TestMessages(t *testing.T) {
	t.Parallel()
	s := newPayments(participant.Config{}, paid)
	m, err := s.HandleMessage(t.Context(), event(command))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.HandleMessage(t.Context(), event(command))
	if err != nil || again.ID != m.ID || string(again.Body) != string(m.Body) {
		t.Errorf("again %+v, %v", again, err)
	}
	var e coordination.CloudEvent
	var a coordination.Answer
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &a); err != nil {
		t.Fatal(err)
	}
	if m.Topic != "coordination.replies" || m.Key != "saga-1" || e.Type != coordination.TypeReply || e.Subject != "wf-1" || e.TraceParent != "00-t" || e.ID != m.ID || e.Source != "/pay" {
		t.Errorf("message %+v, event %+v", m, e)
	}
	if a.CommandID != "saga-1:1:PAY:execute" || a.Attempt != 1 || a.Outcome != coordination.OutcomeSucceeded {
		t.Errorf("answer %+v", a)
	}
	for _, body := range []string{"", "{", `{"specversion":"1.0"}`, strings.Replace(string(event(command)), "command.v1", "reply.v1", 1), string(event(`[]`))} {
		if _, err := s.HandleMessage(t.Context(), []byte(body)); !errors.Is(err, participant.ErrMalformed) {
			t.Errorf("%.40s: %v", body, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.HandleMessage(ended, event(command)); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended subscription: %v", err)
	}
}

func TestAReplyThatIsNotPublishedLetsTheCommandComeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newPayments(participant.Config{}, paid)
		commands := make(queue, 2)
		var down atomic.Bool
		down.Store(true)
		served := make(chan error)
		go func() {
			served <- participant.ServeBus(t.Context(), s.Participant, participant.Bus[*delivery]{Subscriber: commands,
				Payload: func(d *delivery) []byte { return d.payload },
				Publish: func(context.Context, participant.Message) error {
					if down.Load() {
						return errors.New("no broker")
					}
					return nil
				}})
		}()
		for _, want := range []bool{false, true} {
			d, begun := &delivery{payload: event(command), done: make(chan bool, 1)}, time.Now()
			commands <- d
			if got := <-d.done; got != want || !want && time.Since(begun) < time.Second {
				t.Errorf("acknowledged %t after %v, want %t", got, time.Since(begun), want)
			}
			down.Store(false)
		}
		d := &delivery{payload: []byte("poison"), done: make(chan bool, 1)}
		commands <- d
		if !<-d.done {
			t.Error("a malformed message stops the others")
		}
		close(commands)
		if err := <-served; err != nil {
			t.Error(err)
		}
		if s.paid.Load() != 1 {
			t.Errorf("done %d times", s.paid.Load())
		}
	})
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{200: nil, 409: participant.ErrOtherAnswer, 410: participant.ErrNoLongerWaiting, 404: participant.ErrUnknownCallback} {
		var tries atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if tries.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"commandId":"k","deadline":"2026-01-15T10:02:06Z"}`))
		}))
		b := participant.Callback{Callback: coordination.Callback{URL: server.URL}, Client: server.Client()}
		if err := b.Complete(t.Context(), paid); !errors.Is(err, want) {
			t.Errorf("%d: %v", status, err)
		}
		if tries.Load() != 2 {
			t.Errorf("%d: %d tries", status, tries.Load())
		}
		if until, err := b.Heartbeat(t.Context()); status == 200 && (err != nil || until.IsZero()) {
			t.Errorf("heartbeat until %s, %v", until, err)
		}
		server.Close()
	}
}

func TestAnAnswerThatComesLaterStaysInTheTraceOfItsCommand(t *testing.T) {
	t.Parallel()
	const parent, state = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "shop=1"
	headers := make(chan http.Header, 1)
	coordinator := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header }))
	defer coordinator.Close()
	commands := make(chan *participant.Command, 1)
	p := participant.New("pay", participant.Config{})
	p.HandleFunc("pay", func(_ context.Context, c *participant.Command) participant.Outcome {
		commands <- c
		return participant.Accepted{}
	})
	request := httptest.NewRequest(http.MethodPost, "/pay", strings.NewReader(`{"commandId":"k","direction":"EXECUTE","callback":{"url":"`+coordinator.URL+`"}}`))
	request.Header.Set("traceparent", parent)
	request.Header.Set("tracestate", state)
	p.ServeHTTP(httptest.NewRecorder(), request)
	c := <-commands
	callback, ok := participant.CallbackOf(c)
	if !ok {
		t.Fatal("no callback")
	}
	if err := callback.Complete(t.Context(), paid); err != nil {
		t.Fatal(err)
	}
	if h := <-headers; h.Get("traceparent") != parent || h.Get("tracestate") != state {
		t.Errorf("the callback has %v", h)
	}
	m, err := p.Reply(c, paid)
	if err != nil || !strings.Contains(string(m.Body), `"traceparent":"`+parent+`"`) || !strings.Contains(string(m.Body), `"tracestate":"`+state+`"`) {
		t.Errorf("the reply is %s, %v", m.Body, err)
	}
}

func TestACallbackNeverNamesItsAddress(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	b := participant.Callback{Callback: coordination.Callback{URL: "http://127.0.0.1:1/cbt_secret"}}
	if err := b.Complete(ctx, paid); err == nil || strings.Contains(err.Error(), "cbt_secret") {
		t.Error(err)
	}
}
