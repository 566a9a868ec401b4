package coordination

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Limits of a watch.
const (
	// MaxStreamSilence is how long a stream may say nothing before it is taken
	// for dead. The service says something every fifteen seconds.
	MaxStreamSilence = 45 * time.Second
	// DefaultGiveUpAfter is the default of [WatchOptions].GiveUpAfter.
	DefaultGiveUpAfter = 5 * time.Minute
	// maxStreamFaults is how many streams in a row may break the protocol, with
	// no new event between them.
	maxStreamFaults = 3
)

// ErrStream reports a stream that breaks its protocol: an event that is none,
// or that is not the next one.
var ErrStream = errors.New("the stream of events is broken")

// Ends of a stream that the next one goes on from.
var (
	errStreamEnded  = errors.New("the stream ended before the workflow")
	errStreamSilent = fmt.Errorf("the stream was silent for %v", MaxStreamSilence)
	errNoAnswer     = errors.New("no answer in time")
)

// WatchOptions say where a watch begins and when it gives up.
type WatchOptions struct {
	// After is the sequence of the last event that is known already; the watch
	// begins with the one behind it. 0 is the first event of the workflow.
	After int64
	// GiveUpAfter is how long the watch goes on without hearing of the service,
	// by default DefaultGiveUpAfter. Then it ends with the last error.
	GiveUpAfter time.Duration
}

// Watch iterates over the events of a workflow as they happen, from the first
// one on or from where options say, each once and in order, and ends after the
// one that ended the workflow. When the connection is lost, or silent for
// [MaxStreamSilence], it comes back and goes on behind the last event. To go on
// in another process, keep the sequence of the last event.
//
// An error ends the iteration and comes with a zero event: one of the API such
// as [ErrWorkflowNotFound], [ErrStream] if the service sends what is no stream
// of events, the error of ctx, or that of the last attempt if the service was
// not heard of for too long.
func (s *WorkflowService) Watch(ctx context.Context, workflowID string, options WatchOptions) iter.Seq2[RecordedEvent, error] {
	return func(yield func(RecordedEvent, error) bool) {
		w := &watch{client: s.client, workflowID: workflowID, last: options.After, heard: time.Now(), giveUp: options.GiveUpAfter,
			take: func(e RecordedEvent) bool { return yield(e, nil) }}
		if w.giveUp <= 0 {
			w.giveUp = DefaultGiveUpAfter
		}
		if err := w.run(ctx); err != nil {
			yield(RecordedEvent{}, fmt.Errorf("coordination: watch workflow: %w", err))
		}
	}
}

// watch follows one workflow over as many streams as it takes.
type watch struct {
	client     *Client
	workflowID string
	giveUp     time.Duration
	take       func(RecordedEvent) bool // false: no more are wanted

	last  int64     // sequence of the last event
	ended bool      // with the last event
	heard time.Time // when a stream last said something
}

// run returns nil when the workflow has ended or no more events are wanted.
func (w *watch) run(ctx context.Context) error {
	if w.last < 0 {
		return errors.New("the sequence to begin after is negative")
	}
	for attempt, faults := 1, 0; ; attempt++ {
		last, opened := w.last, time.Now()
		err := w.stream(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case w.last > last:
			attempt, faults = 1, 0
		case time.Since(opened) > w.client.retries.MaxWait:
			attempt = 1
		}
		if errors.Is(err, ErrStream) || errors.Is(err, ErrResponseTooLarge) {
			if faults++; faults == maxStreamFaults {
				return err
			}
		} else if !transient(err) {
			return err
		}
		wait := w.client.retries.pause(attempt, err)
		if time.Since(w.heard)+wait > w.giveUp || !endures(ctx, wait) {
			return err
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// stream follows the workflow over one stream. It returns nil when the workflow
// has ended or no more events are wanted.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slow := time.AfterFunc(w.client.timeout, func() { cancel(errNoAnswer) })
	defer slow.Stop()
	got, err := w.open(ctx)
	if err != nil {
		return w.failure(ctx, err)
	}
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode == http.StatusNoContent { // nothing is left to say
		return nil
	}
	if err := w.refusal(got); err != nil {
		return w.failure(ctx, err)
	}
	slow.Stop()
	silent := time.AfterFunc(MaxStreamSilence, func() { cancel(errStreamSilent) })
	defer silent.Stop()
	err = w.read(newFrames(&listener{got.Body, silent, &w.heard}))
	if err == nil || errors.Is(err, ErrStream) || errors.Is(err, ErrResponseTooLarge) {
		return err
	}
	return w.failure(ctx, &connectionError{err})
}

// failure names the timer that has ended a stream, if one has.
func (w *watch) failure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStreamSilent) || errors.Is(cause, errNoAnswer) {
		return &connectionError{cause}
	}
	return err
}

