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
}

// CoordinationHealth is the health of the coordinator itself.
type CoordinationHealth struct {
	Status          HealthStatus `json:"status" doc:"Status" example:"UP" enum:"UP,DEGRADED,DOWN"`
	ActiveWorkflows int64        `json:"activeWorkflows" doc:"Workflows that have not ended" example:"45"`
	StuckWorkflows  int64        `json:"stuckWorkflows" doc:"Workflows that wait for a person or that nothing would move again" example:"0"`
	Database        string       `json:"database" doc:"Whether the store answers" example:"Connected"`
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
