package inbound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// reserved is what begins the topics of the coordinator itself; an answer must
// not go there, but to one of its answer topics or somewhere else.
const (
	reserved      = "coordination."
	answersPrefix = "coordination.answers."
)

// identifier is what may stand in a path.
var identifier = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// replyTopic is the form of a topic that every bus has.
var replyTopic = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`)

const maxReplyTopic = 200

// Requests takes what callers ask for over the bus, and answers as the REST API
// would: it is the same API that answers.
type Requests struct {
	// API serves the routes under BasePath to whoever is allowed to publish on
	// the topic of requests.
	API      http.Handler
	BasePath string
	Bus      ports.Publisher
	Logger   *slog.Logger
}

// Subscription is what Requests wants of the bus.
func (r *Requests) Subscription() ports.Subscription {
	return ports.Subscription{Topic: coordination.TopicRequests, Group: Group, Concurrency: RequestConcurrency, Handle: r.Handle}
}

// Handle takes one request. It is acknowledged when its effect is committed and
// its answer, if the caller wants one, is with the broker. A request that is
// refused and names no topic for the answer is poison, so that it is seen.
func (r *Requests) Handle(ctx context.Context, m ports.Message) error {
	e, err := cloudevents.Read(m.Body)
	if err != nil {
		return ports.Poison("%v", err)
	}
	if e.Type != coordination.TypeRequest {
		return ports.Poison("type: want %s", coordination.TypeRequest)
	}
	if e.ReplyTo != "" && !mayAnswer(e.ReplyTo) {
		return ports.Poison("replyto: want a topic of at most %d of A-Z a-z 0-9 _ - in parts separated by dots, outside of %s but for %s",
			maxReplyTopic, reserved, answersPrefix)
	}
	var q coordination.BusRequest
	decoder := json.NewDecoder(bytes.NewReader(e.Data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&q) != nil {
		return ports.Poison("data: not a request")
	}
	method, path, err := route(&q)
	if err != nil {
		return ports.Poison("data.%v", err)
	}
	status, body, err := r.call(ctx, &e, method, path, q.Body)
	if err != nil {
		return err
	}
	return r.answer(ctx, &e, status, body)
}

func mayAnswer(topic string) bool {
	return len(topic) <= maxReplyTopic && replyTopic.MatchString(topic) &&
		(!strings.HasPrefix(topic, reserved) || strings.HasPrefix(topic, answersPrefix))
}

// startRoutes are the routes of the types whose requests have a form of their own.
var startRoutes = map[string]string{
	"ORDER_FULFILLMENT":       "/workflows/order/start",
	"RETURN_PROCESSING":       "/workflows/return/start",
	"INVENTORY_REPLENISHMENT": "/workflows/replenishment/start",
}

// route is where the API takes such a request.
func route(q *coordination.BusRequest) (method, path string, err error) {
	need := func(member, id, format string) (string, string, error) {
		if !identifier.MatchString(id) {
			return "", "", fmt.Errorf("%s: want an identifier with %s", member, q.Operation)
		}
		return http.MethodPost, fmt.Sprintf(format, id), nil
	}
	switch q.Operation {
	case coordination.OperationStart:
		if path, own := startRoutes[q.Type]; own {
			return http.MethodPost, path, nil
		}
		return http.MethodPost, "/workflows/start", nil
	case coordination.OperationCancel:
		return need("workflowId", q.WorkflowID, "/workflows/%s/cancel")
	case coordination.OperationRetry:
		return need("workflowId", q.WorkflowID, "/workflows/%s/retry")
	case coordination.OperationCompensate:
		return need("sagaId", q.SagaID, "/sagas/%s/compensate")
	}
	return "", "", fmt.Errorf("operation: want START, CANCEL, RETRY or COMPENSATE")
}

// call has the API serve the request. A refusal for lack of room or of the
// store is an error: the message comes again.
func (r *Requests) call(ctx context.Context, e *coordination.CloudEvent, method, path string, body []byte) (int, []byte, error) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	request, err := http.NewRequestWithContext(ctx, method, r.BasePath+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, ports.Poison("data: not a request")
	}
	key := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	request.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"},
		"X-Idempotency-Key": {hex.EncodeToString(key[:])}}
	if e.TraceParent != "" {
		request.Header.Set("Traceparent", e.TraceParent)
		if e.TraceState != "" {
			request.Header.Set("Tracestate", e.TraceState)
		}
	}
	response := recorder{header: http.Header{}, status: http.StatusOK}
	r.API.ServeHTTP(&response, request)
	switch {
	case response.status == http.StatusInternalServerError:
		return 0, nil, ports.Poison("the request could not be served: internal error")
	case response.status == http.StatusTooManyRequests || response.status > http.StatusInternalServerError:
		return 0, nil, fmt.Errorf("the API answered %d", response.status)
	}
	return response.status, response.body.Bytes(), nil
}

// answer tells the caller.
func (r *Requests) answer(ctx context.Context, e *coordination.CloudEvent, status int, body []byte) error {
	if e.ReplyTo == "" {
		if status >= http.StatusBadRequest {
			return ports.Poison("the request was refused with %d, and it names no replyto to say so", status)
		}
		return nil
	}
	if !json.Valid(body) {
		body = []byte("null")
	}
	data, err := json.Marshal(coordination.BusAnswer{RequestID: e.ID, Status: status, Body: body})
	if err != nil {
		return err
	}
	id := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	m, err := cloudevents.Message(coordination.CloudEvent{ID: "answer-" + hex.EncodeToString(id[:16]), Type: coordination.TypeAnswer,
		Subject: e.Subject, PartitionKey: e.PartitionKey, TraceParent: e.TraceParent, TraceState: e.TraceState, Data: data})
	if err != nil {
		return err
	}
	err = r.Bus.Publish(ctx, e.ReplyTo, m)
	if errors.Is(err, ports.ErrMessageRefused) { // however often it is tried
		return ports.Poison("the answer, %d, cannot be published where replyto says: %v", status, err)
	}
	return err
}

// recorder keeps a response.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

var _ io.Writer = (*recorder)(nil)

// Header is what the handler sets.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader keeps the first status.
func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

// Write keeps the body.
func (w *recorder) Write(data []byte) (int, error) {
	w.wrote = true
	return w.body.Write(data)
}
