package coordination

import "encoding/json"

// WorkflowStatus is the answer of GET /workflows/{workflowId}/status.
type WorkflowStatus struct {
	WorkflowID          string          `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType        string          `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Status              Status          `json:"status" doc:"Status of the workflow" example:"IN_PROGRESS" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CurrentStep         string          `json:"currentStep,omitempty" doc:"Step that is in progress" example:"PAYMENT_PROCESSING"`
	Progress            Progress        `json:"progress" doc:"How far the workflow is"`
	Steps               List[Step]      `json:"steps" doc:"All steps in the order of the template"`
	Saga                SagaSummary     `json:"saga" doc:"The saga behind the workflow"`
	Parked              *Parked         `json:"parked,omitempty" doc:"Why the workflow waits for a person; only while PARKED"`
	Metadata            json.RawMessage `json:"metadata,omitempty" doc:"Business identifiers, amounts and priority"`
	Events              List[Event]     `json:"events" doc:"Log of the workflow, oldest first"`
	EstimatedCompletion Time            `json:"estimatedCompletion,omitzero" doc:"When the workflow should end; absent once it has" example:"2024-01-15T10:05:00Z"`
	CompletedAt         Time            `json:"completedAt,omitzero" doc:"When the workflow ended"`
	CreatedAt           Time            `json:"createdAt" doc:"When the workflow was accepted" example:"2024-01-15T10:00:00Z"`
	UpdatedAt           Time            `json:"updatedAt" doc:"When the workflow last changed" example:"2024-01-15T10:00:06Z"`
}

// Progress counts the steps of a workflow that are done.
type Progress struct {
	CompletedSteps int     `json:"completedSteps" doc:"Steps that are completed" example:"1"`
	TotalSteps     int     `json:"totalSteps" doc:"Steps of the template" example:"6"`
	Percentage     Percent `json:"percentage" doc:"completedSteps of totalSteps in percent, two decimals, half up" example:"16.67"`
}

// SagaSummary is the saga as the status of its workflow shows it.
type SagaSummary struct {
	SagaID               string              `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	State                SagaState           `json:"state" doc:"State of the saga" example:"ACTIVE" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	Version              int64               `json:"version" doc:"Number of events of the saga" example:"2"`
	CompensationExecuted List[CompletedStep] `json:"compensationExecuted" doc:"Compensation steps that are done, oldest first"`
}

// CompletedStep is a step, or a compensation step, that has succeeded.
type CompletedStep struct {
	Step        string          `json:"step" doc:"Name of the step" example:"INVENTORY_RESERVATION"`
	CompletedAt Time            `json:"completedAt" doc:"When it succeeded" example:"2024-01-15T10:00:05Z"`
	Result      json.RawMessage `json:"result,omitempty" doc:"What the participant answered"`
}

// StepError is the last failure of a step, as the participant reported it.
type StepError struct {
	Code    string `json:"code" doc:"Code of the participant" example:"PAYMENT_DECLINED"`
	Message string `json:"message,omitempty" doc:"Text of the participant" example:"Payment was declined by the issuing bank"`
}

// Parked says why a workflow waits for a person and what may be asked of it.
type Parked struct {
	Reason         ParkReason   `json:"reason" doc:"Why it waits" example:"STEP_EXHAUSTED" enum:"COMPENSATION_EXHAUSTED,STEP_EXHAUSTED,CONTRACT_ERROR,MISSING_CONTEXT,MISSING_TEMPLATE"`
	Step           string       `json:"step,omitempty" doc:"Step or compensation step at which it waits" example:"PAYMENT_PROCESSING"`
	LastError      *StepError   `json:"lastError,omitempty" doc:"Last failure of that step"`
	Since          Time         `json:"since" doc:"When it was parked" example:"2024-01-15T10:05:00Z"`
	Until          Time         `json:"until,omitzero" doc:"When it is compensated unless somebody acts; absent if it waits for ever" example:"2024-01-15T10:20:00Z"`
	AllowedActions List[Action] `json:"allowedActions" doc:"What may be asked of it" example:"RETRY,COMPENSATE,CANCEL" enum:"RETRY,COMPENSATE,CANCEL"`
}

// CancelRequest is the body of POST /workflows/{workflowId}/cancel.
type CancelRequest struct {
	Reason        string          `json:"reason" doc:"Cancellation reason code" example:"CUSTOMER_REQUESTED" minLength:"1" maxLength:"1024"`
	ReasonDetails string          `json:"reasonDetails,omitempty" doc:"Additional details" example:"Customer cancelled order after placing" maxLength:"1024"`
	InitiatedBy   string          `json:"initiatedBy" doc:"Who initiated the cancellation" example:"CUSTOMER" minLength:"1" maxLength:"1024"`
	Force         bool            `json:"force" required:"false" doc:"Do not let the step in flight settle, undo at once" example:"false"`
	Metadata      json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// CancelResponse is the answer to a cancellation.
type CancelResponse struct {
	WorkflowID                string        `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Status                    Status        `json:"status" doc:"Status of the workflow" example:"CANCELLING" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CancelledAt               Time          `json:"cancelledAt" doc:"When the cancellation was requested" example:"2024-01-15T10:05:00Z"`
	Reason                    string        `json:"reason" doc:"Cancellation reason code" example:"CUSTOMER_REQUESTED"`
	Saga                      CancelledSaga `json:"saga" doc:"The saga behind the workflow"`
	EstimatedCompensationTime Duration      `json:"estimatedCompensationTime" doc:"How long the compensation should take" example:"PT2M"`
	Refund                    *Refund       `json:"refund,omitempty" doc:"What the customer gets back; only where money is involved"`

	// Ended is the final status if WithWait was given and the workflow ended
	// in time; then only the members above that it has are set. The client
	// sets it, it is not part of the answer.
	Ended *WorkflowStatus `json:"-"`
}

// CancelledSaga is the saga as the answer to a cancellation shows it.
type CancelledSaga struct {
	SagaID            string                 `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	State             SagaState              `json:"state" doc:"State of the saga" example:"COMPENSATING" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	CompensationSteps List[CompensationStep] `json:"compensationSteps" doc:"Compensation steps in the order of execution"`
}

// CompensationStep is one compensation step and how far it is.
type CompensationStep struct {
	Step        string          `json:"step" doc:"Name of the compensation step" example:"RELEASE_INVENTORY"`
	Status      StepStatus      `json:"status" doc:"Status of the compensation step" example:"PENDING" enum:"PENDING,IN_PROGRESS,RETRYING,COMPLETED,FAILED,UNKNOWN,SKIPPED,NOT_APPLICABLE"`
	Description string          `json:"description,omitempty" doc:"What it does" example:"Release reserved inventory"`
	StartedAt   Time            `json:"startedAt,omitzero" doc:"When it was first sent" example:"2024-01-15T10:10:00Z"`
	CompletedAt Time            `json:"completedAt,omitzero" doc:"When it settled"`
	Duration    Duration        `json:"duration,omitempty" doc:"From startedAt to completedAt" example:"PT5S"`
	Attempts    int             `json:"attempts,omitempty" doc:"How often it was sent" example:"1"`
	Result      json.RawMessage `json:"result,omitempty" doc:"What the participant answered"`
	Error       *StepError      `json:"error,omitempty" doc:"Last failure"`
}

// Refund says what the customer of a cancelled order gets back.
type Refund struct {
	Eligible bool   `json:"eligible" doc:"Whether anything is given back" example:"true"`
	Amount   Amount `json:"amount,omitempty" doc:"How much" example:"1499.97"`
	Currency string `json:"currency,omitempty" doc:"ISO 4217 code" example:"USD"`
	Method   string `json:"method,omitempty" doc:"How it is given back" example:"ORIGINAL_PAYMENT_METHOD"`
}

// RetryRequest is the body of POST /workflows/{workflowId}/retry.
type RetryRequest struct {
	FromStep   string          `json:"fromStep,omitempty" doc:"The earliest step that is not in effect, which is also the default" example:"PAYMENT_PROCESSING" maxLength:"128"`
	ResetState bool            `json:"resetState" required:"false" doc:"Start again from the first step with an empty context" example:"false"`
	Metadata   json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// RetryResponse is the answer to a retry.
type RetryResponse struct {
	WorkflowID   string `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Status       Status `json:"status" doc:"Status of the workflow" example:"IN_PROGRESS" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	RetryAttempt int    `json:"retryAttempt" doc:"Number of resumptions so far, plus one" example:"2"`
	ResumedAt    Time   `json:"resumedAt" doc:"When it was resumed" example:"2024-01-15T10:10:00Z"`
	CurrentStep  string `json:"currentStep,omitempty" doc:"Step, or compensation step, at which it goes on" example:"PAYMENT_PROCESSING"`

	// Ended is the final status if WithWait was given and the workflow ended
	// in time; then only the members above that it has are set. The client
	// sets it, it is not part of the answer.
	Ended *WorkflowStatus `json:"-"`
}
