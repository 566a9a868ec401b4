package e2e_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// nothing undone, or left standing.
var nothing = map[string]int{}

// everyStep is what a completed order leaves.
var everyStep = map[string]int{"INVENTORY_RESERVATION": 1, "PAYMENT_PROCESSING": 1, "ORDER_CONFIRMATION": 1,
	"FULFILLMENT_PREPARATION": 1, "SHIPPING_LABEL_CREATION": 1, "CUSTOMER_NOTIFICATION": 1}

// TestLifecycle takes orders through all their ends against the example
// participants, at the same time, and looks into the ledgers.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T, *shopScene){
		"success":                     success,
		"flaky payment":               flaky,
		"payment answered later":      later,
		"declined payment":            declined,
		"out of stock":                outOfStock,
		"cancel lets settle":          cancelSettles,
		"forced cancel":               cancelForced,
		"compensate completed":        compensateCompleted,
		"compensate from a step":      compensateFrom,
		"retry of a failed order":     retryFailed,
		"void fails for ever":         voidFails,
		"return":                      returned,
		"replenishment":               replenished,
		"compensation test":           compensationTest,
		"an order is started anew":    startedAnew,
		"the client waits for an end": waited,
	}
	onEveryStore(t, func(t *testing.T, store string) {
		s := openShopScene(t, store)
		t.Run("all", func(t *testing.T) { // returns when all have ended
			for name, run := range cases {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					run(t, s)
				})
			}
		})
		for _, fault := range s.shop.Ledger(t).Faults() {
			t.Error(fault)
		}
	})
}

func success(t *testing.T, s *shopScene) {
	id := s.start(t, order("tok_visa_4242")).WorkflowID
	got := wait(t, s.client, id)
	is(t, got, coordination.StatusCompleted, coordination.SagaCompleted)
	s.effects(t, id, everyStep, nothing)
	if got.Saga.Version != int64(len(got.Events)) || got.Events[len(got.Events)-1].Event != coordination.EventWorkflowCompleted {
		t.Errorf("version %d with %d events, the last %s", got.Saga.Version, len(got.Events), got.Events[len(got.Events)-1].Event)
	}
	_, err := s.client.Workflows.Cancel(t.Context(), id, coordination.CancelRequest{Reason: "LATE", InitiatedBy: "CUSTOMER"})
	refused(t, err, coordination.ErrInvalidWorkflowState, nil)
	_, err = s.client.Workflows.Retry(t.Context(), id, coordination.RetryRequest{})
	refused(t, err, coordination.ErrInvalidWorkflowState, nil)
}

func flaky(t *testing.T, s *shopScene) {
	id := s.start(t, order("tok_flaky")).WorkflowID
	got := wait(t, s.client, id)
	is(t, got, coordination.StatusCompleted, coordination.SagaCompleted)
	s.effects(t, id, everyStep, nothing)
	if payment := got.Steps[1]; payment.Attempts != 2 {
		t.Errorf("the payment took %d attempts", payment.Attempts)
	}
}

func later(t *testing.T, s *shopScene) {
	id := s.start(t, order("tok_slow_202")).WorkflowID
	is(t, wait(t, s.client, id), coordination.StatusCompleted, coordination.SagaCompleted)
	s.effects(t, id, everyStep, nothing)
}

func declined(t *testing.T, s *shopScene) {
	id := s.start(t, order("tok_chargeDeclined")).WorkflowID
	got := wait(t, s.client, id)
	is(t, got, coordination.StatusFailed, coordination.SagaCompensated, "RELEASE_INVENTORY", "NOTIFY_CUSTOMER")
	s.effects(t, id, nothing, map[string]int{"INVENTORY_RESERVATION": 1})
	if payment := got.Steps[1]; payment.Status != coordination.StepFailed || payment.Error == nil || payment.Error.Code != "PAYMENT_DECLINED" {
		t.Errorf("the payment is %+v", payment)
	}
}

func outOfStock(t *testing.T, s *shopScene) {
	o := order("tok_visa_4242")
	o.Items[0].ProductID = "prod-test-out-of-stock-1"
	id := s.start(t, o).WorkflowID
	got := wait(t, s.client, id)
	if got.Status != coordination.StatusFailed || got.Saga.State != coordination.SagaCompensated {
		t.Errorf("the workflow is %s, its saga %s", got.Status, got.Saga.State)
	}
	s.effects(t, id, nothing, nothing)
}

var byCustomer = coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER"}

