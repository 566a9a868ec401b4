package rest

import (
	"embed"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// exampleFiles are the reference's examples, and those of the added paths.
//
//go:embed examples/*.json
var exampleFiles embed.FS

// exampleTrace is the trace ID of the reference's example.
const exampleTrace = "b9d7c9a8-3e2f-4d1e-8c7b-6a5d4c3b2a1f"

// request stands for the request body in the table of examples.
const request = "request"

// examples names the example of each request and response, by operation.
var examples = map[string]map[string]string{
	"startOrderWorkflow":         {request: "order-request", "201": "order-started", "422": "error"},
	"startReturnWorkflow":        {request: "return-request"},
	"startReplenishmentWorkflow": {request: "replenishment-request"},
	"startWorkflow":              {request: "start-request"},
	"getWorkflowStatus":          {"200": "workflow-status"},
	"cancelWorkflow":             {request: "cancel-request", "202": "cancel-response"},
	"retryWorkflow":              {request: "retry-request", "200": "retry-response"},
	"listActiveWorkflows":        {"200": "active-list"},
	"listWorkflows":              {"200": "active-list"},
	"listWorkflowEvents":         {"200": "event-history"},
	"getWorkflowMetrics":         {"200": "metrics"},
	"getSaga":                    {"200": "saga"},
	"compensateSaga":             {request: "compensate-request", "200": "compensation-preview", "202": "compensate-response"},
	"listWorkflowTemplates":      {"200": "template-list"},
	"getHealth":                  {"200": "health"},
	"listAudit":                  {"200": "audit-list"},
	"answerCallback":             {request: "answer", "200": "callback-receipt"},
	"sendHeartbeat":              {"200": "callback-receipt"},
	"createBatch":                {request: "batch-request", "200": "batch-preview", "202": "batch-created"},
	"listBatches":                {"200": "batch-list"},
	"getBatch":                   {"200": "batch"},
	"listBatchItems":             {"200": "batch-item-list"},
	"cancelBatch":                {"202": "batch-cancelled"},
	"createWebhook":              {request: "webhook-request", "201": "webhook-created"},
	"listWebhooks":               {"200": "webhook-list"},
	"getWebhook":                 {"200": "webhook"},
	"updateWebhook":              {request: "webhook-update", "200": "webhook"},
	"rotateWebhookSecret":        {request: "rotate-secret-request", "200": "rotated-secret"},
	"listWebhookDeliveries":      {"200": "delivery-list"},
	"redeliverWebhook":           {"202": "redelivered"},
	"recoverWebhook":             {request: "recover-request", "202": "recovered"},
	receiveEvent:                 {request: "webhook-payload"},
}

// addExamples puts the examples into the document.
func addExamples(doc *huma.OpenAPI) {
	for _, op := range operationsOf(doc) {
		for place, name := range examples[op.OperationID] {
			content := op.Responses[place]
			switch {
			case place == request:
				op.RequestBody.Content[contentTypeJSON].Example = example(name)
			case content != nil:
				content.Content[contentTypeJSON].Example = example(name)
			}
		}
	}
}

// example reads one example.
func example(name string) any {
	data, err := exampleFiles.ReadFile("examples/" + name + ".json")
	if err != nil { // embedded: a wrong name fails every test
		panic(fmt.Errorf("rest: %w", err))
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(fmt.Errorf("rest: example %s: %w", name, err))
	}
	return tree
}

// errorExamples are messages of errors as they are really answered.
var errorExamples = map[coordination.Code]string{
	coordination.ErrInvalidRequest:          "The request is invalid: body.items[0].quantity: expected number >= 1",
	coordination.ErrAuthenticationRequired:  "A bearer token is required",
	coordination.ErrInsufficientPermissions: "The token does not allow this",
	coordination.ErrWorkflowNotFound:        "There is no such workflow",
	coordination.ErrSagaNotFound:            "There is no such saga",
	coordination.ErrTemplateNotFound:        "There is no such template",
	coordination.ErrCallbackNotFound:        "There is no such callback",
	coordination.ErrWebhookNotFound:         "There is no such webhook",
	coordination.ErrBatchNotFound:           "There is no such batch",
	coordination.ErrDeliveryNotFound:        "There is no such delivery",
	coordination.ErrWorkflowAlreadyExists:   "A workflow exists for this business key",
	coordination.ErrCallbackConflict:        "Another answer was given before",
	coordination.ErrCallbackGone:            "The step no longer waits for an answer",
	coordination.ErrInvalidWorkflowState:    "only a PARKED or FAILED workflow can be retried; this one is COMPLETED",
	coordination.ErrBusinessRuleViolation:   "paymentMethod.amount differs from the total of items and charges",
	coordination.ErrWorkflowExecutionFailed: "Workflow failed at step PAYMENT_PROCESSING",
	coordination.ErrCompensationFailed:      "Compensation failed at step VOID_PAYMENT",
	coordination.ErrRateLimitExceeded:       "The request quota of this token's subject is used up",
	coordination.ErrServiceUnavailable:      "The service cannot do this now; try again later",
	coordination.ErrTimeoutExceeded:         "Workflow did not finish before its deadline",
	coordination.ErrInternal:                "internal error",
}

// errorExample is the example of an error response.
func errorExample(code coordination.Code) any {
	body := map[string]any{"code": string(code), "message": errorExamples[code], "traceId": exampleTrace}
	if code == coordination.ErrInvalidRequest {
		body["details"] = map[string]any{"violations": []any{
			map[string]any{"path": "body.items[0].quantity", "message": "expected number >= 1"}}}
	}
	return map[string]any{"error": body}
}
