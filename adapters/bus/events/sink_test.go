package events_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/bus/events"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

type line struct {
	topic string
	m     ports.Message
	err   error
}

func (l *line) Publish(_ context.Context, topic string, m ports.Message) error {
	l.topic, l.m = topic, m
	return l.err
}

const template = `{"templateId":"tmpl-t","name":"Gift Card","type":"GIFT_CARD","version":"1",
"steps":[{"name":"ISSUE_CARD","service":"s","action":"issue","retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}]}`

func TestAnEventReadsAsTheAPIShowsIt(t *testing.T) {
	t.Parallel()
	tmpl, err := domain.ParseTemplate([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 15, 10, 0, 1, 0, time.UTC)
	var l line
	e := ports.EmittedEvent{Template: tmpl, WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", SagaID: "saga-1", Sequence: 3,
		Event: &domain.Event{Type: domain.StepSucceeded, At: at, Step: "ISSUE_CARD"}}
	if err := events.New(&l).Emit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var got coordination.CloudEvent
	var data coordination.RecordedEvent
	if err := json.Unmarshal(l.m.Body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.Data, &data); err != nil {
		t.Fatal(err)
	}
	if l.topic != "coordination.events" || l.m.Key != "saga-1" || l.m.ID != "wf-660e8400-e29b-41d4-a716-446655440000:3" {
		t.Errorf("topic %s, message %+v", l.topic, l.m)
	}
	if got.Type != coordination.TypeEvent || got.Subject != e.WorkflowID || !got.Time.Equal(at) || got.ID != l.m.ID {
		t.Errorf("event %+v", got)
	}
	if data.Event != "STEP_COMPLETED" || data.Sequence != 3 || data.WorkflowID != e.WorkflowID || data.Step != "ISSUE_CARD" || data.Details == "" {
		t.Errorf("data %+v", data)
	}
}

func TestWhatTheBusSaysIsPassedOn(t *testing.T) {
	t.Parallel()
	tmpl, err := domain.ParseTemplate([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	l := line{err: ports.ErrBusDown}
	if err := events.New(&l).Emit(t.Context(), ports.EmittedEvent{Template: tmpl, WorkflowID: "wf-1", Event: &domain.Event{Type: domain.WorkflowCompleted}}); err != ports.ErrBusDown {
		t.Error(err)
	}
}
