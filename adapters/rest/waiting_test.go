package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// completes answers every step of the order.
func completes(t *testing.T, s *server, id string) {
	t.Helper()
	for _, step := range [][2]string{{"INVENTORY_RESERVATION", `{"reservationId":"res-1"}`}, {"PAYMENT_PROCESSING", `{"paymentIntent":"pi-1"}`},
		{"ORDER_CONFIRMATION", `{}`}, {"FULFILLMENT_PREPARATION", `{}`}, {"SHIPPING_LABEL_CREATION", `{"shipmentId":"shp-1"}`}, {"CUSTOMER_NOTIFICATION", `{}`}} {
		s.after(time.Second).succeeds(t, id, step[0], step[1])
	}
}

// inBackground sends a request and goes on.
func inBackground(send func() *response) <-chan *response {
	answer := make(chan *response, 1)
	go func() { answer <- send() }()
	return answer
}

func TestWaitedStartAnswersWithTheEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	answer := inBackground(func() *response {
		return s.post(t, "/workflows/order/start", order("", ""), "Prefer", "respond-async, wait=30; x=y")
	})
	completes(t, s, s.onlyWorkflow(t))
	got := (<-answer).is(201)
	status := into[coordination.WorkflowStatus](got)
	if got.header.Get("Preference-Applied") != "wait=30" || status.Status != "COMPLETED" || status.Progress.Percentage.String() != "100" {
		t.Errorf("Preference-Applied %q, status %s, progress %s", got.header.Get("Preference-Applied"), status.Status, status.Progress.Percentage)
	}
	if !status.EstimatedCompletion.IsZero() || status.CompletedAt.IsZero() {
		t.Errorf("an ended workflow is estimated to end at %s, ended at %s", status.EstimatedCompletion, status.CompletedAt)
	}
}

func TestWaitThatRunsOutGivesTheOrdinaryAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	got := s.post(t, "/workflows/order/start", order("", ""), "Prefer", "wait=1").is(201)
	if started := into[coordination.StartedWorkflow](got); started.Status != "STARTED" || got.header.Get("Preference-Applied") != "" {
		t.Errorf("status %s, Preference-Applied %q", started.Status, got.header.Get("Preference-Applied"))
	}
}

func TestPreferencesThatCannotBeUnderstoodAreIgnored(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i, prefer := range []string{"wait", "wait=", "wait=x", "wait=-1", "wait=1.5", "wait=0", "waiting=5", "wait=99999999999999999999", ";", "return=minimal"} {
		s.post(t, "/workflows/order/start", order("ord-1", "ord-"+strconv.Itoa(i)), "Prefer", prefer).is(201)
	}
}

func TestWaitedCancelAndRetryAndCompensate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	s.succeeds(t, id, "INVENTORY_RESERVATION", `{"reservationId":"res-1"}`)
	s.exhausts(t, id, "PAYMENT_PROCESSING", domain.Retry, 2)
	answer := inBackground(func() *response { return s.post(t, "/workflows/"+id+"/cancel", cancelIt, "Prefer", "wait=60") })
	s.until(t, id, func(state *domain.State) bool { return state.Status == domain.Cancelling })
	s.succeeds(t, id, "RELEASE_INVENTORY", `{}`)
	s.succeeds(t, id, "NOTIFY_CUSTOMER", `{}`)
	if status := into[coordination.WorkflowStatus]((<-answer).is(202)); status.Status != "CANCELLED" || len(status.Saga.CompensationExecuted) != 2 {
		t.Errorf("status %s, executed %v", status.Status, status.Saga.CompensationExecuted)
	}

	failed := newServer(t)
	id = declined(t, failed)
	answer = inBackground(func() *response { return failed.post(t, "/workflows/"+id+"/retry", `{}`, "Prefer", "wait=60") })
	failed.until(t, id, func(state *domain.State) bool { return state.Run == 2 })
	completes(t, failed, id)
	if status := into[coordination.WorkflowStatus]((<-answer).is(200)); status.Status != "COMPLETED" {
		t.Errorf("status %s", status.Status)
	}

	path := "/sagas/" + failed.state(id).SagaID + "/compensate"
	answer = inBackground(func() *response { return failed.post(t, path, `{"reason":"R"}`, "Prefer", "wait=60") })
	failed.until(t, id, func(state *domain.State) bool { return state.Saga == domain.SagaCompensating })
	failed.rejects(t, id, "CANCEL_SHIPMENT", "SHIPPED", "it is on its way")
	got := (<-answer).is(422)
	var details coordination.FailureDetails
	if err := got.code(coordination.ErrCompensationFailed).DecodeDetails(&details); err != nil || details.FailedStep != "CANCEL_SHIPMENT" ||
		details.StepError != "it is on its way" || details.WorkflowID != id || !details.CompensationTriggered {
		t.Errorf("details are %+v, %v", details, err)
	}
}

