package coordination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// A server that answers every request with one document stands in for the
// coordinator in these examples.
func exampleServer(status int, document string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, text(document))
	}))
}

func Example() {
	server := exampleServer(http.StatusCreated, "order-started")
	defer server.Close()

	client, err := coordination.New(server.URL, coordination.WithToken("token"))
	if err != nil {
		fmt.Println(err)
		return
	}
	workflow, err := client.Workflows.StartOrder(context.Background(), coordination.OrderRequest{
		OrderID:    "ord-550e8400-e29b-41d4-a716-446655440000",
		CustomerID: "cust-123e4567-e89b-12d3-a456-426614174000",
		Items:      []coordination.OrderItem{{ProductID: "prod-789", Quantity: 2, UnitPrice: "599.99"}},
		PaymentMethod: coordination.PaymentMethod{
			Type: "CREDIT_CARD", Token: "tok_123", Amount: "1199.98", Currency: "USD",
		},
		ShippingAddress: coordination.ShippingAddress{
			Name: "John Doe", Street: "123 Main St", City: "New York", ZipCode: "10001", Country: "US",
		},
		ShippingMethod: "STANDARD",
	}, coordination.WithIdempotencyKey("checkout-4711"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(workflow.WorkflowID, workflow.Status, "at", workflow.CurrentStep)
	// Output: wf-660e8400-e29b-41d4-a716-446655440000 STARTED at INVENTORY_RESERVATION
}

func ExampleWorkflowService_GetStatus() {
	server := exampleServer(http.StatusOK, "workflow-status")
	defer server.Close()
	client, _ := coordination.New(server.URL)

	status, err := client.Workflows.GetStatus(context.Background(), "wf-660e8400-e29b-41d4-a716-446655440000")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.Status, status.Progress.Percentage, "%")
	fmt.Println(status.Steps[0].Name, status.Steps[0].Status, "in", status.Steps[0].Duration)
	fmt.Println(status.Steps[1].Name, status.Steps[1].Status, "by", string(status.Steps[1].Attributes["provider"]))
	// Output:
	// IN_PROGRESS 16.67 %
	// INVENTORY_RESERVATION COMPLETED in PT5S
	// PAYMENT_PROCESSING IN_PROGRESS by "stripe"
}

// Each event is told once, whatever happens to the connection. To go on in
// another process, keep the sequence of the last event.
func ExampleWorkflowService_Watch() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i, name := range []string{"WORKFLOW_STARTED", "STEP_COMPLETED", "WORKFLOW_COMPLETED"} {
			fmt.Fprintf(w, "id: %d\nevent: %s\ndata: {\"workflowId\":\"wf-1\",\"sequence\":%d,\"event\":%q}\n\n", i+1, name, i+1, name)
		}
	}))
	defer server.Close()
	client, _ := coordination.New(server.URL)

	for event, err := range client.Workflows.Watch(context.Background(), "wf-1", coordination.WatchOptions{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Sequence, event.Event)
	}
	// Output:
	// 1 WORKFLOW_STARTED
	// 2 STEP_COMPLETED
	// 3 WORKFLOW_COMPLETED
}

func ExampleWorkflowService_Wait() {
	server := exampleServer(http.StatusOK, `{"workflowId":"wf-1","status":"FAILED","saga":{"state":"COMPENSATED"}}`)
	defer server.Close()
	client, _ := coordination.New(server.URL)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, err := client.Workflows.Wait(ctx, "wf-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.Status, status.Saga.State)
	// Output: FAILED COMPENSATED
}

func ExampleWorkflowService_Cancel() {
	server := exampleServer(http.StatusAccepted, "cancel-response")
	defer server.Close()
	client, _ := coordination.New(server.URL)

	cancelled, err := client.Workflows.Cancel(context.Background(), "wf-660e8400-e29b-41d4-a716-446655440000",
		coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cancelled.Status, cancelled.Saga.State)
	for _, step := range cancelled.Saga.CompensationSteps {
		fmt.Println(step.Step, step.Status)
	}
	if refund := cancelled.Refund; refund != nil && refund.Eligible {
		fmt.Println(refund.Amount, refund.Currency)
	}
	// Output:
	// CANCELLING COMPENSATING
	// RELEASE_INVENTORY PENDING
	// VOID_PAYMENT PENDING
	// CANCEL_SHIPMENT NOT_APPLICABLE
	// NOTIFY_CUSTOMER PENDING
	// 1499.97 USD
}

// What an error is about is asked by its code; errors.As gives the rest.
func ExampleError() {
	server := exampleServer(http.StatusConflict, `{"error":{"code":"WORKFLOW_ALREADY_EXISTS","message":"The order has a workflow",
		"details":{"workflowId":"wf-1"},"traceId":"b9d7c9a8-3e2f-4d1e-8c7b-6a5d4c3b2a1f"}}`)
	defer server.Close()
	client, _ := coordination.New(server.URL)

	_, err := client.Workflows.StartOrder(context.Background(), coordination.OrderRequest{OrderID: "ord-1"})
	fmt.Println(errors.Is(err, coordination.ErrWorkflowAlreadyExists), errors.Is(err, coordination.ErrInvalidRequest))

	var answer *coordination.Error
	if errors.As(err, &answer) {
		var details coordination.ConflictDetails
		if err := answer.DecodeDetails(&details); err == nil {
			fmt.Println(answer.Status, answer.TraceID, details.WorkflowID)
		}
	}
	// Output:
	// true false
	// 409 b9d7c9a8-3e2f-4d1e-8c7b-6a5d4c3b2a1f wf-1
}

// A source of tokens that live for an hour. One that was refused is not given
// again, however long it was meant to live.
func ExampleWithTokenSource() {
	server := exampleServer(http.StatusOK, "health")
	defer server.Close()
	fetch := func(context.Context) (string, error) { return "token", nil } // from whoever issues them

	var mu sync.Mutex
	var token string
	var until time.Time
	client, _ := coordination.New(server.URL, coordination.WithTokenSource(func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && token != coordination.RefusedToken(ctx) && time.Now().Before(until) {
			return token, nil
		}
		fresh, err := fetch(ctx)
		if err == nil {
			token, until = fresh, time.Now().Add(time.Hour-time.Minute)
		}
		return fresh, err
	}))
	health, err := client.Health.Get(context.Background())
	fmt.Println(health.Status, err)
	// Output: UP <nil>
}

