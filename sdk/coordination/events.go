package coordination

// Event is an entry of a workflow's log as its status shows it.
type Event struct {
	Timestamp Time      `json:"timestamp" doc:"When it happened" example:"2024-01-15T10:00:05Z"`
	Event     EventName `json:"event" doc:"Name of the event" example:"STEP_COMPLETED"`
	Step      string    `json:"step,omitempty" doc:"Step or compensation step it is about" example:"INVENTORY_RESERVATION"`
	Details   string    `json:"details,omitempty" doc:"What happened, for people" example:"Successfully reserved inventory for all items"`
}

// SagaEvent is an entry of the same log as the saga shows it. Its first is
// named SAGA_STARTED.
type SagaEvent struct {
	Timestamp Time      `json:"timestamp" doc:"When it happened" example:"2024-01-15T10:00:05Z"`
	Event     EventName `json:"event" doc:"Name of the event" example:"STEP_COMPLETED"`
	Step      string    `json:"step,omitempty" doc:"Step or compensation step it is about" example:"INVENTORY_RESERVATION"`
	Version   int64     `json:"version" doc:"Version of the saga after the event" example:"2"`
}

// RecordedEvent is an entry of the log with its number: the element of the
// history and of the stream. Sequences of a workflow are 1, 2, 3, … without a gap.
type RecordedEvent struct {
	WorkflowID string    `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Sequence   int64     `json:"sequence" doc:"Number of the event in its workflow, from 1 without a gap" example:"2"`
	Timestamp  Time      `json:"timestamp" doc:"When it happened" example:"2024-01-15T10:00:05Z"`
	Event      EventName `json:"event" doc:"Name of the event" example:"STEP_COMPLETED"`
	Step       string    `json:"step,omitempty" doc:"Step or compensation step it is about" example:"INVENTORY_RESERVATION"`
	Details    string    `json:"details,omitempty" doc:"What happened, for people" example:"Successfully reserved inventory for all items"`
}

// EventHistory is the answer of GET /workflows/{workflowId}/events.
type EventHistory struct {
	Events     List[RecordedEvent] `json:"events" doc:"Events of the page, oldest first"`
	Pagination Pagination          `json:"pagination" doc:"Where the page stands"`
}
