package events_test

import (
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/bus/events"
	"github.com/firstviscount/platform-coordination/adapters/internal/goldentest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestAnEventIsPublishedAsTheGoldenOne(t *testing.T) {
	t.Parallel()
	var l line
	err := events.New(&l).Emit(t.Context(), ports.EmittedEvent{
		Template:   &domain.Template{Name: "Order Fulfillment"},
		WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", SagaID: "saga-770e8400-e29b-41d4-a716-446655440000", Sequence: 4,
		Event: &domain.Event{Type: domain.StepSucceeded, At: time.Date(2026, 1, 15, 10, 0, 36, 0, time.UTC), Step: "PAYMENT_PROCESSING"},
	})
	if err != nil {
		t.Fatal(err)
	}
	goldentest.Same(t, "event-workflow", l.m.Body)
}
