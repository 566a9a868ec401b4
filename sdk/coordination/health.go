package coordination

// Health is the answer of GET /health. It is served with status 200 while the
// service is UP or DEGRADED, with 503 when it is DOWN.
type Health struct {
	Status    HealthStatus  `json:"status" doc:"UP, DEGRADED while a dependency is down, DOWN without the store" example:"UP" enum:"UP,DEGRADED,DOWN"`
	Details   HealthDetails `json:"details" doc:"Health by part"`
	Timestamp Time          `json:"timestamp" doc:"When it was checked" example:"2024-01-15T10:15:00Z"`
}

// HealthStatus is the status of the service or of a part of it.
type HealthStatus string

// The statuses of health.
const (
	HealthUp       HealthStatus = "UP"
	HealthDegraded HealthStatus = "DEGRADED"
	HealthDown     HealthStatus = "DOWN"
)

// HealthDetails is the health by part.
type HealthDetails struct {
	Coordination   CoordinationHealth              `json:"coordination" doc:"The coordinator itself"`
	Dependencies   Table[string, DependencyHealth] `json:"dependencies" doc:"Participants by name"`
	Infrastructure InfrastructureHealth            `json:"infrastructure" doc:"What the coordinator runs on"`
	Webhooks       *WebhookHealth                  `json:"webhooks,omitempty" doc:"Webhooks and their deliveries; absent if there are no webhooks"`
}

// CoordinationHealth is the health of the coordinator itself.
type CoordinationHealth struct {
	Status          HealthStatus `json:"status" doc:"Status" example:"UP" enum:"UP,DEGRADED,DOWN"`
	ActiveWorkflows int64        `json:"activeWorkflows" doc:"Workflows that have not ended" example:"45"`
	StuckWorkflows  int64        `json:"stuckWorkflows" doc:"Workflows that wait for a person or that nothing would move again" example:"0"`
	// Stuck names those that have been stuck longest.
	Stuck    List[StuckWorkflow] `json:"stuck,omitempty" doc:"The stuck workflows that have been so longest, at most 20; absent if there are none"`
	Database string              `json:"database" doc:"Whether the store answers, and is written: Connected, Unreachable or Takes no writes" example:"Connected"`
}

// StuckWorkflow is a workflow that does not move, and why.
type StuckWorkflow struct {
	WorkflowID     string       `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType   string       `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Status         Status       `json:"status" doc:"Status of the workflow" example:"PARKED"`
	Step           string       `json:"step,omitempty" doc:"Step it stands at" example:"PAYMENT_PROCESSING"`
	Reason         string       `json:"reason" doc:"Why it is PARKED, or OVERDUE if nothing moved it when it was due" example:"STEP_EXHAUSTED"`
	ErrorCode      string       `json:"errorCode,omitempty" doc:"Error code of the last failure" example:"SYSTEM_TIMEOUT"`
	Since          Time         `json:"since" doc:"Since when" example:"2024-01-15T10:05:00Z"`
	Until          Time         `json:"until,omitzero" doc:"When it goes on by itself; absent if it waits until a person acts"`
	AllowedActions List[Action] `json:"allowedActions,omitempty" doc:"What may be asked of it" example:"RETRY,COMPENSATE,CANCEL" enum:"RETRY,COMPENSATE,CANCEL"`
}

// DependencyHealth is the health of a participant.
type DependencyHealth struct {
	Status       HealthStatus `json:"status" doc:"Status" example:"UP" enum:"UP,DEGRADED,DOWN"`
	ResponseTime Duration     `json:"responseTime,omitempty" doc:"How long its last check took; absent if it did not answer" example:"PT0.15S"`
}

// InfrastructureHealth is the health of what the coordinator runs on.
type InfrastructureHealth struct {
	Database     DatabaseHealth `json:"database" doc:"The store"`
	MessageQueue QueueHealth    `json:"messageQueue" doc:"The bus"`
}

// DatabaseHealth is the health of the store.
type DatabaseHealth struct {
	Status         HealthStatus `json:"status" doc:"Status" example:"UP" enum:"UP,DEGRADED,DOWN"`
	ConnectionPool string       `json:"connectionPool,omitempty" doc:"Connections in use of those allowed" example:"8/20 active"`
}

// QueueHealth is the health of the bus.
type QueueHealth struct {
	Status     HealthStatus `json:"status" doc:"Status" example:"UP" enum:"UP,DEGRADED,DOWN"`
	QueueDepth int64        `json:"queueDepth" doc:"Messages that wait to be sent" example:"12"`
}

// WebhookHealth is how webhooks and their deliveries stand. It does not change
// the status of the service.
type WebhookHealth struct {
	Webhooks          int  `json:"webhooks" doc:"Number of webhooks" example:"3"`
	Disabled          int  `json:"disabled" doc:"Those that the coordinator has disabled" example:"0"`
	PendingDeliveries int  `json:"pendingDeliveries" doc:"Deliveries that are not settled; exact up to 10,000" example:"2"`
	OldestDueAt       Time `json:"oldestDueAt,omitzero" doc:"Since when the oldest of them is due; absent if none is" example:"2024-01-15T10:14:59Z"`
}