// cancelInFlight starts an order at one client and cancels it at the other while
// its payment is accepted and not yet made. On a machine that is slow enough to complete the
// order first it takes another one.
func cancelInFlight(t *testing.T, here, there *coordination.Client, force bool, options ...coordination.CallOption) (workflowID string, cancelled *coordination.CancelResponse) {
	t.Helper()
	request := byCustomer
	request.Force = force
	const orders = 5
	for range orders {
		started, err := here.Workflows.StartOrder(t.Context(), order("tok_slow_202"))
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, there, started.WorkflowID, coordination.EventStepAccepted, "PAYMENT_PROCESSING")
		cancelled, err = there.Workflows.Cancel(t.Context(), started.WorkflowID, request, options...)
		if err == nil {
			return started.WorkflowID, cancelled
		}
		refused(t, err, coordination.ErrInvalidWorkflowState, nil)
	}
	t.Fatalf("%d orders were completed before they could be cancelled", orders)
	return "", nil
}

// isCancelled checks that a cancelled order has left nothing that can be undone.
func (s *shopScene) isCancelled(t *testing.T, workflowID string) {
	t.Helper()
	if got := wait(t, s.client, workflowID); got.Status != coordination.StatusCancelled || got.Saga.State != coordination.SagaCompensated {
		t.Errorf("the workflow is %s, its saga %s", got.Status, got.Saga.State)
	}
	if fault := s.shop.Ledger(t).OrderFault(workflowID, false); fault != "" {
		t.Error(fault)
	}
}

func cancelSettles(t *testing.T, s *shopScene) {
	id, first := cancelInFlight(t, s.client, s.client, false)
	s.isCancelled(t, id)
	if _, undone := s.shop.Ledger(t).Effects(id); undone["PAYMENT_PROCESSING"] != 1 || undone["INVENTORY_RESERVATION"] != 1 {
		t.Errorf("the payment did not settle before it was undone: %v", undone)
	}
	again, err := s.client.Workflows.Cancel(t.Context(), id, byCustomer)
	if err != nil || again.CancelledAt != first.CancelledAt {
		t.Errorf("cancelled again: %v, at %v and %v", err, first.CancelledAt, again)
	}
}

func cancelForced(t *testing.T, s *shopScene) {
	id, _ := cancelInFlight(t, s.client, s.client, true)
	s.isCancelled(t, id)
}

func compensateCompleted(t *testing.T, s *shopScene) {
	started := s.start(t, order("tok_visa_4242"))
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	request := coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION", FromStep: "PAYMENT_PROCESSING"}

	_, err := s.client.Sagas.Compensate(t.Context(), started.Saga.SagaID, request)
	var details coordination.StateDetails
	refused(t, err, coordination.ErrInvalidWorkflowState, &details)
	if !slices.Equal(details.LaterSteps, []string{"SHIPPING_LABEL_CREATION"}) {
		t.Errorf("later steps are %v", details.LaterSteps)
	}
	request.ForceCompensation = true
	before, after := s.preview(t, started, request)
	if before.Saga.Version != after.Saga.Version || after.Status != coordination.StatusCompleted {
		t.Errorf("the preview has changed the workflow: %+v", after.Saga)
	}
	if _, err := s.client.Sagas.Compensate(t.Context(), started.Saga.SagaID, request); err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCancelled, coordination.SagaCompensated,
		"CANCEL_SHIPMENT", "VOID_PAYMENT", "RELEASE_INVENTORY", "NOTIFY_CUSTOMER")
	s.effects(t, started.WorkflowID, map[string]int{"ORDER_CONFIRMATION": 1, "FULFILLMENT_PREPARATION": 1, "CUSTOMER_NOTIFICATION": 1},
		map[string]int{"INVENTORY_RESERVATION": 1, "PAYMENT_PROCESSING": 1, "SHIPPING_LABEL_CREATION": 1})
}

// preview asks what a compensation would do, and returns the status before and after.
func (s *shopScene) preview(t *testing.T, started *coordination.StartedWorkflow, request coordination.CompensateRequest) (before, after *coordination.WorkflowStatus) {
	t.Helper()
	before = wait(t, s.client, started.WorkflowID)
	plan, err := s.client.Sagas.PreviewCompensation(t.Context(), started.Saga.SagaID, request)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, step := range plan.CompensationSteps {
		names = append(names, step.Step+" "+string(step.Status))
	}
	want := []string{"CANCEL_SHIPMENT PENDING", "VOID_PAYMENT PENDING", "RELEASE_INVENTORY PENDING", "NOTIFY_CUSTOMER PENDING"}
	if !plan.DryRun || !slices.Equal(names, want) {
		t.Errorf("the plan is %v", names)
	}
	return before, wait(t, s.client, started.WorkflowID)
}