func TestWaitForAWorkflowWhoseDeadlinePassed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.templates = append(s.templates, parseTemplate(t, `{"templateId":"tmpl-slow-v1","name":"Slow","type":"SLOW","version":"1","timeout":"PT1M",
		"steps":[{"name":"WAIT","service":"slow-service","action":"wait","timeout":"PT1H","retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}]}`))
	answer := inBackground(func() *response {
		return s.post(t, "/workflows/start", `{"type":"SLOW","businessKey":"k","input":{}}`, "Prefer", "wait=60")
	})
	id := s.onlyWorkflow(t)
	s.after(time.Minute).tick(t, id)
	s.answers(t, id, "WAIT", domain.Answer{Outcome: domain.Rejected})
	(<-answer).is(504).code(coordination.ErrTimeoutExceeded)
}

func TestReplayOfAWaitedStartWaitsToo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "k").is(201)
	completes(t, s, s.onlyWorkflow(t))
	got := s.post(t, "/workflows/order/start", order("", ""), "X-Idempotency-Key", "k", "Prefer", "wait=5").is(201)
	if into[coordination.WorkflowStatus](got).Status != "COMPLETED" || got.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the answer is %s", got.body)
	}
}

// listening serves s on a real connection.
func listening(t *testing.T, s *server) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = rest.Server("", s)
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return server.URL
}

// frame is one event of a stream, or a comment.
type frame struct{ id, event, data, comment string }

// events is a stream being read.
type events struct {
	t    *testing.T
	body *bufio.Reader
	stop context.CancelFunc
}

func openStream(t *testing.T, url, id, lastEventID string) (*events, *http.Response) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/workflows/"+id+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer external")
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Body.Close() })
	return &events{t, bufio.NewReader(got.Body), stop}, got
}

// next is the next frame; false at the end of the stream.
func (e *events) next() (frame, bool) {
	e.t.Helper()
	var f frame
	for {
		line, err := e.body.ReadString('\n')
		if err == io.EOF {
			return f, false
		}
		if err != nil {
			e.t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			f.data = value
		case "":
			if value != "" {
				f.comment = value
				continue
			}
			return f, true
		}
	}
}

func TestStreamTellsEventsAsTheyHappenAndEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	url := listening(t, s)
	stream, got := openStream(t, url, id, "")
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", got.StatusCode, got.Header.Get("Content-Type"))
	}
	first, _ := stream.next() // arrives although nothing else has happened
	if first.id != "1" || first.event != "WORKFLOW_STARTED" {
		t.Fatalf("first frame is %+v", first)
	}
	completes(t, s, id)
	last, sequence := first, 1
	for {
		f, more := stream.next()
		if !more {
			break
		}
		sequence++
		var data coordination.RecordedEvent
		if err := json.Unmarshal([]byte(f.data), &data); err != nil {
			t.Fatal(err)
		}
		if f.id != strconv.Itoa(sequence) || data.Sequence != int64(sequence) || string(data.Event) != f.event || data.WorkflowID != id || data.Details == "" {
			t.Errorf("frame %d is %+v", sequence, f)
		}
		last = f
	}
	if last.event != "WORKFLOW_COMPLETED" || sequence != s.state(id).Version {
		t.Errorf("the stream ended with %+v as frame %d of %d", last, sequence, s.state(id).Version)
	}

	rest, _ := openStream(t, url, id, "11")
	if f, _ := rest.next(); f.id != "12" {
		t.Errorf("after 11 comes %+v", f)
	}
	if _, got := openStream(t, url, id, strconv.Itoa(sequence)); got.StatusCode != http.StatusNoContent {
		t.Errorf("a stream with nothing left is %d", got.StatusCode)
	}
}

func TestStreamOfWaitsWithoutEndsWithItsReceiver(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := startExample(t, s)
	stream, _ := openStream(t, listening(t, s), id, "1")
	stream.stop()
	// The server's Close, at the end of the test, waits for the handler.
}

// TestWaitsOutliveTheServersTimeouts waits on real connections for longer than
// the server gives ordinary requests.
func TestWaitsOutliveTheServersTimeouts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	server := httptest.NewUnstartedServer(nil)
	server.Config = rest.Server("", s)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/workflows/order/start", strings.NewReader(order("", "")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer service")
	r.Header.Set("Prefer", "wait=1")
	began := time.Now()
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	if waited := time.Since(began); got.StatusCode != http.StatusCreated || waited < time.Second {
		t.Errorf("%d after %s", got.StatusCode, waited)
	}

	id := s.onlyWorkflow(t)
	stream, _ := openStream(t, server.URL, id, "")
	stream.next()
	time.Sleep(300 * time.Millisecond) // past both timeouts, which is the point
	completes(t, s, id)
	count := 1
	for _, more := stream.next(); more; _, more = stream.next() {
		count++
	}
	if count != s.state(id).Version {
		t.Errorf("%d of %d events", count, s.state(id).Version)
	}
}
