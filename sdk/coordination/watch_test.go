package coordination_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// pipes is a network inside the process, so that it works on virtual time.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.connections <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// onPipes is a client of a server with this handler. Both are gone at the end
// of the test: synctest notices a goroutine that is left.
func onPipes(t *testing.T, handler http.Handler, options ...coordination.Option) *coordination.Client {
	t.Helper()
	network := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(network) }()
	transport := &http.Transport{DialContext: network.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return newClient(t, "http://coordination.test/api/v1", append(options, coordination.WithHTTPClient(&http.Client{Transport: transport}))...)
}

// streams answers each request for a stream with the next of its replies, the
// last one again and again.
type streams struct {
	replies []http.HandlerFunc
	asked   []string // Last-Event-ID of each request
	tokens  []string
	times   []time.Time
}

func (s *streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := s.replies[min(len(s.asked), len(s.replies)-1)]
	s.asked = append(s.asked, r.Header.Get("Last-Event-ID"))
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	s.times = append(s.times, time.Now())
	if r.URL.Path != "/api/v1/workflows/"+workflowID+"/stream" || r.Header.Get("Accept") != "text/event-stream" {
		http.Error(w, "not a request for a stream", http.StatusNotFound)
		return
	}
	reply(w, r)
}

// says begins a stream with parts, each of which is sent at once.
func says(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		say(w, append([]string{""}, parts...)...)
	}
}

// say sends each part at once.
func say(w http.ResponseWriter, parts ...string) {
	for _, part := range parts {
		_, _ = io.WriteString(w, part)
		_ = http.NewResponseController(w).Flush()
	}
}

// then adds what a reply does after its parts.
func then(first, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		first(w, r)
		next(w, r)
	}
}

func cuts(http.ResponseWriter, *http.Request)       { panic(http.ErrAbortHandler) }
func stalls(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// answers replies with an error of the API.
func answers(code coordination.Code, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code.HTTPStatus())
		_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":"m","traceId":"t"}}`, code)
	}
}

// named is an event of the stream.
func named(sequence int, name string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"workflowId\":%q,\"sequence\":%d,\"timestamp\":\"2024-01-15T10:00:05Z\",\"event\":%q}\n\n",
		sequence, name, workflowID, sequence, name)
}

// steps are the events of these sequences, none of which ends the workflow.
func steps(sequences ...int) (text string) {
	for _, sequence := range sequences {
		text += named(sequence, "STEP_COMPLETED")
	}
	return text
}

func ends(sequence int) string { return named(sequence, "WORKFLOW_COMPLETED") }

// watched are the sequences of a watch and what it ended with.
func watched(ctx context.Context, c *coordination.Client, options coordination.WatchOptions) (sequences []int64, err error) {
	for event, err := range c.Workflows.Watch(ctx, workflowID, options) {
		if err != nil {
			return sequences, err
		}
		sequences = append(sequences, event.Sequence)
	}
	return sequences, nil
}

func TestWatchTellsEveryEventOnceWhateverHappensToTheStream(t *testing.T) {
	t.Parallel()
	busy := answers(coordination.ErrServiceUnavailable)
	html := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }
	for name, c := range map[string]struct {
		replies []http.HandlerFunc
		asked   []string
	}{
		"at once":                    {[]http.HandlerFunc{says(steps(1, 2, 3) + ends(4))}, []string{""}},
		"one by one":                 {[]http.HandlerFunc{says(steps(1), steps(2), steps(3), ends(4))}, []string{""}},
		"in pieces":                  {[]http.HandlerFunc{says(strings.SplitAfter(steps(1, 2, 3)+ends(4), ":")...)}, []string{""}},
		"between comments":           {[]http.HandlerFunc{says(": ping\n\n"+steps(1), ": ping\n\n", "retry: 1\n\n"+steps(2, 3)+ends(4))}, []string{""}},
		"events of another kind":     {[]http.HandlerFunc{says("event: notice\ndata: hello\n\n" + steps(1, 2, 3) + ends(4))}, []string{""}},
		"cut":                        {[]http.HandlerFunc{then(says(steps(1, 2)), cuts), says(steps(3) + ends(4))}, []string{"", "2"}},
		"cut in an event":            {[]http.HandlerFunc{then(says(steps(1, 2)+steps(3)[:40]), cuts), says(steps(3) + ends(4))}, []string{"", "2"}},
		"ended in an event":          {[]http.HandlerFunc{says(steps(1) + strings.TrimSuffix(ends(2), "\n")), says(steps(2, 3) + ends(4))}, []string{"", "1"}},
		"ended":                      {[]http.HandlerFunc{says(steps(1)), says(), says(steps(2)), says(steps(3) + ends(4))}, []string{"", "1", "1", "2"}},
		"cut after the end":          {[]http.HandlerFunc{then(says(steps(1, 2, 3)+ends(4)), cuts), answersNothing}, []string{"", "4"}},
		"repeated":                   {[]http.HandlerFunc{then(says(steps(1, 2)), cuts), says(steps(1, 2, 2, 3, 1) + ends(4))}, []string{"", "2"}},
		"a gap":                      {[]http.HandlerFunc{says(steps(1, 3) + ends(4)), says(steps(2, 3) + ends(4))}, []string{"", "1"}},
		"garbage":                    {[]http.HandlerFunc{says(steps(1) + "<html>\n\nid: 2\ndata: <html>\n\n"), says(steps(2, 3) + ends(4))}, []string{"", "1"}},
		"another id":                 {[]http.HandlerFunc{says(steps(1) + strings.Replace(steps(2), "id: 2", "id: 3", 1)), says(steps(2, 3) + ends(4))}, []string{"", "1"}},
		"another name":               {[]http.HandlerFunc{says(steps(1) + strings.Replace(steps(2), "event: STEP", "event: LEAP", 1)), says(steps(2, 3) + ends(4))}, []string{"", "1"}},
		"busy":                       {[]http.HandlerFunc{busy, busy, says(steps(1, 2, 3) + ends(4))}, []string{"", "", ""}},
		"a proxy without its server": {[]http.HandlerFunc{says(steps(1)), html, html, html, html, says(steps(2, 3) + ends(4))}, []string{"", "1", "1", "1", "1", "1"}},
		"failed and retried": {[]http.HandlerFunc{then(says(steps(1)+named(2, "WORKFLOW_FAILED")), cuts), says(named(3, "WORKFLOW_RESUMED") + ends(4))},
			[]string{"", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &streams{replies: c.replies}
				got, err := watched(t.Context(), onPipes(t, server), coordination.WatchOptions{})
				if err != nil || !slices.Equal(got, []int64{1, 2, 3, 4}) {
					t.Errorf("told %v, ended with %v", got, err)
				}
				if !slices.Equal(server.asked, c.asked) {
					t.Errorf("asked for what follows %q, want %q", server.asked, c.asked)
				}
			})
		})
	}
}

func answersNothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func TestWatchBeginsWhereItIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &streams{replies: []http.HandlerFunc{says(steps(3) + ends(4))}}
		client := onPipes(t, server)
		got, err := watched(t.Context(), client, coordination.WatchOptions{After: 2})
		if err != nil || !slices.Equal(got, []int64{3, 4}) || server.asked[0] != "2" {
			t.Errorf("told %v after %q, %v", got, server.asked, err)
		}
		server.replies = []http.HandlerFunc{answersNothing}
		if got, err := watched(t.Context(), client, coordination.WatchOptions{After: 4}); err != nil || len(got) != 0 {
			t.Errorf("of a workflow that has ended: %v, %v", got, err)
		}
		server.asked = nil
		if _, err := watched(t.Context(), client, coordination.WatchOptions{After: -1}); err == nil || server.asked != nil {
			t.Errorf("before the first event: %v", err)
		}
	})
}

func TestWatchEndsWithWhatCannotGetBetter(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }
	for name, c := range map[string]struct {
		reply http.HandlerFunc
		want  error
		asked int
	}{
		"not found":              {answers(coordination.ErrWorkflowNotFound), coordination.ErrWorkflowNotFound, 1},
		"not allowed":            {answers(coordination.ErrInsufficientPermissions), coordination.ErrInsufficientPermissions, 1},
		"internal error":         {answers(coordination.ErrInternal), coordination.ErrInternal, 1},
		"no stream":              {page, coordination.ErrUnexpectedResponse, 1},
		"asked to wait too long": {answers(coordination.ErrRateLimitExceeded, "Retry-After", "3600"), coordination.ErrRateLimitExceeded, 1},
		"always a gap":           {says(steps(2)), coordination.ErrStream, 3},
		"always garbage":         {says("id: x\ndata: y\n\n"), coordination.ErrStream, 3},
		"always too large":       {says("data: " + strings.Repeat("x", coordination.MaxStreamEventBytes)), coordination.ErrResponseTooLarge, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &streams{replies: []http.HandlerFunc{c.reply}}
				got, err := watched(t.Context(), onPipes(t, server), coordination.WatchOptions{})
				if !errors.Is(err, c.want) || len(got) != 0 || len(server.asked) != c.asked {
					t.Errorf("told %v in %d streams, ended with %v", got, len(server.asked), err)
				}
			})
		})
	}
}

func TestWatchComesBackFromSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quiet := func(w http.ResponseWriter, r *http.Request) { // for an hour, but alive
			for range 240 {
				time.Sleep(15 * time.Second)
				say(w, ": ping\n\n")
			}
			say(w, steps(2))
			stalls(w, r)
		}
		server := &streams{replies: []http.HandlerFunc{then(says(steps(1)), quiet), says(steps(3) + ends(4))}}
		begun := time.Now()
		got, err := watched(t.Context(), onPipes(t, server), coordination.WatchOptions{})
		if err != nil || len(got) != 4 || !slices.Equal(server.asked, []string{"", "2"}) {
			t.Errorf("told %v in streams after %q, ended with %v", got, server.asked, err)
		}
		if took := time.Since(begun) - time.Hour; took < coordination.MaxStreamSilence || took > coordination.MaxStreamSilence+time.Second {
			t.Errorf("noticed the silence after %v", took)
		}
	})
}

func TestWatchComesBackFromARequestThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &streams{replies: []http.HandlerFunc{stalls, says(ends(1))}}
		begun := time.Now()
		got, err := watched(t.Context(), onPipes(t, server, coordination.WithTimeout(3*time.Second)), coordination.WatchOptions{})
		if err != nil || len(got) != 1 || time.Since(begun) < 3*time.Second || time.Since(begun) > 4*time.Second {
			t.Errorf("told %v after %v, ended with %v", got, time.Since(begun), err)
		}
	})
}

// TestWatchIsPatientWithItsCaller: the time that the caller takes for an event
// is not silence of the service.
func TestWatchIsPatientWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &streams{replies: []http.HandlerFunc{then(says(steps(1)), cuts), says(ends(2))}}
		told := 0
		for _, err := range onPipes(t, server).Workflows.Watch(t.Context(), workflowID, coordination.WatchOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			told++
			time.Sleep(2 * coordination.DefaultGiveUpAfter)
		}
		if told != 2 || len(server.asked) != 2 {
			t.Errorf("told %d events in %d streams", told, len(server.asked))
		}
	})
}

func TestWatchGivesUp(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			server := &streams{replies: []http.HandlerFunc{then(says(steps(1)), cuts), answers(coordination.ErrServiceUnavailable)}}
			begun := time.Now()
			got, err := watched(t.Context(), onPipes(t, server), coordination.WatchOptions{GiveUpAfter: limit})
			if !errors.Is(err, coordination.ErrServiceUnavailable) || len(got) != 1 {
				t.Errorf("told %v, ended with %v", got, err)
			}
			if limit == 0 {
				limit = coordination.DefaultGiveUpAfter
			}
			if took := time.Since(begun); took > limit || took < limit-coordination.DefaultMaxWait {
				t.Errorf("gave up after %v", took)
			}
			for i := 2; i < len(server.times); i++ {
				if wait := server.times[i].Sub(server.times[i-1]); wait < coordination.DefaultMinWait/2 || wait > coordination.DefaultMaxWait {
					t.Errorf("came back after %v", wait)
				}
			}
			if n := len(server.times); n > 8+int(limit/coordination.DefaultMaxWait)*2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestWatchWaitsAsLongAsItIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &streams{replies: []http.HandlerFunc{answers(coordination.ErrRateLimitExceeded, "Retry-After", "70"), says(ends(1))}}
		begun := time.Now()
		if _, err := watched(t.Context(), onPipes(t, server), coordination.WatchOptions{}); err != nil || time.Since(begun) != 70*time.Second {
			t.Errorf("ended after %v with %v", time.Since(begun), err)
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.HandlerFunc{
		"while it listens": then(says(steps(1)), stalls),
		"while it asks":    stalls,
		"while it waits":   answers(coordination.ErrServiceUnavailable),
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			begun := time.Now()
			_, err := watched(ctx, onPipes(t, &streams{replies: []http.HandlerFunc{reply}}), coordination.WatchOptions{})
			if !errors.Is(err, context.Canceled) || time.Since(begun) != 10*time.Second {
				t.Errorf("%s: ended after %v with %v", name, time.Since(begun), err)
			}
		})
	}
}

// TestWatchStopsWithItsCaller: who breaks off leaves no stream behind.
func TestWatchStopsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		server := &streams{replies: []http.HandlerFunc{then(says(steps(1, 2)), func(w http.ResponseWriter, r *http.Request) {
			stalls(w, r)
			close(gone)
		})}}
		for range onPipes(t, server).Workflows.Watch(t.Context(), workflowID, coordination.WatchOptions{}) {
			break
		}
		<-gone
		if len(server.asked) != 1 {
			t.Errorf("asked for %d streams", len(server.asked))
		}
	})
}

func TestWatchRenewsItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		expired := answers(coordination.ErrAuthenticationRequired)
		server := &streams{replies: []http.HandlerFunc{then(says(steps(1)), cuts), expired, says(ends(2))}}
		client := onPipes(t, server, coordination.WithTokenSource(cachedTokens()))
		got, err := watched(t.Context(), client, coordination.WatchOptions{})
		if err != nil || len(got) != 2 || !slices.Equal(server.tokens, []string{"Bearer t1", "Bearer t1", "Bearer t2"}) {
			t.Errorf("told %v with the tokens %q, ended with %v", got, server.tokens, err)
		}
		server.replies, server.asked = []http.HandlerFunc{expired}, nil
		if _, err := watched(t.Context(), client, coordination.WatchOptions{}); !errors.Is(err, coordination.ErrAuthenticationRequired) || len(server.asked) != 2 {
			t.Errorf("with a token that is refused again: asked %d times, %v", len(server.asked), err)
		}
	})
}
