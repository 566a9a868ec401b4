package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// HealthOutput is the health of the service: 200, or 503 without its store.
type HealthOutput struct {
	Status int
	Body   *coordination.Health
}

func (s *service) getHealth(ctx context.Context, _ *struct{}) (*HealthOutput, error) {
	body := health(s.Queries.Health(ctx))
	if w, err := s.Webhooks.WebhookHealth(ctx); err == nil && w.Subscriptions > 0 {
		body.Details.Webhooks = &coordination.WebhookHealth{Webhooks: w.Subscriptions, Disabled: w.Disabled,
			PendingDeliveries: w.Pending, OldestDueAt: coordination.At(w.OldestDue)}
	}
	status := http.StatusOK
	if body.Status == coordination.HealthDown {
		status = http.StatusServiceUnavailable
	}
	return &HealthOutput{status, body}, nil
}

func health(h ports.Health) *coordination.Health {
	store, database := up(h.StoreUp), "Connected"
	switch {
	case h.StoreReadOnly:
		database = "Takes no writes"
	case !h.StoreUp:
		database = "Unreachable"
	}
	body := &coordination.Health{Status: store, Timestamp: coordination.At(h.CheckedAt), Details: coordination.HealthDetails{
		Coordination: coordination.CoordinationHealth{Status: store, ActiveWorkflows: int64(h.Active), StuckWorkflows: int64(h.Stuck), Database: database},
		Dependencies: make(map[string]coordination.DependencyHealth, len(h.Dependencies)),
		Infrastructure: coordination.InfrastructureHealth{
			Database:     coordination.DatabaseHealth{Status: store, ConnectionPool: h.Pool},
			MessageQueue: coordination.QueueHealth{Status: up(h.BusUp), QueueDepth: int64(h.QueueDepth)},
		},
	}}
	for _, w := range h.StuckFirst {
		var actions coordination.List[coordination.Action]
		for _, a := range w.Actions {
			actions = append(actions, coordination.Action(a))
		}
		body.Details.Coordination.Stuck = append(body.Details.Coordination.Stuck, coordination.StuckWorkflow{WorkflowID: w.WorkflowID,
			WorkflowType: w.Type, Status: coordination.Status(w.Status), Step: w.Step, Reason: w.Reason, ErrorCode: w.ErrorCode,
			Since: coordination.At(w.Since), Until: coordination.At(w.Until), AllowedActions: actions})
	}
	if h.Pool == "" { // a store without connections, such as the one in memory
		body.Details.Infrastructure.Database.ConnectionPool = "0/0 active"
	}
	degraded := !h.BusUp
	for name, d := range h.Dependencies {
		shown := coordination.DependencyHealth{Status: up(d.Up)}
		if d.Up {
			shown.ResponseTime = coordination.Duration(d.ResponseTime.Round(time.Microsecond))
		}
		body.Details.Dependencies[name] = shown
		degraded = degraded || !d.Up
	}
	if h.StoreUp && degraded {
		body.Status = coordination.HealthDegraded
	}
	return body
}

func up(is bool) coordination.HealthStatus {
	if is {
		return coordination.HealthUp
	}
	return coordination.HealthDown
}

// live says that the process answers.
func live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"status":"UP"}` + "\n"))
}

// ready says whether requests can be served, and nothing else.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !s.Ready(r.Context()) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"DOWN"}` + "\n"))
		return
	}
	live(w, r)
}