func compensateFrom(t *testing.T, s *shopScene) {
	started := s.start(t, order("tok_visa_4242"))
	wait(t, s.client, started.WorkflowID)
	// Nothing after the notification can be undone, so no force is needed.
	request := coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION", FromStep: "CUSTOMER_NOTIFICATION"}
	if _, err := s.client.Sagas.Compensate(t.Context(), started.Saga.SagaID, request); err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCancelled, coordination.SagaCompensated,
		"CANCEL_SHIPMENT", "VOID_PAYMENT", "RELEASE_INVENTORY", "NOTIFY_CUSTOMER")
	_, err := s.client.Sagas.Compensate(t.Context(), started.Saga.SagaID, request)
	refused(t, err, coordination.ErrInvalidWorkflowState, nil)
}

func retryFailed(t *testing.T, s *shopScene) {
	id := s.start(t, order("tok_chargeDeclined")).WorkflowID
	wait(t, s.client, id)
	_, err := s.client.Workflows.Retry(t.Context(), id, coordination.RetryRequest{FromStep: "PAYMENT_PROCESSING"})
	var details coordination.StateDetails
	refused(t, err, coordination.ErrInvalidWorkflowState, &details)
	if details.ResumesFrom != "INVENTORY_RESERVATION" {
		t.Errorf("it resumes from %s", details.ResumesFrom)
	}
	resumed, err := s.client.Workflows.Retry(t.Context(), id, coordination.RetryRequest{})
	if err != nil || resumed.RetryAttempt != 2 || resumed.CurrentStep != "INVENTORY_RESERVATION" {
		t.Fatalf("%+v, %v", resumed, err)
	}
	is(t, wait(t, s.client, id), coordination.StatusFailed, coordination.SagaCompensated, "RELEASE_INVENTORY", "NOTIFY_CUSTOMER")
	// Each run has keys of its own.
	s.effects(t, id, nothing, map[string]int{"INVENTORY_RESERVATION": 2})
}

// voidFails sees an order that cannot be undone: parked, in sight, and still so
// after a retry.
func voidFails(t *testing.T, s *shopScene) {
	started := s.start(t, order("tok_void_fails"))
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	if _, err := s.client.Sagas.Compensate(t.Context(), started.Saga.SagaID, coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION"}); err != nil {
		t.Fatal(err)
	}
	got := wait(t, s.client, started.WorkflowID)
	is(t, got, coordination.StatusParked, coordination.SagaCompensationFailed, "CANCEL_SHIPMENT")
	if p := got.Parked; p == nil || p.Reason != coordination.ParkCompensationExhausted || p.Step != "VOID_PAYMENT" || p.LastError == nil || p.LastError.Code != "VOID_FAILED" {
		t.Errorf("parked: %+v", p)
	}
	s.stuck(t, started.WorkflowID)
	resumed, err := s.client.Workflows.Retry(t.Context(), started.WorkflowID, coordination.RetryRequest{})
	if err != nil || resumed.CurrentStep != "VOID_PAYMENT" {
		t.Fatalf("%+v, %v", resumed, err)
	}
	// The participant refuses still: never is it reported as compensated.
	waitForTimes(t, s.client, started.WorkflowID, coordination.EventWorkflowParked, 2)
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusParked, coordination.SagaCompensationFailed, "CANCEL_SHIPMENT")
}

// stuck checks that a parked workflow is seen by health and by lists.
func (s *shopScene) stuck(t *testing.T, workflowID string) {
	t.Helper()
	harness.Eventually(t, endTimeout, "health to count a stuck workflow", func() (string, bool) {
		health, err := s.client.Health.Get(t.Context())
		if err != nil {
			return err.Error(), false
		}
		return "none", health.Details.Coordination.StuckWorkflows == 1
	})
	list, err := s.client.Workflows.List(t.Context(), coordination.ListQuery{Status: coordination.StatusParked})
	if err != nil || len(list.Workflows) != 1 || list.Workflows[0].WorkflowID != workflowID {
		t.Errorf("the parked workflows are %+v, %v", list, err)
	}
}

func waitForTimes(t *testing.T, client *coordination.Client, workflowID string, event coordination.EventName, times int) {
	t.Helper()
	harness.Eventually(t, endTimeout, "another "+string(event), func() (string, bool) {
		status, err := client.Workflows.GetStatus(t.Context(), workflowID)
		if err != nil {
			return err.Error(), false
		}
		seen := 0
		for _, e := range status.Events {
			if e.Event == event {
				seen++
			}
		}
		return string(status.Status), seen >= times
	})
}

