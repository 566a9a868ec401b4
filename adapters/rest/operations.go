package rest

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Tags group the operations as the reference does.
const (
	tagManagement = "Workflow Management"
	tagQueries    = "Workflow Queries"
	tagSagas      = "Saga Management"
	tagTemplates  = "Workflow Templates"
	tagBatches    = "Batches"
	tagWebhooks   = "Webhooks"
	tagHealth     = "Health and Monitoring"
	tagCallbacks  = "Callbacks"
)

// operations registers every operation of the API.
func (s *service) operations() {
	s.starts()
	s.changes()
	s.reads()
	s.batches()
	s.webhooks()
	s.monitoring()
	s.callbacks()
}

func (s *service) starts() {
	conflict := []coordination.Code{coordination.ErrWorkflowAlreadyExists, coordination.ErrTemplateNotFound}
	order := append(conflict, coordination.ErrBusinessRuleViolation)
	operation(s, s.mutation("startOrderWorkflow", "/workflows/order/start", tagManagement, "Start an order workflow",
		"Initiates a complete order fulfillment workflow.", http.StatusCreated, reflect.TypeFor[coordination.StartedWorkflow](), order...), s.startOrder)
	operation(s, s.mutation("startReturnWorkflow", "/workflows/return/start", tagManagement, "Start a return workflow",
		"Initiates the processing of returned goods.", http.StatusCreated, reflect.TypeFor[coordination.StartedWorkflow](), conflict...), s.startReturn)
	operation(s, s.mutation("startReplenishmentWorkflow", "/workflows/replenishment/start", tagManagement, "Start a replenishment workflow",
		"Initiates the replenishment of a warehouse.", http.StatusCreated, reflect.TypeFor[coordination.StartedWorkflow](), conflict...), s.startReplenishment)
	operation(s, s.mutation("startWorkflow", "/workflows/start", tagManagement, "Start a workflow of any template",
		"The input of a built-in type is the body of its own route.", http.StatusCreated, reflect.TypeFor[coordination.StartedWorkflow](), order...), s.startAny)
}

func (s *service) changes() {
	operation(s, s.mutation("cancelWorkflow", "/workflows/{workflowId}/cancel", tagManagement, "Cancel a workflow",
		"Cancels an active workflow and triggers compensation. Repeated, it answers the same.", http.StatusAccepted,
		reflect.TypeFor[coordination.CancelResponse](), coordination.ErrWorkflowNotFound, coordination.ErrInvalidWorkflowState,
		coordination.ErrWorkflowAlreadyExists), s.cancel)
	operation(s, s.mutation("retryWorkflow", "/workflows/{workflowId}/retry", tagManagement, "Retry a workflow",
		"Lets a parked or failed workflow go on from the earliest step that is not in effect.", http.StatusOK,
		reflect.TypeFor[coordination.RetryResponse](), coordination.ErrWorkflowNotFound, coordination.ErrInvalidWorkflowState,
		coordination.ErrWorkflowAlreadyExists), s.retry)
	op := s.mutation("compensateSaga", "/sagas/{sagaId}/compensate", tagSagas, "Compensate a saga",
		"Manually triggers compensation for a saga, wholly or from a step back.", http.StatusAccepted,
		reflect.TypeFor[coordination.CompensateResponse](), coordination.ErrSagaNotFound, coordination.ErrInvalidWorkflowState,
		coordination.ErrWorkflowAlreadyExists)
	op.Responses["200"] = s.jsonResponse("With dryRun=true: what would be done", reflect.TypeFor[coordination.CompensationPreview]())
	operation(s, op, s.compensate)
}

func (s *service) reads() {
	operation(s, s.read("getWorkflowStatus", "/workflows/{workflowId}/status", tagManagement, "Get the status of a workflow",
		"Shows status, steps, saga and log of a workflow.", coordination.ErrWorkflowNotFound), s.getStatus)
	operation(s, s.read("listActiveWorkflows", "/workflows/active", tagQueries, "List active workflows",
		"Lists workflows that have not ended."), s.listActive)
	operation(s, s.read("listWorkflows", "/workflows", tagQueries, "List all workflows",
		"Lists workflows, ended ones too."), s.listAll)
	operation(s, s.read("getWorkflowMetrics", "/workflows/metrics", tagQueries, "Get workflow metrics",
		"Shows execution metrics of a calendar period in UTC."), s.getMetrics)
	operation(s, s.read("listWorkflowEvents", "/workflows/{workflowId}/events", tagQueries, "List the events of a workflow",
		"Pages through the log of a workflow, oldest first.", coordination.ErrWorkflowNotFound), s.listEvents)
	operation(s, s.stream(), s.streamEvents)
	operation(s, s.read("getSaga", "/sagas/{sagaId}", tagSagas, "Get saga details",
		"Shows context, plan and log of a saga.", coordination.ErrSagaNotFound), s.getSaga)
	operation(s, s.read("listWorkflowTemplates", "/workflow-templates", tagTemplates, "List workflow templates",
		"Lists the templates that new workflows can use."), s.listTemplates)
	operation(s, s.read("getWorkflowTemplate", "/workflow-templates/{templateId}", tagTemplates, "Get a workflow template",
		"Shows one template.", coordination.ErrTemplateNotFound), s.getTemplate)
}

func (s *service) monitoring() {
	op := s.read("getHealth", "/health", tagHealth, "Get the health of the service",
		"200 while the service is UP or DEGRADED, 503 when it is DOWN.")
	op.Responses["503"] = s.jsonResponse("DOWN", reflect.TypeFor[coordination.Health]())
	operation(s, op, s.getHealth)
	operation(s, s.read("listAudit", "/audit", tagHealth, "List the audit",
		"Pages through who changed what and why, newest first."), s.listAudit)
}

func (s *service) callbacks() {
	codes := []coordination.Code{coordination.ErrCallbackNotFound, coordination.ErrCallbackGone}
	answer := s.describe("answerCallback", http.MethodPost, "/callbacks/{token}", tagCallbacks, "Answer a command",
		"A participant gives the answer to a command that it has accepted. The token alone authorises it; the same answer again is no error.",
		http.StatusOK, append(codes, coordination.ErrCallbackConflict, coordination.ErrInvalidRequest)...)
	operation(s, answer, s.answerCallback)
	operation(s, s.describe("sendHeartbeat", http.MethodPost, "/callbacks/{token}/heartbeat", tagCallbacks, "Ask for more time",
		"A participant that still works on a command asks for another timeout's worth of time.", http.StatusOK, codes...), s.sendHeartbeat)
}

// stream describes the one operation that does not answer with JSON.
func (s *service) stream() huma.Operation {
	op := s.read("streamWorkflowEvents", "/workflows/{workflowId}/stream", tagQueries, "Stream the events of a workflow",
		"Server-sent events: id is the sequence number, event the event's name, data the event. It ends after the terminal event.",
		coordination.ErrWorkflowNotFound)
	op.Responses["200"] = &huma.Response{Description: "Events as they happen", Content: map[string]*huma.MediaType{
		"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString, Description: "Each data field is a RecordedEvent"}}}}
	op.Responses["204"] = &huma.Response{Description: "The workflow has ended and every event was received"}
	return op
}
