package coordination

import "encoding/json"

// Saga is the answer of GET /sagas/{sagaId}.
type Saga struct {
	SagaID            string                  `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	SagaType          string                  `json:"sagaType" doc:"Workflow type with _SAGA" example:"ORDER_FULFILLMENT_SAGA"`
	WorkflowID        string                  `json:"workflowId" doc:"Workflow of the saga" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	State             SagaState               `json:"state" doc:"State of the saga" example:"ACTIVE" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	Version           int64                   `json:"version" doc:"Number of events of the saga" example:"3"`
	CurrentStep       string                  `json:"currentStep,omitempty" doc:"Step, or compensation step, that is in progress" example:"PAYMENT_PROCESSING"`
	Context           json.RawMessage         `json:"context" doc:"Keys of the business and the results of the steps, later ones win"`
	CompletedSteps    List[CompletedStep]     `json:"completedSteps" doc:"Steps that have succeeded, oldest first"`
	CompensationPlan  List[CompensationEntry] `json:"compensationPlan" doc:"How each step is undone, in forward order"`
	CompensationState CompensationState       `json:"compensationState" doc:"How far the compensation is"`
	Parked            *Parked                 `json:"parked,omitempty" doc:"Why the workflow waits for a person; only while PARKED"`
	Events            List[SagaEvent]         `json:"events" doc:"Log of the saga, oldest first"`
	CreatedAt         Time                    `json:"createdAt" doc:"When the saga was started" example:"2024-01-15T10:00:00Z"`
	UpdatedAt         Time                    `json:"updatedAt" doc:"When the saga last changed" example:"2024-01-15T10:00:06Z"`
}

// CompensationEntry says how one step is undone.
type CompensationEntry struct {
	Step       string          `json:"step" doc:"Name of the compensation step" example:"RELEASE_INVENTORY"`
	Condition  string          `json:"condition,omitempty" doc:"When it is needed" example:"IF_INVENTORY_RESERVED"`
	Service    string          `json:"service" doc:"Participant that undoes" example:"inventory-service"`
	Action     string          `json:"action" doc:"What the participant is asked" example:"release_reservation"`
	Parameters json.RawMessage `json:"parameters,omitempty" doc:"Parameters, with look-ups into context and input as in the template"`
}

// CompensationState says which compensation steps are done and which are to come.
type CompensationState struct {
	Executed List[CompletedStep] `json:"executed" doc:"Compensation steps that are done, oldest first"`
	Pending  List[string]        `json:"pending" doc:"Names of the compensation steps to come, in the order of execution"`
}

// CompensateRequest is the body of POST /sagas/{sagaId}/compensate.
type CompensateRequest struct {
	Reason            string          `json:"reason" doc:"Reason code" example:"MANUAL_INTERVENTION" minLength:"1" maxLength:"1024"`
	FromStep          string          `json:"fromStep,omitempty" doc:"Undo this step and everything before it; everything by default" example:"PAYMENT_PROCESSING" maxLength:"128"`
	ForceCompensation bool            `json:"forceCompensation" required:"false" doc:"Include later steps that may have effects and do not let the step in flight settle" example:"false"`
	Metadata          json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// CompensateResponse is the answer to a manual compensation.
type CompensateResponse struct {
	SagaID                  string                 `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	State                   SagaState              `json:"state" doc:"State of the saga" example:"COMPENSATING" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	CompensationID          string                 `json:"compensationId" doc:"Identifier of this compensation" example:"comp-990e8400-e29b-41d4-a716-446655440000"`
	CompensationSteps       List[CompensationStep] `json:"compensationSteps" doc:"Compensation steps in the order of execution"`
	EstimatedCompletionTime Duration               `json:"estimatedCompletionTime" doc:"How long the compensation should take" example:"PT2M"`

	// Ended is the final status if WithWait was given and the workflow ended
	// in time; then only the members above that it has are set. The client
	// sets it, it is not part of the answer.
	Ended *WorkflowStatus `json:"-"`
}

// CompensationPreview is the answer to a manual compensation with dryRun=true:
// what would be done. Nothing was changed.
type CompensationPreview struct {
	SagaID                  string                 `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	State                   SagaState              `json:"state" doc:"State of the saga now" example:"ACTIVE" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	DryRun                  bool                   `json:"dryRun" doc:"Always true" example:"true"`
	CompensationSteps       List[CompensationStep] `json:"compensationSteps" doc:"Compensation steps in the order of execution"`
	EstimatedCompletionTime Duration               `json:"estimatedCompletionTime" doc:"How long the compensation should take" example:"PT2M"`
}
