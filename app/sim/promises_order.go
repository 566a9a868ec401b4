package sim

import (
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// forwardSent: a step starts only after its predecessors, and never once
// compensation is decided (F1, F2, F3).
func (p *step) forwardSent(i, attempt int) {
	def := &p.story.template.Steps[i]
	st := &p.next.Steps[i]
	if p.event.Type != domain.WorkflowStarted {
		for _, j := range p.story.shape.preds[i] {
			if before := &p.prev.Steps[j]; before.Status != domain.StepCompleted && before.Status != domain.StepSkipped && !before.Waived {
				p.broken("F1", "%s is sent while %s is %s", def.Name, p.story.template.Steps[j].Name, before.Status)
			}
		}
		if p.prev.Saga != domain.SagaActive || p.prev.Parked != nil || p.prev.Status.Terminal() {
			p.broken("F2", "%s is sent while the workflow is %s and its saga %s", def.Name, p.prev.Status, p.prev.Saga)
		}
		if was := &p.prev.Steps[i]; st.Key != was.Key && !was.Refused {
			p.broken("K2", "%s gets another key although nobody refused the last", def.Name)
		}
	} else if len(p.story.shape.preds[i]) > 0 {
		p.broken("F1", "%s is sent at the start", def.Name)
	}
	if st.Spent > def.RetryPolicy.MaxAttempts {
		p.broken("F3", "attempt %d of %s in a budget of %d", st.Spent, def.Name, def.RetryPolicy.MaxAttempts)
	}
	p.sent(forwardID(p.next, p.story.template, i), def.Name, false, attempt)
}

// undoSent: an undo is sent only if its step may have had an effect, after
// everything forward has settled and everything later is undone (C1, C3, C4);
// the hook only when all that is over (C10).
func (p *step) undoSent(c int) {
	t, g := p.story.template, p.story.shape
	name := t.Compensations[c].Name
	if p.next.Undos[c].Spent > t.Compensations[c].RetryPolicy.MaxAttempts {
		p.broken("F3", "attempt %d of %s in a budget of %d", p.next.Undos[c].Spent, name, t.Compensations[c].RetryPolicy.MaxAttempts)
	}
	if g.stepOf[c] < 0 {
		if p.prev.Saga != domain.SagaCompensated {
			p.broken("C10", "the hook is sent while the saga is %s", p.prev.Saga)
		}
		p.sent(undoID(p.next, t, c), name, true, p.event.Attempt)
		return
	}
	if p.prev.Saga != domain.SagaCompensating || p.prev.Parked != nil {
		p.broken("C1", "%s is sent while the workflow is %s and its saga %s", name, p.prev.Status, p.prev.Saga)
	}
	if p.prev.Undos[c].Status == domain.StepPending && !p.toUndo(p.prev, c) {
		p.broken("C1", "%s is sent although there is nothing to undo", name)
	}
	for i := range p.prev.Steps {
		if p.prev.Steps[i].InFlight() {
			p.broken("C4", "%s is sent while %s is %s", name, t.Steps[i].Name, p.prev.Steps[i].Status)
		}
	}
	for other, j := range g.stepOf {
		if j >= 0 && g.before[j][g.stepOf[c]] && p.toUndo(p.prev, other) && p.prev.Undos[other].Status != domain.StepCompleted {
			p.broken("C4", "%s is sent while %s of a later step is %s", name, t.Compensations[other].Name, p.prev.Undos[other].Status)
		}
	}
	p.sent(undoID(p.next, t, c), name, true, p.event.Attempt)
}

// onSchedule: the next attempt is neither earlier than the policy says nor
// later than its jitter, the participant's wish or the deadline allow (F3).
func (p *step) onSchedule() {
	policy := p.policy()
	base := policy.Delay(p.prevStep().Spent, 0)
	jitter := time.Duration(0)
	if policy.Jitter != nil {
		jitter = base / 1000 * time.Duration(*policy.Jitter)
	}
	wait := p.event.Until.Sub(p.event.At)
	atDeadline := !p.next.Deadline.IsZero() && p.event.Until.Equal(p.next.Deadline)
	if wait < base && !atDeadline || wait > max(base+jitter, domain.MaxRetryAfter) {
		p.broken("F3", "%s waits %s for its next attempt; the policy says %s", p.event.Step, wait, base)
	}
}

func (p *step) policy() *domain.RetryPolicy {
	if i, ok := p.story.shape.step[p.event.Step]; ok {
		return &p.story.template.Steps[i].RetryPolicy
	}
	return &p.story.template.Compensations[p.story.shape.undo[p.event.Step]].RetryPolicy
}

// compensationStarted: after a pivot only a person's word undoes anything
// (F4), and no later effect is left standing (C9).
func (p *step) compensationStarted() {
	c := p.event.Compensation
	byHand := false
	if p.at > 0 {
		before := &p.batch[p.at-1]
		byHand = before.Type == domain.CancelRequested && before.Cancel.Force || before.Type == domain.CompensateRequested
	}
	if !byHand && !c.Late && p.pastPivot() {
		p.broken("F4", "compensation began by itself after the pivot")
	}
	if c.Scope == nil || c.Late {
		return
	}
	g := p.story.shape
	for i := range p.prev.Steps {
		if slices.Contains(c.Scope, i) || g.undoOf[i] < 0 || !p.mayHaveEffect(p.prev, i) {
			continue
		}
		for _, j := range c.Scope {
			if g.before[i][j] {
				p.broken("C9", "%s would be undone and the later %s not", p.story.template.Steps[j].Name, p.story.template.Steps[i].Name)
			}
		}
	}
}

func (p *step) pastPivot() bool {
	for i := range p.prev.Steps {
		if p.story.template.Steps[i].Kind == domain.Pivot && p.prev.Steps[i].Status == domain.StepCompleted {
			return true
		}
	}
	return false
}

// compensated: exactly what may have had an effect is undone, in the log and
// at the participants (C1, C8).
func (p *step) compensated() {
	t, g := p.story.template, p.story.shape
	late := p.lateRun()
	for c, i := range g.stepOf {
		if i < 0 {
			continue
		}
		done := p.prev.Undos[c].Status == domain.StepCompleted
		switch needed := p.toUndo(p.prev, c); {
		case needed && !done:
			p.broken("C8", "COMPENSATED while %s is %s", t.Compensations[c].Name, p.prev.Undos[c].Status)
		case !needed && done && !late && !p.mayHaveEffect(p.prev, i):
			p.broken("C1", "%s undid %s, which had no effect", t.Compensations[c].Name, t.Steps[i].Name)
		case needed && !p.oracle.sim.participants.forgetful():
			p.nothingStands(i)
		}
	}
}

// lateRun reports whether this run only undoes again what succeeded late.
func (p *step) lateRun() bool {
	for i := range p.prev.Steps {
		if p.prev.Steps[i].Late {
			return true
		}
	}
	return false
}

// nothingStands: no effect of step i is left at its participant.
func (p *step) nothingStands(i int) {
	id := forwardID(p.prev, p.story.template, i)
	if d := p.oracle.sim.participants.forward[id]; d != nil && d.done && !d.undone {
		p.broken("C11", "COMPENSATED, and the effect of %s stands", id)
	}
}

// parked: in plain sight, with a reason (I2).
func (p *step) parked() {
	parked := p.next.Parked
	switch parked.Reason {
	case domain.ParkCompensationExhausted, domain.ParkStepExhausted, domain.ParkContractError, domain.ParkMissingContext, domain.ParkMissingTemplate:
	default:
		p.broken("I2", "parked because of %q", parked.Reason)
	}
	if len(p.next.AllowedActions()) == 0 {
		p.broken("I2", "parked and nobody may do anything")
	}
	if !parked.Until.IsZero() && parked.Reason != domain.ParkStepExhausted {
		p.broken("I2", "parked for %s until %s", parked.Reason, parked.Until)
	}
}

// ended: COMPLETED means everything settled, FAILED and CANCELLED mean
// everything undone.
func (p *step) ended() {
	if p.event.Type == domain.WorkflowCompleted {
		for i := range p.prev.Steps {
			if st := &p.prev.Steps[i]; st.Status != domain.StepCompleted && st.Status != domain.StepSkipped && !st.Waived {
				p.broken("I3", "COMPLETED while %s is %s", p.story.template.Steps[i].Name, st.Status)
			}
		}
		return
	}
	if p.prev.Saga != domain.SagaCompensated {
		p.broken("C8", "%s while the saga is %s", p.event.Type, p.prev.Saga)
		return
	}
	if cancelled := p.event.Type == domain.WorkflowCancelled; cancelled != (p.prev.Compensation.Goal == domain.Cancelled) {
		p.broken("I3", "%s although the compensation was towards %s", p.event.Type, p.prev.Compensation.Goal)
	}
	p.compensated() // a success that came late, during the hook, is undone too
}
