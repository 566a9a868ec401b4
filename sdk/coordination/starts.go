package coordination

import (
	"encoding/json"
	"log/slog"
)

// ReturnRequest is the body of POST /workflows/return/start.
type ReturnRequest struct {
	ReturnID        string          `json:"returnId" doc:"Return identifier; at most one active or completed workflow per return" example:"ret-880e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	OriginalOrderID string          `json:"originalOrderId" doc:"Order that is returned" example:"ord-990e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	CustomerID      string          `json:"customerId" doc:"Customer identifier" example:"cust-123e4567-e89b-12d3-a456-426614174000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Items           []ReturnItem    `json:"items" doc:"Returned items" minItems:"1" maxItems:"500"`
	RefundAmount    Amount          `json:"refundAmount" doc:"Amount to be refunded" example:"299.99" minimum:"0"`
	Currency        string          `json:"currency,omitempty" doc:"ISO 4217 code; USD by default" example:"USD" pattern:"^[A-Z]{3}$"`
	Options         *Options        `json:"options,omitempty" doc:"Additional options"`
	Metadata        json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// ReturnItem is one position of a return.
type ReturnItem struct {
	ProductID string `json:"productId" doc:"Product identifier" example:"550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Quantity  int64  `json:"quantity" doc:"Number of pieces" example:"1" minimum:"1" maximum:"1000000000"`
	Reason    string `json:"reason,omitempty" doc:"Why it is returned" example:"DAMAGED" maxLength:"1024"`
}

// ReplenishmentRequest is the body of POST /workflows/replenishment/start.
type ReplenishmentRequest struct {
	ReplenishmentID string              `json:"replenishmentId" doc:"Replenishment identifier; at most one active or completed workflow per replenishment" example:"rep-110e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	WarehouseID     string              `json:"warehouseId" doc:"Warehouse to be replenished" example:"wh-001" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	SupplierID      string              `json:"supplierId" doc:"Supplier to order from" example:"sup-042" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Items           []ReplenishmentItem `json:"items" doc:"Items to be ordered" minItems:"1" maxItems:"500"`
	Options         *Options            `json:"options,omitempty" doc:"Additional options"`
	Metadata        json.RawMessage     `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// ReplenishmentItem is one position of a replenishment.
type ReplenishmentItem struct {
	ProductID string `json:"productId" doc:"Product identifier" example:"550e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Quantity  int64  `json:"quantity" doc:"Number of pieces" example:"100" minimum:"1" maximum:"1000000000"`
}

// StartRequest is the body of POST /workflows/start, which starts any template.
type StartRequest struct {
	Type        string          `json:"type" doc:"Workflow type of the template" example:"COMPENSATION_TEST" pattern:"^[A-Z][A-Z0-9_]{0,127}$"`
	BusinessKey string          `json:"businessKey" doc:"Identifier of the business object; at most one active or completed workflow per type and key" example:"test-1" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Input       json.RawMessage `json:"input" doc:"Input of the template; for a built-in type the body of its own route"`
	Options     *Options        `json:"options,omitempty" doc:"Additional options"`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"Free JSON object of the caller, at most 16 KiB and 8 levels deep"`
}

// String names what is started; the input may hold secrets.
func (r StartRequest) String() string { return r.Type + " " + r.BusinessKey }

// GoString is String, so that %#v does not show the input either.
func (r StartRequest) GoString() string { return r.String() }

// LogValue logs what is started, without its input.
func (r StartRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Options are the options of every workflow but an order, which has more.
type Options struct {
	Priority Priority `json:"priority,omitempty" doc:"Priority; NORMAL by default" example:"NORMAL" enum:"LOW,NORMAL,HIGH"`
}

// CompensationTestInput is the input of a COMPENSATION_TEST workflow: which of
// its steps fails, and how.
type CompensationTestInput struct {
	FailStep string  `json:"failStep,omitempty" doc:"Step that fails" example:"EXECUTE" enum:"PREPARE,EXECUTE,FINISH"`
	Outcome  Outcome `json:"outcome,omitempty" doc:"How it fails; REJECTED by default" example:"REJECTED" enum:"REJECTED,RETRY,UNKNOWN"`
	Code     string  `json:"code,omitempty" doc:"Error code of the failure" example:"TEST_FAILURE" maxLength:"1024"`
}

// StartedWorkflow is the answer to every start. Of the business identifiers it
// has those that the started template knows; businessKey only where no named
// one says the same.
type StartedWorkflow struct {
	WorkflowID          string      `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType        string      `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Status              Status      `json:"status" doc:"Status of the workflow" example:"STARTED" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	OrderID             string      `json:"orderId,omitempty" doc:"Order identifier" example:"ord-550e8400-e29b-41d4-a716-446655440000"`
	ReturnID            string      `json:"returnId,omitempty" doc:"Return identifier"`
	OriginalOrderID     string      `json:"originalOrderId,omitempty" doc:"Order that is returned"`
	ReplenishmentID     string      `json:"replenishmentId,omitempty" doc:"Replenishment identifier"`
	WarehouseID         string      `json:"warehouseId,omitempty" doc:"Warehouse to be replenished"`
	SupplierID          string      `json:"supplierId,omitempty" doc:"Supplier"`
	CustomerID          string      `json:"customerId,omitempty" doc:"Customer identifier" example:"cust-123e4567-e89b-12d3-a456-426614174000"`
	BusinessKey         string      `json:"businessKey,omitempty" doc:"Identifier of the business object of a custom template"`
	CurrentStep         string      `json:"currentStep,omitempty" doc:"Step that is in progress" example:"INVENTORY_RESERVATION"`
	EstimatedCompletion Time        `json:"estimatedCompletion,omitzero" doc:"When the workflow should end" example:"2024-01-15T10:30:00Z"`
	Steps               List[Step]  `json:"steps" doc:"All steps in the order of the template"`
	Saga                StartedSaga `json:"saga" doc:"The saga behind the workflow"`
	Timeline            Timeline    `json:"timeline" doc:"When things happened"`
	CreatedAt           Time        `json:"createdAt" doc:"When the workflow was accepted" example:"2024-01-15T10:00:00Z"`

	// Ended is the final status if WithWait was given and the workflow ended
	// in time; then the members above are those of that status. The client
	// sets it, it is not part of the answer.
	Ended *WorkflowStatus `json:"-"`
}

// StartedSaga is the saga as the answer to a start shows it.
type StartedSaga struct {
	SagaID           string       `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	State            SagaState    `json:"state" doc:"State of the saga" example:"ACTIVE" enum:"ACTIVE,COMPENSATING,COMPENSATION_FAILED,COMPLETED,COMPENSATED"`
	CompensationPlan List[string] `json:"compensationPlan" doc:"Compensation steps in forward order" example:"RELEASE_INVENTORY,VOID_PAYMENT,CANCEL_SHIPMENT"`
}

// Timeline says when a workflow started and when it last changed.
type Timeline struct {
	Started    Time `json:"started" doc:"When the workflow started" example:"2024-01-15T10:00:00Z"`
	LastUpdate Time `json:"lastUpdate" doc:"When it last changed" example:"2024-01-15T10:00:00Z"`
}