func ExampleWithWait() {
	server := exampleServer(http.StatusUnprocessableEntity, "error")
	defer server.Close()
	client, _ := coordination.New(server.URL)

	_, err := client.Workflows.Start(context.Background(), coordination.StartRequest{
		Type: coordination.TypeCompensationTest, BusinessKey: "test-1", Input: json.RawMessage(`{"failStep":"EXECUTE"}`),
	}, coordination.WithWait(30*time.Second))

	if errors.Is(err, coordination.ErrWorkflowExecutionFailed) {
		var details coordination.FailureDetails
		failure, _ := errors.AsType[*coordination.Error](err)
		if err := failure.DecodeDetails(&details); err == nil {
			fmt.Println(details.FailedStep, "-", details.StepError)
		}
	}
	// Output: PAYMENT_PROCESSING - Payment was declined by the issuing bank
}

func ExampleWorkflowService_AllActive() {
	server := exampleServer(http.StatusOK, `{"workflows":[{"workflowId":"wf-1","progress":75.0}],"pagination":{"totalPages":1}}`)
	defer server.Close()
	client, _ := coordination.New(server.URL)

	query := coordination.ActiveQuery{Status: coordination.StatusInProgress, Size: 50}
	for workflow, err := range client.Workflows.AllActive(context.Background(), query) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(workflow.WorkflowID, workflow.Progress)
	}
	// Output: wf-1 75
}

// A dry run says what would be asked, and of how many.
func ExampleBatchService() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request coordination.BatchRequest
		if json.NewDecoder(r.Body).Decode(&request) == nil && request.DryRun {
			fmt.Fprint(w, text("batch-preview"))
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, text("batch"))
	}))
	defer server.Close()
	client, _ := coordination.New(server.URL)

	request := coordination.BatchRequest{
		Action: coordination.BatchRetry, Reason: "PROVIDER_OUTAGE", PerSecond: 20,
		Filter: &coordination.BatchFilter{Type: coordination.TypeOrderFulfillment, Status: coordination.StatusParked, Step: "PAYMENT_PROCESSING"},
	}
	plan, err := client.Batches.DryRun(context.Background(), request)
	if err != nil || plan.Total > 1000 {
		fmt.Println(plan, err)
		return
	}
	batch, err := client.Batches.Create(context.Background(), request, coordination.WithIdempotencyKey("outage-4711"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(batch.Status, batch.Pending, "of", plan.Total)
	// Output: RUNNING 240 of 240
}

func ExampleBatchService_AllItems() {
	server := exampleServer(http.StatusOK, `{"items":[{"workflowId":"wf-1","status":"SUCCEEDED"},
		{"workflowId":"wf-2","status":"FAILED","code":"INVALID_WORKFLOW_STATE"}],"pagination":{"totalPages":1}}`)
	defer server.Close()
	client, _ := coordination.New(server.URL)

	for item, err := range client.Batches.AllItems(context.Background(), "bat-1", coordination.BatchesQuery{Size: 100}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if item.Status == coordination.BatchItemFailed {
			fmt.Println(item.WorkflowID, item.Code)
		}
	}
	// Output: wf-2 INVALID_WORKFLOW_STATE
}

func ExampleSagaService_PreviewCompensation() {
	server := exampleServer(http.StatusOK, "compensation-preview")
	defer server.Close()
	client, _ := coordination.New(server.URL)

	plan, err := client.Sagas.PreviewCompensation(context.Background(), "saga-770e8400-e29b-41d4-a716-446655440000",
		coordination.CompensateRequest{Reason: "MANUAL_INTERVENTION"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range plan.CompensationSteps {
		fmt.Println(step.Step, step.Status)
	}
	// Output:
	// VOID_PAYMENT PENDING
	// RELEASE_INVENTORY PENDING
}

func ExampleDuration() {
	fmt.Println(coordination.Duration(195 * time.Second))
	duration, err := coordination.ParseDuration("PT0.15S")
	fmt.Println(duration.Std(), err)
	// Output:
	// PT3M15S
	// 150ms <nil>
}
