package sim

import "github.com/firstviscount/platform-coordination/domain"

// ending: what each mode promises of the end.
func (o *oracle) ending(st *story) {
	s := &st.state
	switch {
	case !s.Status.Terminal() && s.Status != domain.Parked:
		o.sim.broken("I2", st.id, "%s in the end", s.Status)
	case o.sim.weather.mode == Calm && s.Status != domain.Completed:
		o.sim.broken("CALM", st.id, "%s although nothing went wrong", s.Status)
	case o.sim.weather.mode == Rejections && (s.Status != domain.Failed || s.Saga != domain.SagaCompensated):
		o.sim.broken("REJECTIONS", st.id, "%s and %s although all that happened is one rejection", s.Status, s.Saga)
	}
}

// world compares the end of a workflow with what its participants did (C11):
// COMPLETED means each effect exactly once, COMPENSATED means none is left.
func (o *oracle) world(st *story) {
	effects := o.effects(st)
	s := &st.state
	for i := range st.template.Steps {
		name, undo := st.template.Steps[i].Name, st.shape.undoOf[i]
		n := effects[name]
		switch {
		case s.Status == domain.Completed:
			o.completed(st, i, n)
		case !s.Status.Terminal() || undo < 0:
		case s.Run > 1 && conditional(&st.template.Compensations[undo].Condition): // an earlier run may have decided otherwise
		case n != 0 && st.template.Compensations[undo].Condition.Eval(lookup(s)) != domain.False:
			o.sim.broken("C11", st.id, "%s, and %s stands %d times", s.Status, name, n)
		}
	}
}

func (o *oracle) completed(st *story, i, n int) {
	name, step := st.template.Steps[i].Name, &st.state.Steps[i]
	// What has no undo, or one that did not apply, may stand from an earlier run too.
	undo := st.shape.undoOf[i]
	repeatable := st.state.Run > 1 && (undo < 0 || conditional(&st.template.Compensations[undo].Condition))
	switch {
	case step.Waived && (n <= 1 || repeatable), n > 1 && repeatable:
	case step.Waived && n > 1, step.Status == domain.StepCompleted && n != 1, step.Status == domain.StepSkipped && n != 0:
		o.sim.broken("C11", st.id, "COMPLETED, and %s (%s) stands %d times", name, step.Status, n)
	}
}

// effects counts what stands at the participants, by step.
func (o *oracle) effects(st *story) map[string]int {
	n := map[string]int{}
	for id, c := range st.commands {
		if d := o.sim.participants.forward[id]; !c.undo && d != nil && d.done && !d.undone {
			n[c.step]++
		}
	}
	return n
}

// conditional reports whether a condition can ever be certainly false.
func conditional(c *domain.Condition) bool { return !c.IsZero() && !c.IsLabel() }
