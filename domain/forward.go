package domain

import (
	"encoding/json"
	"time"
)

// proceed moves the workflow on as far as it can go now.
func (d *decider) proceed() {
	switch {
	case d.s.Version == 0 || d.s.Status.Terminal() || d.s.Parked != nil:
	case d.s.Saga == SagaActive:
		d.forward()
	case d.s.Saga == SagaCompensated:
		d.hook()
	default:
		d.undo()
	}
}

// settleForward lets a compensation that waits for the last forward command go on.
func (d *decider) settleForward() {
	if d.s.Saga == SagaActive || d.s.Parked != nil {
		return
	}
	for i := range d.s.Steps { // deferred after the decision: it was not sent and never will be
		if st := &d.s.Steps[i]; st.Status == StepRetrying {
			outcome := Retry
			if st.Doubt {
				outcome = Unknown
			}
			d.emit(Event{Type: StepGaveUp, Step: d.s.Template.Steps[i].Name, Attempt: st.Attempt, Outcome: outcome, Error: st.Error})
		}
	}
	d.proceed()
}

// forward starts every step whose predecessors are settled and whose time has
// come, and ends the workflow when nothing is left.
func (d *decider) forward() {
	t := d.s.Template
	done := true
	for i := range t.Steps {
		st := &d.s.Steps[i]
		switch {
		case st.settled():
		case st.Status == StepRetrying && !st.RetryAt.After(d.moment.Now), st.Status == StepPending && d.ready(i):
			if !d.startStep(i) {
				return // parked
			}
			done = done && st.settled() // a skipped step is settled at once
		default:
			done = false
		}
	}
	if done {
		d.emit(Event{Type: WorkflowCompleted})
	}
}

func (d *decider) ready(i int) bool {
	for _, p := range d.s.Template.graph.preds[i] {
		if !d.s.Steps[p].settled() {
			return false
		}
	}
	return true
}

// startStep sends step i, skips it if its condition is certainly false, or
// parks the workflow if its parameters cannot be had. It reports whether the
// workflow may go on.
func (d *decider) startStep(i int) bool {
	def, st := &d.s.Template.Steps[i], &d.s.Steps[i]
	if st.Status == StepPending {
		look := lookup(d.s.Input, d.s.Context())
		if !st.Doubt && def.Condition.Eval(look) == False {
			d.emit(Event{Type: StepPassedOver, Step: def.Name})
			return true
		}
		if _, missing := def.Parameters.Resolve(look); len(missing) > 0 {
			d.park(ParkMissingContext, def.Name, missingError(missing), 0)
			return false
		}
	}
	d.emit(d.sent(StepStarted, def.Name, st, def.Timeout))
	return true
}

// sent is the event that makes the next attempt of a command be sent.
func (d *decider) sent(kind EventType, name string, st *StepState, timeout Duration) Event {
	e := Event{Type: kind, Step: name, Attempt: st.Attempt + 1, Until: d.moment.Now.Add(time.Duration(timeout))}
	if st.Deferred {
		e.Attempt = st.Attempt
	}
	key := st.Key
	if st.Refused { // a definite refusal would only be repeated under the same key
		key++
	}
	if key > 1 {
		e.Key = key
	}
	return e
}

func missingError(missing []string) *StepError {
	return &StepError{Code: CodeMissingContext, Message: "missing: " + missing[0]}
}

// lookup resolves {{input.x}} and {{context.x}}.
func lookup(input json.RawMessage, context map[string]json.RawMessage) Lookup {
	return func(root string, path []string) (json.RawMessage, bool) {
		if len(path) == 0 {
			return nil, false
		}
		if root == "input" {
			return LookupPath(input, path)
		}
		v, ok := context[path[0]]
		if !ok || len(path) == 1 {
			return v, ok
		}
		return LookupPath(v, path[1:])
	}
}
