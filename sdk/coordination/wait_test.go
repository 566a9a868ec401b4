package coordination_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// life is a server with a workflow of which a new event happens every minute.
// Its status follows one event behind the stream.
type life struct {
	begun   time.Time
	names   []string // of the events, after the first
	end     coordination.Status
	stream  func(w http.ResponseWriter, r *http.Request, l *life) // nil: there is none
	looks   []time.Time
	streams int
}

// version is how many events there are.
func (l *life) version() int { return 1 + min(int(time.Since(l.begun)/time.Minute), len(l.names)) }

func (l *life) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/status"):
		l.looks = append(l.looks, time.Now())
		status := coordination.StatusInProgress
		if l.version() > len(l.names) {
			status = l.end
		}
		_, _ = fmt.Fprintf(w, `{"status":%q,"saga":{"version":%d}}`, status, l.version())
	case l.stream == nil:
		answers(coordination.ErrNotFound)(w, r)
	default:
		l.streams++
		l.stream(w, r, l)
	}
}

// follows streams the events as they happen.
func follows(w http.ResponseWriter, r *http.Request, l *life) {
	says()(w, r)
	var sequence int
	_, _ = fmt.Sscan(r.Header.Get("Last-Event-ID"), &sequence)
	for sequence <= len(l.names) {
		select {
		case <-time.After(time.Until(l.begun.Add(time.Duration(sequence) * time.Minute))):
			sequence++
			say(w, named(sequence, l.names[sequence-2]))
		case <-time.After(15 * time.Second):
			say(w, ": ping\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func TestWaitListens(t *testing.T) {
	t.Parallel()
	for end, event := range map[coordination.Status]string{
		coordination.StatusCompleted: "WORKFLOW_COMPLETED", coordination.StatusFailed: "WORKFLOW_FAILED",
		coordination.StatusCancelled: "WORKFLOW_CANCELLED", coordination.StatusParked: "WORKFLOW_PARKED",
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &life{begun: time.Now(), names: []string{"STEP_COMPLETED", "STEP_COMPLETED", event}, end: end, stream: follows}
			status, err := onPipes(t, server).Workflows.Wait(t.Context(), workflowID)
			if err != nil || status.Status != end || time.Since(server.begun) != 3*time.Minute {
				t.Errorf("%s after %v (%v)", status.Status, time.Since(server.begun), err)
			}
			if len(server.looks) != 2 || server.streams != 1 {
				t.Errorf("looked %d times, with %d streams", len(server.looks), server.streams)
			}
		})
	}
}

func TestWaitLooksAtOnceWhenItHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &life{begun: time.Now(), end: coordination.StatusCompleted, stream: follows}
		if _, err := onPipes(t, server).Workflows.Wait(t.Context(), workflowID); err != nil || time.Since(server.begun) != 0 || server.streams != 0 {
			t.Errorf("after %v and %d streams: %v", time.Since(server.begun), server.streams, err)
		}
	})
}

// TestWaitDoesWithoutStreams: it looks at the status instead, and not so often
// that it uses up a quota of a thousand requests an hour.
func TestWaitDoesWithoutStreams(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]func(http.ResponseWriter, *http.Request, *life){
		"there are none": nil,
		"all are taken": func(w http.ResponseWriter, r *http.Request, _ *life) {
			answers(coordination.ErrServiceUnavailable)(w, r)
		},
		"they are cut":    func(w http.ResponseWriter, r *http.Request, _ *life) { then(says(), cuts)(w, r) },
		"they are broken": func(w http.ResponseWriter, r *http.Request, _ *life) { says("id: 1\ndata: x\n\n")(w, r) },
		"they are late":   func(w http.ResponseWriter, r *http.Request, _ *life) { says(named(99, "WORKFLOW_PARKED"))(w, r) },
		"they are early": func(w http.ResponseWriter, r *http.Request, l *life) {
			says(named(l.version()+1, "WORKFLOW_FAILED"))(w, r)
		},
		"they say no": func(w http.ResponseWriter, r *http.Request, _ *life) { answersNothing(w, r) },
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &life{begun: time.Now(), names: make([]string, 60), end: coordination.StatusCompleted, stream: stream}
			if _, err := onPipes(t, server).Workflows.Wait(t.Context(), workflowID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if late := time.Since(server.begun) - time.Hour; late < 0 || late > 10*time.Second {
				t.Errorf("%s: noticed the end after %v", name, late)
			}
			if looks := len(server.looks); looks < 360 || looks+server.streams > 1100 {
				t.Errorf("%s: looked %d times, with %d streams, in an hour", name, looks, server.streams)
			}
		})
	}
}

func TestWaitSurvivesStreamsThatSayNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &life{begun: time.Now(), names: make([]string, 10), end: coordination.StatusCompleted,
			stream: func(w http.ResponseWriter, r *http.Request, _ *life) { then(says(), stalls)(w, r) }}
		_, err := onPipes(t, server).Workflows.Wait(t.Context(), workflowID)
		if late := time.Since(server.begun) - 10*time.Minute; err != nil || late > coordination.MaxStreamSilence+time.Second {
			t.Errorf("noticed the end after %v (%v)", late, err)
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	for _, stream := range []func(http.ResponseWriter, *http.Request, *life){nil, follows} {
		synctest.Test(t, func(t *testing.T) {
			server := &life{begun: time.Now(), names: make([]string, 60), stream: stream}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := onPipes(t, server).Workflows.Wait(ctx, workflowID)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(server.begun) != time.Minute {
				t.Errorf("ended after %v with %v", time.Since(server.begun), err)
			}
		})
	}
	script := &script{replies: []reply{internal}}
	if _, err := script.client(t).Workflows.Wait(t.Context(), workflowID); !errors.Is(err, coordination.ErrInternal) {
		t.Errorf("the error is %v", err)
	}
}
