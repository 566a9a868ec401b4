package engine

import (
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// counts are the metric increments of one change. Completed steps are counted
// when their run ends, so that a plain transition writes no counter.
func counts(before, after *domain.State, events []domain.Event) []ports.Count {
	var c tally
	c.workflowType = after.Template.Type
	if before.Status.Terminal() && !after.Status.Terminal() { // reopened: it has not ended after all
		c.add(before.EndedAt, ended(before.Status), "", -1, before.StartedAt.Sub(before.EndedAt))
	}
	for i := range events {
		e := &events[i]
		switch e.Type {
		case domain.WorkflowStarted:
			c.add(e.At, ports.CountStarted, "", 1, 0)
		case domain.StepGaveUp:
			c.add(e.At, ports.CountStepFailed, e.Step, 1, 0)
			if e.Error != nil && e.Error.Code != "" {
				c.add(e.At, ports.CountStepFailure, e.Step+"|"+e.Error.Code, 1, 0)
			}
		case domain.Compensated:
			if undidAnything(after) {
				c.add(e.At, ports.CountCompensated, counted(after.Compensation.Reason), 1, e.At.Sub(after.Compensation.StartedAt))
			}
		case domain.WorkflowParked:
			if after.Saga == domain.SagaCompensationFailed {
				c.add(e.At, ports.CountCompensationFailed, counted(after.Compensation.Reason), 1, 0)
			}
		case domain.WorkflowCompleted, domain.WorkflowFailed, domain.WorkflowCancelled:
			c.add(e.At, ended(after.Status), "", 1, e.At.Sub(after.StartedAt))
			c.steps(after, e.At)
		}
	}
	return c.list
}

// counted is a reason as counts are kept apart by it. They stay when the workflow
// is gone, and are shown to more people: what a caller wrote for people is
// counted as OTHER.
func counted(code string) string {
	if len(code) > maxCounted || strings.Trim(code, codeLetters) != "" {
		return ports.CountedOther
	}
	return code
}

const (
	maxCounted  = 128
	codeLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
)

type tally struct {
	workflowType string
	list         []ports.Count
}

func (c *tally) add(at time.Time, name ports.CountName, label string, n int64, total time.Duration) {
	c.list = append(c.list, ports.Count{Bucket: at.Truncate(time.Hour), Type: c.workflowType, Name: name, Label: label, N: n, Total: total})
}

func (c *tally) steps(s *domain.State, at time.Time) {
	for i := range s.Steps {
		if st := &s.Steps[i]; st.Status == domain.StepCompleted && st.Run == s.Run {
			c.add(at, ports.CountStepCompleted, s.Template.Steps[i].Name, 1, st.CompletedAt.Sub(st.StartedAt))
		}
	}
}

func ended(s domain.Status) ports.CountName {
	switch s {
	case domain.Completed:
		return ports.CountCompleted
	case domain.Cancelled:
		return ports.CountCancelled
	default:
		return ports.CountFailed
	}
}

func undidAnything(s *domain.State) bool {
	for c := range s.Undos {
		if s.Template.Compensations[c].Compensates != "" && s.Undos[c].Status == domain.StepCompleted {
			return true
		}
	}
	return false
}
