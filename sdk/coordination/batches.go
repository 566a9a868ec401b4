package coordination

import "encoding/json"

// BatchAction is what a batch does to each of its workflows.
type BatchAction string

// The actions of a batch.
const (
	BatchRetry      BatchAction = "RETRY"
	BatchCancel     BatchAction = "CANCEL"
	BatchCompensate BatchAction = "COMPENSATE"
)

// BatchStatus is where a batch stands.
type BatchStatus string

// The statuses of a batch. The last two are final.
const (
	BatchRunning   BatchStatus = "RUNNING"
	BatchCompleted BatchStatus = "COMPLETED" // every workflow has its result
	BatchCancelled BatchStatus = "CANCELLED" // those that are pending are not asked
)

// BatchItemStatus is what came of one workflow of a batch.
type BatchItemStatus string

// The statuses of a workflow in its batch.
const (
	BatchItemPending   BatchItemStatus = "PENDING" // not asked yet
	BatchItemSucceeded BatchItemStatus = "SUCCEEDED"
	BatchItemFailed    BatchItemStatus = "FAILED" // refused; code and message say why
)

// Limits of batches.
const (
	// MaxBatchItems is how many workflows a filter may select for one batch.
	MaxBatchItems = 10_000
	// MaxBatchWorkflowIDs is how many workflows can be named one by one.
	MaxBatchWorkflowIDs = 5_000
	// DefaultBatchRate and MaxBatchRate are workflows per second.
	DefaultBatchRate = 10
	MaxBatchRate     = 1_000
	// DefaultBatchInitiator is initiatedBy of a batch that cancels and does not say.
	DefaultBatchInitiator = "ADMIN"
)

// BatchRequest is the body of POST /batches. Either Filter or WorkflowIDs says
// which workflows it is for.
type BatchRequest struct {
	Action      BatchAction       `json:"action" doc:"What each workflow is asked" example:"RETRY" enum:"RETRY,CANCEL,COMPENSATE"`
	Filter      *BatchFilter      `json:"filter,omitempty" doc:"Selects the workflows, once, when the batch is made; at least one member, at most 10,000 workflows"`
	WorkflowIDs []string          `json:"workflowIds,omitempty" doc:"Names the workflows, instead of a filter" minItems:"1" maxItems:"5000"`
	Request     *BatchItemRequest `json:"request,omitempty" doc:"The body that the action takes for one workflow"`
	PerSecond   int               `json:"perSecond,omitempty" doc:"How many workflows are asked per second at most; 10 by default" example:"20" minimum:"1" maximum:"1000"`
	Reason      string            `json:"reason" doc:"Why, for the audit; also the reason of each cancellation or compensation whose request gives none" example:"PROVIDER_OUTAGE" minLength:"1" maxLength:"1024"`
	DryRun      bool              `json:"dryRun" required:"false" doc:"Answer 200 with what would be selected, and write nothing" example:"false"`
}

// BatchFilter selects workflows as the query of GET /workflows does; members
// that are absent select all.
type BatchFilter struct {
	Type          string   `json:"type,omitempty" doc:"Workflow type" example:"ORDER_FULFILLMENT" pattern:"^[A-Za-z0-9_]{1,128}$"`
	Status        Status   `json:"status,omitempty" doc:"Status of the workflow" example:"PARKED" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CustomerID    string   `json:"customerId,omitempty" doc:"Customer" example:"cust-123e4567-e89b-12d3-a456-426614174000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Priority      Priority `json:"priority,omitempty" doc:"Priority" example:"NORMAL" enum:"LOW,NORMAL,HIGH"`
	BusinessKey   string   `json:"businessKey,omitempty" doc:"Identifier of the business object: order, return, replenishment" example:"ord-550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	OrderID       string   `json:"orderId,omitempty" doc:"Another name of businessKey" example:"ord-550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Step          string   `json:"step,omitempty" doc:"Current step" example:"PAYMENT_PROCESSING" pattern:"^[A-Za-z0-9_]{1,128}$"`
	ErrorCode     string   `json:"errorCode,omitempty" doc:"Error code of the last failure" example:"PROVIDER_TIMEOUT" pattern:"^[\\x20-\\x7e]{1,128}$"`
	StartedAfter  Time     `json:"startedAfter,omitzero" doc:"Started at this moment or later" example:"2024-01-15T10:00:00Z"`
	StartedBefore Time     `json:"startedBefore,omitzero" doc:"Started before this moment" example:"2024-01-15T12:00:00Z"`
	UpdatedBefore Time     `json:"updatedBefore,omitzero" doc:"Nothing happened to them since this moment" example:"2024-01-15T12:30:00Z"`
	Stuck         bool     `json:"stuck,omitempty" doc:"Only those that are PARKED, or that nothing moved when they were due" example:"true"`
	Parked        bool     `json:"parked,omitempty" doc:"Only those that wait for a person, the same as status PARKED" example:"true"`
}

