package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// benchService is the one participant of the measured sagas.
const benchService = "bench-service"

// sagas are the templates that are measured: six steps, each with an undo; the
// fourth of saga6c is refused.
func sagas() ([]*domain.Template, error) {
	var list []*domain.Template
	for name, fourth := range map[string]string{"SAGA6": "succeed", "SAGA6C": "refuse"} {
		var steps, undos []map[string]any
		for i := 1; i <= 6; i++ {
			action := "succeed"
			if i == 4 {
				action = fourth
			}
			steps = append(steps, map[string]any{"name": fmt.Sprintf("STEP_%d", i), "service": benchService, "action": action,
				"description": "A step that is answered at once", "timeout": "PT30S", "parameters": map[string]any{"orderId": "{{input.orderId}}"}})
			undos = append(undos, map[string]any{"name": fmt.Sprintf("UNDO_%d", i), "compensates": fmt.Sprintf("STEP_%d", i),
				"service": benchService, "action": "succeed", "timeout": "PT30S", "parameters": map[string]any{"orderId": "{{input.orderId}}"}})
		}
		data, err := json.Marshal(map[string]any{"templateId": "tmpl-" + map[string]string{"SAGA6": "saga6", "SAGA6C": "saga6c"}[name], "name": name,
			"type": name, "version": "1", "businessKey": "orderId", "context": map[string]any{"orderId": "{{input.orderId}}"},
			"metadata": map[string]any{"orderId": "{{input.orderId}}", "customerId": "{{input.customerId}}"}, "steps": steps, "compensationSteps": undos})
		if err != nil {
			return nil, err
		}
		t, err := domain.ParseTemplate(data)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

// input is an order of about the size of a real one.
func input(orderID string) json.RawMessage {
	return fmt.Appendf(nil, `{"orderId":%q,"customerId":"cust-123e4567-e89b-12d3-a456-426614174000","items":[{"productId":"550e8400-e29b-41d4-a716-446655440000",`+
		`"quantity":2,"unitPrice":599.99,"warehouseId":"wh-001"},{"productId":"660e8400-e29b-41d4-a716-446655440000","quantity":1,"unitPrice":299.99,"warehouseId":"wh-001"}],`+
		`"paymentMethod":{"type":"CREDIT_CARD","token":"tok_visa_4242","amount":1499.97,"currency":"USD"},"shippingAddress":{"name":"John Doe","street":"123 Main St",`+
		`"city":"New York","state":"NY","zipCode":"10001","country":"US","phone":"+1234567890"},"shippingMethod":"STANDARD"}`, orderID)
}

// instant is a participant in process that answers at once.
type instant struct{}

func (instant) Send(_ context.Context, cmd domain.Dispatch) domain.Answer {
	if cmd.Action == "refuse" {
		return domain.Answer{Outcome: domain.Rejected, Error: &domain.StepError{Code: "REFUSED", Message: "as asked"}}
	}
	return domain.Answer{Outcome: domain.Succeeded, Result: fmt.Appendf(nil, `{"reference":"ref-%s","status":"DONE"}`, cmd.Step)}
}

func (instant) Check(context.Context) ports.DependencyHealth { return ports.DependencyHealth{Up: true} }
