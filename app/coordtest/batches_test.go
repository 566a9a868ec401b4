package coordtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/coordtest"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestManyOrdersGoOnAfterAnOutage has orders that wait for a person retried by
// one request.
func TestManyOrdersGoOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	client, payment := c.Client(), c.Participant("payment-service").On("process_payment")
	payment.Answer(coordtest.Unknown())
	var ids []string
	for i := range 3 {
		started, err := client.Workflows.StartOrder(t.Context(), order(fmt.Sprint("order-", i), "tok_visa_4242"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, started.WorkflowID)
	}
	c.Advance(time.Minute)
	payment.Answer() // as usual
	batch, err := client.Batches.Create(t.Context(), coordination.BatchRequest{Action: coordination.BatchRetry, Reason: "OUTAGE",
		PerSecond: coordination.MaxBatchRate, Filter: &coordination.BatchFilter{Status: coordination.StatusParked}})
	if err != nil || batch.Total != len(ids) {
		t.Fatalf("%+v, %v", batch, err)
	}
	if batch, err = client.Batches.Wait(t.Context(), batch.BatchID); err != nil || batch.Succeeded != len(ids) {
		t.Fatalf("%+v, %v", batch, err)
	}
	c.Rest()
	for _, id := range ids {
		wantStatus(t, c, id, coordination.StatusCompleted)
	}
}
