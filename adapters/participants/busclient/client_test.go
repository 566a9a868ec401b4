package busclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/busclient"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// line is a bus that keeps what is published, or fails.
type line struct {
	err      error
	topic    string
	messages []ports.Message
}

func (l *line) Publish(_ context.Context, topic string, m ports.Message) error {
	if l.err == nil {
		l.topic, l.messages = topic, append(l.messages, m)
	}
	return l.err
}

func (l *line) Ping(context.Context) error { return l.err }

func command() domain.Dispatch {
	return domain.Dispatch{WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", SagaID: "saga-1", WorkflowType: "ORDER_FULFILLMENT",
		CommandID: "saga-1:1:PAYMENT_PROCESSING:execute", Service: "payment-service", Step: "PAYMENT_PROCESSING", Action: "process_payment",
		Attempt: 2, Deadline: time.Date(2026, 1, 15, 10, 2, 6, 0, time.UTC), Parameters: json.RawMessage(`{"amount":10.5}`), Token: "cbt_1"}
}

func TestACommandIsAnEventOnTheTopicOfItsService(t *testing.T) {
	t.Parallel()
	var l line
	c := busclient.New(&l, busclient.Config{Service: "payment-service", CallbackBaseURL: "http://co.example"})
	if a := c.Send(t.Context(), command()); a.Outcome != domain.Sent {
		t.Fatalf("outcome %s", a.Outcome)
	}
	var e coordination.CloudEvent
	var cmd coordination.Command
	m := l.messages[0]
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &cmd); err != nil {
		t.Fatal(err)
	}
	if l.topic != "coordination.commands.payment-service" || m.Key != "saga-1" || m.Headers["content-type"] != "application/cloudevents+json" {
		t.Errorf("topic %s, message %+v", l.topic, m)
	}
	if e.SpecVersion != "1.0" || e.Type != coordination.TypeCommand || e.Subject != cmd.WorkflowID || e.PartitionKey != "saga-1" || e.ID != m.ID ||
		e.TraceParent[:36] != "00-660e8400e29b41d4a716446655440000-" || m.Headers["traceparent"] != e.TraceParent {
		t.Errorf("event %+v", e)
	}
	if cmd.CommandID != "saga-1:1:PAYMENT_PROCESSING:execute" || cmd.Attempt != 2 || string(cmd.Parameters) != `{"amount":10.5}` || cmd.Callback.URL != "http://co.example/api/v1/callbacks/cbt_1" {
		t.Errorf("command %+v", cmd)
	}
}

func TestTheSameAttemptIsTheSameMessage(t *testing.T) {
	t.Parallel()
	var l line
	c := busclient.New(&l, busclient.Config{Service: "payment-service"})
	next := command()
	next.Attempt++
	for _, cmd := range []domain.Dispatch{command(), command(), next} {
		c.Send(t.Context(), cmd)
	}
	if l.messages[0].ID != l.messages[1].ID || l.messages[0].ID == l.messages[2].ID {
		t.Errorf("%s, %s, %s", l.messages[0].ID, l.messages[1].ID, l.messages[2].ID)
	}
}

// Whether an attempt is spent, and whether the step is undone later, hangs on
// what is known of a command that could not be published.
func TestWhatAFailureToPublishMeans(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]domain.Outcome{
		ports.ErrBusDown: domain.Deferred,
		fmt.Errorf("%w: no broker", ports.ErrBusDown):      domain.Deferred,
		context.DeadlineExceeded:                           domain.Unknown,
		errors.New("connection lost"):                      domain.Unknown,
		fmt.Errorf("%w: Body: x", ports.ErrMessageRefused): domain.ContractError,
	} {
		c := busclient.New(&line{err: err}, busclient.Config{Service: "payment-service"})
		if a := c.Send(t.Context(), command()); a.Outcome != want || a.Error == nil || a.Error.Code != busclient.CodeBusUnavailable {
			t.Errorf("%v: %+v, want %s", err, a, want)
		}
		if h := c.Check(t.Context()); h.Up || h.Detail == "" {
			t.Errorf("%v: health %+v", err, h)
		}
	}
	if h := busclient.New(&line{}, busclient.Config{}).Check(t.Context()); !h.Up {
		t.Errorf("health %+v", h)
	}
}

func TestATraceOfTheCallerIsCarriedOn(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	var l line
	busclient.New(&l, busclient.Config{Inject: func(context.Context) (string, string) { return parent, "a=b" }}).Send(t.Context(), command())
	var e coordination.CloudEvent
	if err := json.Unmarshal(l.messages[0].Body, &e); err != nil {
		t.Fatal(err)
	}
	if e.TraceParent != parent || e.TraceState != "a=b" {
		t.Errorf("%+v", e)
	}
}
