package engine

import (
	"cmp"
	"time"

	"github.com/firstviscount/platform-coordination/app/audit"
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
	if !asked {
		return nil
	}
	var was any
	if before.Version > 0 {
		was = standing(before)
	}
	e := audit.Entry(r.Cause, p.world.UUID, now, after.WorkflowID, was, standing(after))
	if e != nil {
		e.Reason = after.Redactor().Text(cmp.Or(e.Reason, reason))
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

// stand is where a workflow stands, without anything of its business.
type stand struct {
	Status  domain.Status    `json:"status"`
	Saga    domain.SagaState `json:"saga"`
	Step    string           `json:"currentStep,omitempty"`
	Run     int              `json:"run"`
	Version int              `json:"version"`
}

func standing(s *domain.State) stand {
	return stand{s.Status, s.Saga, s.CurrentStep(), s.Run, s.Version}
}
