package e2e_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestTheClientWatchesOverAKill watches an order, and waits for it, while the
// coordinator is killed and comes back: each event is told once, to the last.
func TestTheClientWatchesOverAKill(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Lease: harness.ShortLease})
	client := c.Client(t, coordination.WithRetry(coordination.Retries{MaxAttempts: 100}))
	request := order("tok_visa_4242")
	request.Metadata = json.RawMessage(`{"simulate":{"ORDER_CONFIRMATION":"SLOW:PT1S"}}`)
	started, err := client.Workflows.StartOrder(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), endTimeout)
	defer cancel()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		status, err := client.Workflows.Wait(ctx, started.WorkflowID)
		if err != nil || status.Status != coordination.StatusCompleted {
			t.Errorf("waited for %+v (%v)", status, err)
		}
	})
	var told []coordination.RecordedEvent
	for event, err := range client.Workflows.Watch(ctx, started.WorkflowID, coordination.WatchOptions{}) {
		if err != nil {
			t.Fatalf("after %d events: %v", len(told), err)
		}
		told = append(told, event)
		if event.Event == coordination.EventStepCompleted && event.Step == "PAYMENT_PROCESSING" {
			c.Kill(t)
			c.Restart(t)
		}
	}
	waiting.Wait()
	history, err := client.Workflows.Events(ctx, started.WorkflowID, coordination.EventsQuery{Size: 100})
	if err != nil || !slices.Equal(told, history.Events) {
		t.Errorf("told %v, want %v (%v)", told, history.Events, err)
	}
}
