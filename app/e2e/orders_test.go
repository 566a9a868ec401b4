package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// endTimeout is how long a single workflow may take to end on a busy machine.
const endTimeout = 40 * time.Second

var orders atomic.Int64

// order is a small order with an identifier of its own.
func order(token string) coordination.OrderRequest {
	return coordination.OrderRequest{
		OrderID:    fmt.Sprintf("ord-e2e-%d", orders.Add(1)),
		CustomerID: "cust-e2e",
		Items: []coordination.OrderItem{
			{ProductID: "prod-cup", Quantity: 2, UnitPrice: "9.95", WarehouseID: "wh-001"},
			{ProductID: "prod-saucer", Quantity: 1, UnitPrice: "0.10"},
		},
		PaymentMethod:   coordination.PaymentMethod{Type: "CREDIT_CARD", Token: coordination.Sensitive(token)},
		ShippingAddress: coordination.ShippingAddress{Name: "Jane Doe", Street: "1 Main St", City: "Springfield", ZipCode: "00000", Country: "US"},
		ShippingMethod:  "STANDARD",
	}
}

// shopScene is a coordinator over the example participants.
type shopScene struct {
	*harness.Coordinator
	client *coordination.Client
	shop   *harness.Shop
}

func openShopScene(t *testing.T, store string) *shopScene {
	shop := harness.OpenShop(t)
	c := harness.Serve(t, harness.Options{Store: store, Participants: shop.File})
	return &shopScene{c, c.Client(t), shop}
}

// start starts an order.
func (s *shopScene) start(t *testing.T, o coordination.OrderRequest) *coordination.StartedWorkflow {
	t.Helper()
	started, err := s.client.Workflows.StartOrder(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return started
}

// wait waits until a workflow has ended, or is parked.
func wait(t *testing.T, client *coordination.Client, workflowID string) *coordination.WorkflowStatus {
	t.Helper()
	var status *coordination.WorkflowStatus
	harness.Eventually(t, endTimeout, workflowID+" to end", func() (string, bool) {
		var err error
		if status, err = client.Workflows.GetStatus(t.Context(), workflowID); err != nil {
			return err.Error(), false
		}
		return string(status.Status), status.Status.Terminal() || status.Status == coordination.StatusParked
	})
	return status
}

// waitFor waits until the log of a workflow has an event of a step.
func waitFor(t *testing.T, client *coordination.Client, workflowID string, event coordination.EventName, step string) {
	t.Helper()
	harness.Eventually(t, endTimeout, fmt.Sprintf("%s of %s of %s", event, step, workflowID), func() (string, bool) {
		status, err := client.Workflows.GetStatus(t.Context(), workflowID)
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprint(status.Events), slices.ContainsFunc(status.Events, func(e coordination.Event) bool { return e.Event == event && e.Step == step })
	})
}

// is checks how a workflow stands.
func is(t *testing.T, got *coordination.WorkflowStatus, status coordination.Status, saga coordination.SagaState, undone ...string) {
	t.Helper()
	executed := make([]string, 0, len(got.Saga.CompensationExecuted))
	for _, undo := range got.Saga.CompensationExecuted {
		executed = append(executed, undo.Step)
	}
	if got.Status != status || got.Saga.State != saga || !slices.Equal(executed, undone) {
		t.Errorf("the workflow is %s, its saga %s, undone %v; want %s, %s, %v", got.Status, got.Saga.State, executed, status, saga, undone)
	}
}

// refused checks the code of an error and decodes its details.
func refused(t *testing.T, err error, code coordination.Code, details any) {
	t.Helper()
	var answer *coordination.Error
	if !errors.As(err, &answer) || answer.Code != code {
		t.Fatalf("got the error %v, want %s", err, code)
	}
	if details != nil {
		if err := answer.DecodeDetails(details); err != nil {
			t.Fatal(err)
		}
	}
}

// effects checks what a workflow has left at the participants, and what was undone.
func (s *shopScene) effects(t *testing.T, workflowID string, standing, undone map[string]int) {
	t.Helper()
	stands, gone := s.shop.Ledger(t).Effects(workflowID)
	if fmt.Sprint(stands) != fmt.Sprint(standing) || fmt.Sprint(gone) != fmt.Sprint(undone) {
		t.Errorf("standing %v, undone %v; want %v, %v", stands, gone, standing, undone)
	}
}
