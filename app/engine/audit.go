package engine

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// audited is the entry of a request that changed a workflow on somebody's
// behalf; nil of what nobody asked for, such as answers and timers.
func (p *Partition) audited(r *Request, before, after *domain.State, now time.Time) *ports.AuditEntry {
	if r.Cause == nil {
		return nil
	}
	reason, asked := reasonOf(r.Command)
	actor, known := ports.ActorOf(r.Cause)
	if !asked || !known {
		return nil
	}
	reason = cmp.Or(actor.Reason, reason)
	e := &ports.AuditEntry{ID: "aud-" + p.world.UUID(), At: now, Subject: actor.Subject, Role: actor.Role, Action: actor.Operation,
		Target: after.WorkflowID, Reason: after.Redactor().Text(reason), RequestID: actor.RequestID, TraceID: actor.TraceID, After: standing(after)}
	if before.Version > 0 {
		e.Before = standing(before)
	}
	return e
}

// reasonOf is the code that a person gave as the reason; false for what no
// person asks for.
func reasonOf(c domain.Command) (reason string, asked bool) {
	switch c := c.(type) {
	case domain.Start, domain.RetryRequest:
		return "", true
	case domain.CancelRequest:
		return c.Reason, true
	case domain.CompensateRequest:
		return c.Reason, true
	}
	return "", false
}

// standing is where a workflow stands, without anything of its business.
func standing(s *domain.State) json.RawMessage {
	text, _ := json.Marshal(struct { // texts and a number always can be
		Status  domain.Status    `json:"status"`
		Saga    domain.SagaState `json:"saga"`
		Step    string           `json:"currentStep,omitempty"`
		Run     int              `json:"run"`
		Version int              `json:"version"`
	}{s.Status, s.Saga, s.CurrentStep(), s.Run, s.Version})
	return text
}
