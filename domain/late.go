package domain

import (
	"bytes"
	"encoding/json"
)

// lateAnswer handles the answer for a command that is settled: it changes
// nothing, but a success whose failure had been decided is recorded and undone.
func (d *decider) lateAnswer(t target, a Answer) error {
	if t.st.Status == StepCompleted || t.st.Late {
		if a.Outcome == Succeeded && sameJSON(a.Result, t.st.Result) {
			return nil
		}
		return ErrOtherAnswer
	}
	if t.st.Refused && a.Outcome == Rejected {
		if code(a.Error) == code(t.st.Error) {
			return nil
		}
		return ErrOtherAnswer
	}
	if a.Outcome == Succeeded && !t.undo && !t.st.Refused {
		d.lateSuccess(t, a)
	}
	return ErrNotWaiting
}

// lateSuccess records an effect that happened after the step had been given up.
// If its undo was answered already, the undo is sent once more, under a new
// key; if the compensation is over, or did not cover the step, it is opened
// again for this step, and if the workflow had even ended, in a new run that
// does nothing else.
func (d *decider) lateSuccess(t target, a Answer) {
	e := Event{Type: StepSucceededLate, Step: t.name, Result: a.Result}
	u := d.s.Template.graph.undoOf[t.index]
	if d.s.Status == Completed || d.s.Status.Terminal() && u < 0 {
		return // nothing can follow from it
	}
	if u >= 0 && d.s.Undos[u].Status == StepCompleted {
		e.Key = d.s.Undos[u].Key + 1
	}
	if u >= 0 && (d.s.Saga == SagaCompensated || !d.s.inScope(t.index)) {
		d.reopenCompensation(t)
	}
	d.emit(e)
	d.proceed()
}

// reopenCompensation makes a step that succeeded late part of what is undone.
func (d *decider) reopenCompensation(t target) {
	c := CompensationEvent{ID: "comp-" + d.moment.NewID, Goal: d.s.Compensation.Goal, Run: d.nextRun(), Late: true}
	if d.s.Saga != SagaCompensated {
		c.Scope = append(c.Scope, d.s.Compensation.Scope...)
	}
	c.Scope = append(c.Scope, t.index)
	d.emit(Event{Type: CompensationStarted, Step: t.name, Reason: d.s.Compensation.Reason, Compensation: &c})
}

// sameJSON compares two JSON values regardless of spacing and member order.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	norm := func(raw json.RawMessage) []byte {
		var v any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if len(raw) > 0 && dec.Decode(&v) != nil {
			return raw
		}
		out, _ := json.Marshal(v)
		return out
	}
	return bytes.Equal(norm(a), norm(b))
}