func returned(t *testing.T, s *shopScene) {
	started, err := s.client.Workflows.StartReturn(t.Context(), coordination.ReturnRequest{
		ReturnID: "ret-1", OriginalOrderID: "ord-1", CustomerID: "cust-e2e", RefundAmount: "9.95",
		Items: []coordination.ReturnItem{{ProductID: "prod-cup", Quantity: 1, Reason: "DAMAGED"}},
	})
	if err != nil || started.ReturnID != "ret-1" {
		t.Fatalf("%+v, %v", started, err)
	}
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	s.effects(t, started.WorkflowID, map[string]int{"RETURN_VALIDATION": 1, "ITEM_RECEIPT": 1, "INVENTORY_RESTOCK": 1, "REFUND_PROCESSING": 1}, nothing)
}

func replenished(t *testing.T, s *shopScene) {
	started, err := s.client.Workflows.StartReplenishment(t.Context(), coordination.ReplenishmentRequest{
		ReplenishmentID: "rep-1", WarehouseID: "wh-001", SupplierID: "sup-042",
		Items: []coordination.ReplenishmentItem{{ProductID: "prod-cup", Quantity: 100}},
	})
	if err != nil || started.ReplenishmentID != "rep-1" {
		t.Fatalf("%+v, %v", started, err)
	}
	is(t, wait(t, s.client, started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	s.effects(t, started.WorkflowID, map[string]int{"STOCK_ASSESSMENT": 1, "SUPPLIER_ORDER": 1, "GOODS_RECEIPT": 1, "STOCK_UPDATE": 1}, nothing)
}

func compensationTest(t *testing.T, s *shopScene) {
	for _, c := range []struct {
		input  string
		undone []string
	}{
		{`{"failStep":"PREPARE"}`, []string{}},
		{`{"failStep":"EXECUTE","outcome":"REJECTED","code":"NO_LUCK"}`, []string{"UNDO_PREPARE"}},
		{`{"failStep":"FINISH"}`, []string{"UNDO_EXECUTE", "UNDO_PREPARE"}},
	} {
		started, err := s.client.Workflows.Start(t.Context(), coordination.StartRequest{
			Type: coordination.TypeCompensationTest, BusinessKey: order("").OrderID, Input: json.RawMessage(c.input)})
		if err != nil {
			t.Fatal(err)
		}
		is(t, wait(t, s.client, started.WorkflowID), coordination.StatusFailed, coordination.SagaCompensated, c.undone...)
	}
}

func startedAnew(t *testing.T, s *shopScene) {
	o := order("tok_chargeDeclined")
	first := s.start(t, o)
	wait(t, s.client, first.WorkflowID)
	o.PaymentMethod.Token = "tok_slow_202"
	second := s.start(t, o)
	isInTheWay := func() {
		t.Helper()
		_, err := s.client.Workflows.StartOrder(t.Context(), o)
		var conflict coordination.ConflictDetails
		refused(t, err, coordination.ErrWorkflowAlreadyExists, &conflict)
		if conflict.WorkflowID != second.WorkflowID {
			t.Errorf("in the way is %s, not %s", conflict.WorkflowID, second.WorkflowID)
		}
	}
	isInTheWay() // while it is active
	is(t, wait(t, s.client, second.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	isInTheWay()
	list, err := s.client.Workflows.List(t.Context(), coordination.ListQuery{BusinessKey: o.OrderID, Sort: "startedAt,asc"})
	if err != nil || len(list.Workflows) != 2 || list.Workflows[0].WorkflowID != first.WorkflowID || list.Workflows[1].WorkflowID != second.WorkflowID {
		t.Errorf("the workflows of the order are %+v, %v", list, err)
	}
}

func waited(t *testing.T, s *shopScene) {
	started, err := s.client.Workflows.StartOrder(t.Context(), order("tok_visa_4242"), coordination.WithWait(endTimeout))
	if err != nil || started.Ended == nil || started.Ended.Status != coordination.StatusCompleted {
		t.Errorf("a start that waits: %+v, %v", started, err)
	}
	_, err = s.client.Workflows.StartOrder(t.Context(), order("tok_chargeDeclined"), coordination.WithWait(endTimeout))
	var failure coordination.FailureDetails
	refused(t, err, coordination.ErrWorkflowExecutionFailed, &failure)
	if failure.FailedStep != "PAYMENT_PROCESSING" || !failure.CompensationTriggered {
		t.Errorf("a failure that was waited for: %+v", failure)
	}
}
