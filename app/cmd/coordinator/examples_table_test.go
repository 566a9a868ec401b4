package main

import (
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// declinedOrder is how the status of an order looks whose payment was declined.
func declinedOrder() *coordination.WorkflowStatus {
	begun := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	at := func(ms int) coordination.Time {
		return coordination.At(begun.Add(time.Duration(ms) * time.Millisecond))
	}
	return &coordination.WorkflowStatus{
		Status: coordination.StatusFailed,
		Saga: coordination.SagaSummary{
			State:                coordination.SagaCompensated,
			CompensationExecuted: coordination.List[coordination.CompletedStep]{{Step: "RELEASE_INVENTORY"}},
		},
		Steps: coordination.List[coordination.Step]{
			{Name: "INVENTORY_RESERVATION", Status: coordination.StepCompleted, StartedAt: at(0), CompletedAt: at(12)},
			{Name: "PAYMENT_PROCESSING", Status: coordination.StepFailed, StartedAt: at(12), CompletedAt: at(20),
				Error: &coordination.StepError{Code: "PAYMENT_DECLINED"}},
			{Name: "ORDER_CONFIRMATION", Status: coordination.StepPending},
		},
		Events: coordination.List[coordination.Event]{
			{Timestamp: at(20), Event: coordination.EventCompensationStepStarted, Step: "RELEASE_INVENTORY"},
			{Timestamp: at(29), Event: coordination.EventCompensationStepCompleted, Step: "RELEASE_INVENTORY"},
		},
		CreatedAt: at(0), UpdatedAt: at(31),
	}
}

func TestExampleTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printExample(&out, "An order whose payment is declined", "ord-1", declinedOrder())
	want := `
An order whose payment is declined (ord-1)
  INVENTORY_RESERVATION  COMPLETED  12 ms
  PAYMENT_PROCESSING     FAILED     8 ms   PAYMENT_DECLINED
  ORDER_CONFIRMATION     -                 never sent
  RELEASE_INVENTORY      COMPLETED  9 ms   compensation
  = FAILED, saga COMPENSATED, after 31 ms
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	if verdict := compensatedVerdict(declinedOrder()); verdict != "" {
		t.Errorf("a compensated order: %s", verdict)
	}
	if verdict := completedVerdict(declinedOrder()); verdict == "" {
		t.Error("a compensated order counts as completed")
	}
	forgotten := declinedOrder()
	forgotten.Saga.CompensationExecuted = nil
	if verdict := compensatedVerdict(forgotten); verdict == "" {
		t.Error("an order without its compensation counts as compensated")
	}
	through := declinedOrder()
	through.Status, through.Saga.State = coordination.StatusCompleted, coordination.SagaCompleted
	if verdict := completedVerdict(through); verdict == "" {
		t.Error("an order with a failed step counts as completed")
	}
	through.Steps = through.Steps[:1]
	if verdict := completedVerdict(through); verdict != "" {
		t.Errorf("a completed order: %s", verdict)
	}
}
