package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// KeepAlive is how often a quiet stream says that it is still there.
	KeepAlive = 15 * time.Second
	// MaxStreams bounds the streams that are open at the same time.
	MaxStreams = 1000
	// streamWriteTimeout is how long a receiver may take for one write.
	streamWriteTimeout = 10 * time.Second
)

// StreamInput asks for the events of a workflow as they happen.
type StreamInput struct {
	WorkflowPath
	LastEventID string `header:"Last-Event-ID" doc:"Sequence number of the last event that was received; the stream goes on after it" example:"2" pattern:"^[0-9]{1,9}$"`
}

// streamEvents serves the events of a workflow as server-sent events. A stream
// that would have nothing to say is 204, which tells a browser not to come again.
func (s *service) streamEvents(ctx context.Context, in *StreamInput) (*huma.StreamResponse, error) {
	after, _ := strconv.Atoi(in.LastEventID) // the pattern has seen to it
	snap, err := s.workflow(ctx, &in.WorkflowPath)
	if err != nil {
		return nil, err
	}
	if s.streams.Add(1) > MaxStreams {
		s.streams.Add(-1)
		exchangeOf(ctx).overload = true
		return nil, ports.ErrOverloaded
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.streams.Add(-1)
		if snap.State.Status.Terminal() && after >= len(snap.Events) {
			hc.SetStatus(http.StatusNoContent)
			return
		}
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("X-Accel-Buffering", "no") // proxies must not collect events
		hc.SetStatus(http.StatusOK)
		stream := &eventStream{x: exchangeOf(ctx), id: snap.State.WorkflowID, sent: after}
		stream.x.leave()
		s.follow(hc.Context(), stream, snap)
	}}, nil
}

// follow sends every event from where the stream stands until the workflow has
// ended, the receiver has gone or the service stops.
func (s *service) follow(ctx context.Context, stream *eventStream, snap ports.Snapshot) {
	for {
		if !stream.send(&snap) || snap.State.Status.Terminal() {
			return
		}
		next, err := s.nextSnapshot(ctx, stream, len(snap.Events))
		if err != nil {
			return
		}
		snap = next
	}
}

// nextSnapshot waits for further events and keeps the connection alive meanwhile.
func (s *service) nextSnapshot(ctx context.Context, stream *eventStream, after int) (ports.Snapshot, error) {
	for {
		wait, stop := context.WithTimeout(ctx, s.keepAlive)
		snap, err := s.Queries.Watch(wait, stream.id, after)
		stop()
		quiet := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		if !quiet {
			return snap, err
		}
		if !stream.write([]byte(": ping\n\n")) {
			return snap, context.Canceled
		}
	}
}

// eventStream is one receiver.
type eventStream struct {
	x    *exchange
	id   string
	sent int // sequence number of the last event sent
}

// send writes the events that were not sent yet; false when the receiver has gone.
func (e *eventStream) send(snap *ports.Snapshot) bool {
	var text []byte
	for i := max(0, e.sent); i < len(snap.Events); i++ {
		event := wire.Recorded(snap.State.Template, e.id, i+1, &snap.Events[i])
		data, err := json.Marshal(event)
		if err != nil {
			return false
		}
		text = append(text, "id: "+strconv.Itoa(i+1)+"\nevent: "+string(event.Event)+"\ndata: "...)
		text = append(append(text, data...), "\n\n"...)
		e.sent = i + 1
	}
	return e.write(text)
}

// write sends text at once, even if it is empty: the header must not wait for
// the first event.
func (e *eventStream) write(text []byte) bool {
	e.x.writeBy(time.Now().Add(streamWriteTimeout))
	if _, err := e.x.Write(text); err != nil {
		return false
	}
	return http.NewResponseController(e.x.ResponseWriter).Flush() == nil
}
