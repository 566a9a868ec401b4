package coordination

import "encoding/json"

// ActiveList is the answer of GET /workflows/active.
type ActiveList = WorkflowList

// WorkflowList is a page of workflows, of GET /workflows and GET /workflows/active.
type WorkflowList struct {
	Workflows  List[WorkflowSummary] `json:"workflows" doc:"Workflows of the page"`
	Summary    ListSummary           `json:"summary" doc:"Figures over all workflows that pass the filters"`
	Pagination Pagination            `json:"pagination" doc:"Where the page stands"`
}

// WorkflowSummary is one workflow in a list.
type WorkflowSummary struct {
	WorkflowID          string          `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType        string          `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Status              Status          `json:"status" doc:"Status of the workflow" example:"IN_PROGRESS" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CurrentStep         string          `json:"currentStep,omitempty" doc:"Step that is in progress" example:"PAYMENT_PROCESSING"`
	Progress            Percent         `json:"progress" doc:"Completed steps in percent, two decimals, half up" example:"16.67"`
	StartedAt           Time            `json:"startedAt" doc:"When the workflow started" example:"2024-01-15T10:00:00Z"`
	EstimatedCompletion Time            `json:"estimatedCompletion,omitzero" doc:"When the workflow should end; absent once it has" example:"2024-01-15T10:05:00Z"`
	CompletedAt         Time            `json:"completedAt,omitzero" doc:"When the workflow ended"`
	Metadata            json.RawMessage `json:"metadata,omitempty" doc:"Business identifiers, amounts and priority"`
}

// ListSummary holds figures over all workflows that pass the filters of a list.
type ListSummary struct {
	TotalActive          int64                `json:"totalActive" doc:"Number of active workflows" example:"45"`
	ByType               Table[string, int64] `json:"byType" doc:"Number by workflow type"`
	ByStatus             Table[Status, int64] `json:"byStatus" doc:"Number by status"`
	AverageExecutionTime Duration             `json:"averageExecutionTime" doc:"Average execution time" example:"PT3M15S"`
}

// Pagination says where a page of a list stands.
type Pagination struct {
	Page          int    `json:"page" doc:"Page number, from 0" example:"0"`
	Size          int    `json:"size" doc:"Size of a page" example:"20"`
	TotalElements int64  `json:"totalElements" doc:"Number of elements in all pages" example:"45"`
	TotalPages    int    `json:"totalPages" doc:"Number of pages" example:"3"`
	NextCursor    string `json:"nextCursor,omitempty" doc:"Give it as cursor to get the next page; absent on the last one"`
}