// BatchItemRequest is what each workflow of a batch is asked: the body of
// POST /workflows/{workflowId}/retry or /cancel, or of
// POST /sagas/{sagaId}/compensate. A member that the action does not take is
// refused.
type BatchItemRequest struct {
	FromStep          string          `json:"fromStep,omitempty" doc:"RETRY and COMPENSATE: as in the request for one workflow" example:"PAYMENT_PROCESSING" maxLength:"128"`
	ResetState        bool            `json:"resetState,omitempty" doc:"RETRY: start again from the first step with an empty context" example:"false"`
	Force             bool            `json:"force,omitempty" doc:"CANCEL: do not let the step in flight settle, undo at once" example:"false"`
	ForceCompensation bool            `json:"forceCompensation,omitempty" doc:"COMPENSATE: include later steps that may have effects and do not let the step in flight settle" example:"false"`
	Reason            string          `json:"reason,omitempty" doc:"CANCEL and COMPENSATE: reason code of each; that of the batch by default" example:"RECALL" minLength:"1" maxLength:"1024"`
	ReasonDetails     string          `json:"reasonDetails,omitempty" doc:"CANCEL: additional details; not shown again" maxLength:"1024"`
	InitiatedBy       string          `json:"initiatedBy,omitempty" doc:"CANCEL: who initiated it; ADMIN by default" example:"ADMIN" minLength:"1" maxLength:"1024"`
	Metadata          json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep; not shown again"`
}

// Batch does one thing to many workflows, which were selected when it was made.
type Batch struct {
	BatchID   string            `json:"batchId" doc:"Batch identifier" example:"bat-018d0ea9-2c00-7000-8000-0000000000b1"`
	Action    BatchAction       `json:"action" doc:"What each workflow is asked" example:"RETRY" enum:"RETRY,CANCEL,COMPENSATE"`
	Status    BatchStatus       `json:"status" doc:"RUNNING until every workflow has its result, or it is cancelled" example:"RUNNING" enum:"RUNNING,COMPLETED,CANCELLED"`
	Reason    string            `json:"reason" doc:"Why" example:"PROVIDER_OUTAGE"`
	Filter    *BatchFilter      `json:"filter,omitempty" doc:"What the workflows were selected by; absent if they were named"`
	Request   *BatchItemRequest `json:"request,omitempty" doc:"What each workflow is asked, without what is not shown"`
	PerSecond int               `json:"perSecond" doc:"How many workflows are asked per second at most" example:"20"`
	Total     int               `json:"total" doc:"Workflows of the batch" example:"240"`
	Pending   int               `json:"pending" doc:"Those without a result" example:"200"`
	Succeeded int               `json:"succeeded" doc:"Those that did as they were asked" example:"39"`
	Failed    int               `json:"failed" doc:"Those that refused" example:"1"`
	CreatedBy string            `json:"createdBy" doc:"Subject of the token that made it; what it does is audited under this name" example:"ada"`
	CreatedAt Time              `json:"createdAt" doc:"When it was made" example:"2024-01-15T13:00:00Z"`
	EndedAt   Time              `json:"endedAt,omitzero" doc:"When the last workflow got its result, or it was cancelled; absent while RUNNING"`
}

// BatchList is a page of batches, newest first.
type BatchList struct {
	Batches    List[Batch] `json:"batches" doc:"Batches of the page"`
	Pagination Pagination  `json:"pagination" doc:"Where the page stands"`
}

// BatchItem is one workflow of a batch and what came of it.
type BatchItem struct {
	WorkflowID string          `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Status     BatchItemStatus `json:"status" doc:"PENDING until it has its result" example:"FAILED" enum:"PENDING,SUCCEEDED,FAILED"`
	Code       Code            `json:"code,omitempty" doc:"Error code with which it refused" example:"INVALID_WORKFLOW_STATE"`
	Message    string          `json:"message,omitempty" doc:"Why it refused, for people" example:"only a PARKED or FAILED workflow can be retried; this one is COMPLETED"`
	SettledAt  Time            `json:"settledAt,omitzero" doc:"When it got its result" example:"2024-01-15T13:00:02Z"`
}

// BatchItemList is a page of the workflows of a batch, in the order in which
// they are asked.
type BatchItemList struct {
	Items      List[BatchItem] `json:"items" doc:"Workflows of the page"`
	Pagination Pagination      `json:"pagination" doc:"Where the page stands"`
}

// BatchPreview is the answer to POST /batches with dryRun.
type BatchPreview struct {
	DryRun bool              `json:"dryRun" doc:"Always true: nothing was written" example:"true"`
	Action BatchAction       `json:"action" doc:"What each workflow would be asked" example:"RETRY" enum:"RETRY,CANCEL,COMPENSATE"`
	Total  int               `json:"total" doc:"Number of workflows that are selected" example:"240"`
	First  List[PlannedItem] `json:"first" doc:"The workflows that would be asked first, at most 20"`
}

// PlannedItem is a workflow that a batch would ask, as it stands now.
type PlannedItem struct {
	WorkflowID   string `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType string `json:"workflowType,omitempty" doc:"Workflow type; absent if there is no such workflow" example:"ORDER_FULFILLMENT"`
	Status       Status `json:"status,omitempty" doc:"Status of the workflow" example:"PARKED" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CurrentStep  string `json:"currentStep,omitempty" doc:"Step at which it is" example:"PAYMENT_PROCESSING"`
	Code         Code   `json:"code,omitempty" doc:"Error code with which it would refuse; absent if it would not" example:"INVALID_WORKFLOW_STATE"`
	Message      string `json:"message,omitempty" doc:"Why it would refuse, for people"`
}