// open sends the request for a stream, with another token if the first is refused.
func (w *watch) open(ctx context.Context) (*http.Response, error) {
	call := call{name: "watch workflow", method: http.MethodGet, path: []string{"workflows", w.workflowID, "stream"}}
	target, err := w.client.target(call)
	if err != nil {
		return nil, err
	}
	for {
		request, err := w.client.request(ctx, &call, target, nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Accept", "text/event-stream")
		request.Header.Set("Accept-Encoding", "identity") // what compresses also collects
		if w.last > 0 {
			request.Header.Set("Last-Event-ID", strconv.FormatInt(w.last, 10))
		}
		got, err := w.client.http.Do(request)
		if err != nil {
			return nil, &connectionError{withoutURL(err)}
		}
		if got.StatusCode != http.StatusUnauthorized || !w.client.renew(ctx, &call) {
			return got, nil
		}
		_ = got.Body.Close()
	}
}

// refusal is the error of a response that is no stream.
func (w *watch) refusal(got *http.Response) error {
	if got.StatusCode == http.StatusOK {
		if kind, _, _ := mime.ParseMediaType(got.Header.Get("Content-Type")); kind == "text/event-stream" {
			return nil
		}
		return &Error{Code: ErrUnexpectedResponse, Message: "the response is no stream of events", Status: got.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(got.Body, w.client.maxResponseBytes))
	if err != nil {
		return &connectionError{err}
	}
	return errorOf(&response{got.StatusCode, got.Header, body})
}

// read takes events until the stream ends; nil if nothing is to come after it.
func (w *watch) read(stream *frames) error {
	for {
		f, err := stream.next()
		switch {
		case err == io.EOF && w.ended:
			return nil
		case err == io.EOF:
			return errStreamEnded
		case err != nil:
			return err
		case f.id == "": // no entry of the log
			continue
		}
		var e RecordedEvent
		if json.Unmarshal([]byte(f.data), &e) != nil || f.id != strconv.FormatInt(e.Sequence, 10) || f.event != string(e.Event) {
			return fmt.Errorf("%w: an event after %d is none", ErrStream, w.last)
		}
		switch {
		case e.Sequence <= w.last: // told before
			continue
		case e.Sequence > w.last+1:
			return fmt.Errorf("%w: after event %d came %d", ErrStream, w.last, e.Sequence)
		}
		w.last, w.ended = e.Sequence, e.Event.Terminal()
		if !w.take(e) {
			return nil
		}
		w.heard = time.Now() // the caller's time does not count as silence
	}
}

// listener is the body of a stream. It lets the timer of silence run while it
// waits for the service, and not while the caller is busy with an event.
type listener struct {
	body   io.Reader
	silent *time.Timer
	heard  *time.Time
}

func (l *listener) Read(p []byte) (int, error) {
	l.silent.Reset(MaxStreamSilence)
	n, err := l.body.Read(p)
	l.silent.Stop()
	if n > 0 {
		*l.heard = time.Now()
	}
	return n, err
}
