package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// exampleTimeout bounds both example orders together.
const exampleTimeout = 20 * time.Second

// declinedToken is a payment token that the simulated payment service declines.
const declinedToken = "tok_chargeDeclined"

// example is an order that shows one way a saga ends.
type example struct {
	title string
	token string
	// verdict tells how the order's end differs from what it should be; "" if it does not.
	verdict func(*coordination.WorkflowStatus) string
}

var examples = []example{
	{"An order that goes through", "tok_visa_4242", completedVerdict},
	{"An order whose payment is declined", declinedToken, compensatedVerdict},
}

// runExamples starts the example orders through the API, waits for them and
// prints how each went. The error says which did not end as it should.
func runExamples(ctx context.Context, client *coordination.Client, suffix string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, exampleTimeout)
	defer cancel()
	started := make([]*coordination.StartedWorkflow, len(examples))
	for i, e := range examples {
		var err error
		order := exampleOrder(fmt.Sprintf("ord-example-%s-%d", suffix, i+1), e.token)
		if started[i], err = client.Workflows.StartOrder(ctx, order); err != nil {
			return fmt.Errorf("example order: %w", err)
		}
	}
	var failure error
	for i, e := range examples {
		status, err := client.Workflows.Wait(ctx, started[i].WorkflowID)
		if err != nil {
			return fmt.Errorf("example order: %w", err)
		}
		printExample(out, e.title, started[i].OrderID, status)
		if verdict := e.verdict(status); verdict != "" && failure == nil {
			failure = fmt.Errorf("example order %s did not end as it should: %s", started[i].OrderID, verdict)
		}
	}
	return failure
}

// exampleOrder is a small order that is paid with a token.
func exampleOrder(orderID, token string) coordination.OrderRequest {
	return coordination.OrderRequest{
		OrderID:    orderID,
		CustomerID: "cust-example",
		Items: []coordination.OrderItem{
			{ProductID: "prod-espresso-cup", Quantity: 2, UnitPrice: coordination.Amount("9.95"), WarehouseID: "wh-001"},
		},
		PaymentMethod: coordination.PaymentMethod{Type: "CREDIT_CARD", Token: coordination.Sensitive(token), Currency: "USD"},
		ShippingAddress: coordination.ShippingAddress{
			Name: "Jane Example", Street: "1 Example Street", City: "Springfield", ZipCode: "00000", Country: "US",
		},
		ShippingMethod: "STANDARD",
	}
}

func completedVerdict(got *coordination.WorkflowStatus) string {
	if got.Status != coordination.StatusCompleted || got.Saga.State != coordination.SagaCompleted {
		return fmt.Sprintf("it is %s, its saga %s", got.Status, got.Saga.State)
	}
	for _, step := range got.Steps {
		if step.Status != coordination.StepCompleted {
			return fmt.Sprintf("%s is %s", step.Name, step.Status)
		}
	}
	return ""
}

func compensatedVerdict(got *coordination.WorkflowStatus) string {
	if got.Status != coordination.StatusFailed || got.Saga.State != coordination.SagaCompensated {
		return fmt.Sprintf("it is %s, its saga %s", got.Status, got.Saga.State)
	}
	for _, undo := range got.Saga.CompensationExecuted {
		if undo.Step == "RELEASE_INVENTORY" {
			return ""
		}
	}
	return "the inventory was not released"
}
