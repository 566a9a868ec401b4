package coordination

// Status is the status of a workflow.
type Status string

// The statuses of a workflow. COMPLETED, FAILED and CANCELLED are terminal, all
// others are active.
const (
	StatusStarted      Status = "STARTED"
	StatusInProgress   Status = "IN_PROGRESS"
	StatusRetrying     Status = "RETRYING"
	StatusCompensating Status = "COMPENSATING"
	StatusCancelling   Status = "CANCELLING"
	StatusParked       Status = "PARKED"
	StatusCompleted    Status = "COMPLETED"
	StatusFailed       Status = "FAILED"
	StatusCancelled    Status = "CANCELLED"
)

// Terminal reports whether a workflow in this status has ended. A retry or a
// manual compensation can still open a new run of it.
func (s Status) Terminal() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCancelled
}

// SagaState is the state of a saga.
type SagaState string

// The states of a saga. COMPENSATED is only ever shown when every effect was
// undone; a compensation that could not be finished is COMPENSATION_FAILED.
const (
	SagaActive             SagaState = "ACTIVE"
	SagaCompensating       SagaState = "COMPENSATING"
	SagaCompensationFailed SagaState = "COMPENSATION_FAILED"
	SagaCompleted          SagaState = "COMPLETED"
	SagaCompensated        SagaState = "COMPENSATED"
)

// StepStatus is the status of a step or of a compensation step.
type StepStatus string

// The statuses of a step. NOT_APPLICABLE is for compensation steps whose
// forward step had no effect. UNKNOWN is a step that may have had its effect.
const (
	StepPending       StepStatus = "PENDING"
	StepInProgress    StepStatus = "IN_PROGRESS"
	StepRetrying      StepStatus = "RETRYING"
	StepCompleted     StepStatus = "COMPLETED"
	StepFailed        StepStatus = "FAILED"
	StepUnknown       StepStatus = "UNKNOWN"
	StepSkipped       StepStatus = "SKIPPED"
	StepNotApplicable StepStatus = "NOT_APPLICABLE"
)

// Priority orders workflows in lists and hints participants.
type Priority string

// The priorities; NORMAL is the default.
const (
	PriorityLow    Priority = "LOW"
	PriorityNormal Priority = "NORMAL"
	PriorityHigh   Priority = "HIGH"
)

// ParkReason says why a workflow waits for a person.
type ParkReason string

// The reasons for which a workflow is parked.
const (
	ParkCompensationExhausted ParkReason = "COMPENSATION_EXHAUSTED"
	ParkStepExhausted         ParkReason = "STEP_EXHAUSTED"
	ParkContractError         ParkReason = "CONTRACT_ERROR"
	ParkMissingContext        ParkReason = "MISSING_CONTEXT"
	ParkMissingTemplate       ParkReason = "MISSING_TEMPLATE"
)

// Action is what may be asked of a parked workflow.
type Action string

// The actions, named after the operations of the API.
const (
	ActionRetry      Action = "RETRY"
	ActionCompensate Action = "COMPENSATE"
	ActionCancel     Action = "CANCEL"
)

// EventName names an entry of a workflow's log.
type EventName string

// The events of a workflow. Its first is WORKFLOW_STARTED, shown as
// SAGA_STARTED in the view of the saga.
const (
	EventWorkflowStarted           EventName = "WORKFLOW_STARTED"
	EventSagaStarted               EventName = "SAGA_STARTED"
	EventStepStarted               EventName = "STEP_STARTED"
	EventStepCompleted             EventName = "STEP_COMPLETED"
	EventStepRetrying              EventName = "STEP_RETRYING"
	EventStepDeferred              EventName = "STEP_DEFERRED"
	EventStepAccepted              EventName = "STEP_ACCEPTED"
	EventStepExtended              EventName = "STEP_EXTENDED"
	EventStepFailed                EventName = "STEP_FAILED"
	EventStepSkipped               EventName = "STEP_SKIPPED"
	EventStepLateSuccess           EventName = "STEP_LATE_SUCCESS"
	EventCancelRequested           EventName = "CANCEL_REQUESTED"
	EventCompensateRequested       EventName = "COMPENSATE_REQUESTED"
	EventCompensationStarted       EventName = "COMPENSATION_STARTED"
	EventCompensationStepStarted   EventName = "COMPENSATION_STEP_STARTED"
	EventCompensationStepCompleted EventName = "COMPENSATION_STEP_COMPLETED"
	EventCompensationStepRetrying  EventName = "COMPENSATION_STEP_RETRYING"
	EventCompensationStepDeferred  EventName = "COMPENSATION_STEP_DEFERRED"
	EventCompensationStepAccepted  EventName = "COMPENSATION_STEP_ACCEPTED"
	EventCompensationStepExtended  EventName = "COMPENSATION_STEP_EXTENDED"
	EventCompensationStepFailed    EventName = "COMPENSATION_STEP_FAILED"
	EventSagaCompensated           EventName = "SAGA_COMPENSATED"
	EventWorkflowParked            EventName = "WORKFLOW_PARKED"
	EventWorkflowResumed           EventName = "WORKFLOW_RESUMED"
	EventWorkflowCompleted         EventName = "WORKFLOW_COMPLETED"
	EventWorkflowFailed            EventName = "WORKFLOW_FAILED"
	EventWorkflowCancelled         EventName = "WORKFLOW_CANCELLED"
)

// Terminal reports whether the workflow ended with this event. A retry or a
// manual compensation can still open a new run of it, whose events follow.
func (e EventName) Terminal() bool {
	return e == EventWorkflowCompleted || e == EventWorkflowFailed || e == EventWorkflowCancelled
}

// The built-in workflow types.
const (
	TypeOrderFulfillment       = "ORDER_FULFILLMENT"
	TypeReturnProcessing       = "RETURN_PROCESSING"
	TypeInventoryReplenishment = "INVENTORY_REPLENISHMENT"
	TypeCompensationTest       = "COMPENSATION_TEST"
)
