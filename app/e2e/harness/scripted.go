package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// CommandTimeout is how long a test waits for a command to come.
const CommandTimeout = 20 * time.Second

// Script is a participant for all services whose answers the test gives, one
// by one or once for all.
type Script struct {
	server *httptest.Server
	closed chan struct{}

	mu      sync.Mutex
	usual   map[string]Answer
	pauses  map[string]time.Duration
	waiting map[string]chan *Call
}

// Answer is an HTTP response of a participant.
type Answer struct {
	Status int
	Body   string
}

// Call is a command that waits for its answer.
type Call struct {
	coordination.Command
	answer chan Answer
}

// waitingCalls of one action may queue up for a test.
const waitingCalls = 64

// NewScript starts a participant without a script: it answers nothing yet.
func NewScript(tb testing.TB) *Script {
	s := &Script{closed: make(chan struct{}), usual: map[string]Answer{}, pauses: map[string]time.Duration{}, waiting: map[string]chan *Call{}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(func() {
		close(s.closed)
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

// Always gives every command for an action the same answer from now on; status
// 0 has the test answer them again.
func (s *Script) Always(action string, status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 {
		delete(s.usual, action)
		return
	}
	s.usual[action] = Answer{status, body}
}

// After has every answer of Always to an action take so long.
func (s *Script) After(action string, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses[action] = pause
}

// Next is the next command for an action that is left to the test.
func (s *Script) Next(tb testing.TB, action string) *Call {
	tb.Helper()
	select {
	case call := <-s.queue(action):
		return call
	case <-time.After(CommandTimeout):
		tb.Fatalf("no command %s came within %s", action, CommandTimeout)
		return nil
	}
}

// Answer answers a command.
func (c *Call) Answer(status int, body string) { c.answer <- Answer{status, body} }

// File writes a participants file in which this participant plays the services.
func (s *Script) File(tb testing.TB, services ...string) string {
	tb.Helper()
	var text strings.Builder
	text.WriteString("participants:\n")
	for _, name := range services {
		fmt.Fprintf(&text, "  %s: {transport: http, url: %s}\n", name, s.server.URL)
	}
	return WriteFile(tb, "participants.yaml", text.String())
}

// WriteFile writes a file in a directory of its own.
func WriteFile(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func (s *Script) queue(action string) chan *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.waiting[action]
	if queue == nil {
		queue = make(chan *Call, waitingCalls)
		s.waiting[action] = queue
	}
	return queue
}

func (s *Script) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet { // a health check
		return
	}
	body, err := io.ReadAll(r.Body)
	call := &Call{answer: make(chan Answer, 1)}
	if err != nil || json.Unmarshal(body, &call.Command) != nil {
		http.Error(w, "not a command", http.StatusBadRequest)
		return
	}
	answer, ok := s.answer(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), call)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body) // the coordinator may have given up
}

// answer is the usual one, or the test's; false if there will be none.
func (s *Script) answer(ctx context.Context, action string, call *Call) (Answer, bool) {
	s.mu.Lock()
	answer, usual := s.usual[action]
	pause := s.pauses[action]
	s.mu.Unlock()
	if usual {
		time.Sleep(pause)
		return answer, true
	}
	select {
	case s.queue(action) <- call:
	default:
		return Answer{http.StatusInternalServerError, ""}, true // the test has forgotten about them
	}
	select {
	case answer = <-call.answer:
		return answer, true
	case <-ctx.Done():
	case <-s.closed:
	}
	return Answer{}, false
}
