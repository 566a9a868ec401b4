package service_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// laterDelay is when the action "later" takes effect.
const laterDelay = time.Minute

// bell is the smallest service with something to do and to undo.
func bell() service.Definition {
	do := func(c *coordination.Command) (service.Decision, error) {
		var p struct {
			Volume int    `json:"volume"`
			Behave string `json:"behave"`
		}
		if err := json.Unmarshal(c.Parameters, &p); err != nil {
			return service.Decision{}, errors.New("volume is missing")
		}
		switch p.Behave {
		case "reject":
			return service.Reject("TOO_LATE_AT_NIGHT", "no"), nil
		case "retry":
			return service.Retry("OUT_OF_BREATH", "later", 1500*time.Millisecond), nil
		case "rusty":
			d, err := service.Succeed("ring", map[string]int{"volume": p.Volume})
			return d.Remember("rusty"), err
		}
		return service.Succeed("ring", map[string]int{"volume": p.Volume})
	}
	later := func(c *coordination.Command) (service.Decision, error) {
		d, err := do(c)
		return d.After(laterDelay), err
	}
	undo := func(_ *coordination.Command, done service.Done) (service.Decision, error) {
		if done.Memo == "rusty" {
			return service.Reject("RUSTY", "cannot be silenced"), nil
		}
		return service.Succeed("silence", map[string]json.RawMessage{"rang": done.Result})
	}
	return service.Definition{Name: "bell-service", Actions: map[string]service.Action{
		"ring":          {Do: do},
		"silence":       {Undo: undo, Undoes: "ring"},
		"later":         {Do: later},
		"silence_later": {Undo: undo, Undoes: "later"},
		"apologise":     {Do: do, Hook: true},
	}}
}

// subject is a service under test with its ledger.
type subject struct {
	t    testing.TB
	cfg  service.Config
	svc  *service.Service
	logs *bytes.Buffer
}

func start(t testing.TB, change ...func(*service.Config)) *subject {
	t.Helper()
	logs := &bytes.Buffer{}
	s := &subject{t: t, logs: logs, cfg: service.Config{
		Ledger: filepath.Join(t.TempDir(), "ledger.jsonl"),
		Log:    slog.New(slog.NewTextHandler(logs, nil)),
	}}
	for _, c := range change {
		c(&s.cfg)
	}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *subject) open() {
	s.t.Helper()
	svc, err := service.Open(bell(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.svc = svc
}

func (s *subject) close() {
	if err := s.svc.Close(); err != nil {
		s.t.Error(err)
	}
}

// restart is what a process start finds after the last one ended.
func (s *subject) restart() {
	s.t.Helper()
	s.close()
	s.open()
}

// answer is what came back, as a coordinator reads it.
type answer struct {
	status int
	header http.Header
	body   string
	coordination.Answer
}

// code is the error code, or "".
func (a answer) code() string {
	if a.Error == nil {
		return ""
	}
	return a.Error.Code
}

// command builds a request; its defaults make a good execution of "ring".
type command map[string]any

func execute(key string) command {
	return command{"commandId": key, "workflowId": "wf-1", "step": "RING", "direction": "EXECUTE", "parameters": map[string]any{"volume": 3}}
}

func compensate(key, forward string) command {
	return command{
		"commandId": key, "workflowId": "wf-1", "step": "SILENCE", "direction": "COMPENSATE",
		"forward": map[string]any{"step": "RING", "commandId": forward, "outcome": "UNKNOWN"},
	}
}

func (c command) with(name string, value any) command {
	c[name] = value
	return c
}

func (s *subject) send(action string, c command) answer {
	s.t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post(action, body, nil)
}

func (s *subject) post(action string, body []byte, change func(*http.Request)) answer {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/"+action, bytes.NewReader(body))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.svc.Handler().ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.Answer); err != nil {
		s.t.Errorf("%s: the answer is no JSON: %q", action, a.body)
	}
	return a
}

// want checks the outcome (or "" for a broken contract), status and code.
func (s *subject) want(a answer, outcome coordination.Outcome, status int, code string) {
	s.t.Helper()
	if a.Outcome != outcome || a.status != status || a.code() != code {
		s.t.Errorf("got %d %s, want %s %d %s", a.status, a.body, outcome, status, code)
	}
}

func (s *subject) succeeds(a answer) {
	s.t.Helper()
	s.want(a, coordination.OutcomeSucceeded, http.StatusOK, "")
}

// same checks that a replay is the first answer, byte for byte.
func (s *subject) same(first, again answer) {
	s.t.Helper()
	if first.status != again.status || first.body != again.body {
		s.t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
	}
}

// effects checks the effects in the ledger, in order, and all its promises.
func (s *subject) effects(want ...string) {
	s.t.Helper()
	entries := s.entries()
	var got []string
	for _, e := range entries {
		if e.Kind == ledger.Effect {
			got = append(got, e.Effect)
		}
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("effects %v, want %v", got, want)
	}
	for _, f := range ledger.Check(entries) {
		s.t.Error(f)
	}
}

func (s *subject) entries() []ledger.Entry {
	s.t.Helper()
	entries, err := ledger.Read(s.cfg.Ledger)
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}
