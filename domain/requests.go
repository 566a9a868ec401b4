package domain

// cancel stops the workflow. Without force, what is in flight settles first and
// is undone too; with force it counts as unknown and the undos start now.
func (d *decider) cancel(c CancelRequest) error {
	switch {
	case d.s.Status == Completed || d.s.Status == Failed:
		return &StateError{Status: d.s.Status, Reason: "ALREADY_ENDED", Message: "the workflow is " + string(d.s.Status) + " and cannot be cancelled"}
	case d.s.Status == Cancelled, d.s.Cancel != nil && (d.s.Cancel.Force || !c.Force) && d.s.Parked == nil:
		return nil // asked before: the same answer
	case d.s.Saga == SagaActive && d.s.PastPivot() && !c.Force:
		return &StateError{Status: d.s.Status, Reason: "PAST_PIVOT", Message: "the workflow has passed its point of no return; cancel with force to undo it all the same"}
	}
	c.At, c.Reason = d.moment.Now, d.s.Redactor().Text(c.Reason)
	d.emit(Event{Type: CancelRequested, Reason: c.Reason, Cancel: &c})
	switch {
	case d.s.Saga == SagaActive:
		d.beginForced(Cancelled, d.cancelReason(c), nil, c.Force)
	case d.s.Parked != nil: // a failed compensation: try it again, towards CANCELLED
		d.emit(Event{Type: WorkflowResumed, Step: d.s.Parked.Step, Resume: &ResumeEvent{RequestID: c.RequestID, Run: d.s.Run}})
		d.proceed()
	default:
		d.forceInFlight(c.Force)
		d.proceed()
	}
	return nil
}

func (d *decider) cancelReason(c CancelRequest) string {
	if c.InitiatedBy == "CUSTOMER" {
		return ReasonCustomerCancel
	}
	return c.Reason
}

// beginForced is beginCompensation on somebody's request.
func (d *decider) beginForced(goal Status, reason string, scope []int, force bool) {
	d.emit(Event{Type: CompensationStarted, Reason: reason, Compensation: &CompensationEvent{
		ID: "comp-" + d.moment.NewID, Goal: goal, Run: d.nextRun(), Scope: scope}})
	d.forceInFlight(force)
	d.undo()
}

// forceInFlight settles what is in flight as unknown, so that it is undone
// without waiting for its answer.
func (d *decider) forceInFlight(force bool) {
	for i := range d.s.Steps {
		if st := &d.s.Steps[i]; force && st.InFlight() {
			d.emit(Event{Type: StepGaveUp, Step: d.s.Template.Steps[i].Name, Attempt: st.Attempt, Outcome: Unknown,
				Error: &StepError{Code: CodeForced, Message: "not waited for: compensation was forced"}})
		}
	}
}

// retry lets a parked or failed workflow go on.
func (d *decider) retry(r RetryRequest) error {
	if r.RequestID != "" && r.RequestID == d.s.LastRequest {
		return nil
	}
	if d.s.Status != Parked && d.s.Status != Failed {
		return &StateError{Status: d.s.Status, Reason: "NOT_RETRIABLE", Message: "only a PARKED or FAILED workflow can be retried; this one is " + string(d.s.Status)}
	}
	from := d.s.ResumesFrom()
	if r.Reset && !d.s.compensating() {
		from = d.s.Template.Steps[0].Name
	}
	if r.FromStep != "" && r.FromStep != from {
		return &StateError{Status: d.s.Status, Reason: "OTHER_STEP", ResumesFrom: from, Message: "the workflow can only go on from " + from}
	}
	run := d.s.Run
	if d.s.Status == Failed {
		run++
	}
	d.emit(Event{Type: WorkflowResumed, Step: from, Resume: &ResumeEvent{RequestID: r.RequestID, Run: run, Reset: r.Reset, Metadata: r.Metadata}})
	d.proceed()
	return nil
}

// ResumesFrom is where a retry goes on: the undo that failed, or the earliest
// step that is not in effect.
func (s *State) ResumesFrom() string {
	if s.Saga == SagaCompensationFailed && s.Parked != nil {
		return s.Parked.Step
	}
	g := s.Template.graph
	for i := range s.Steps {
		undone := g.undoOf[i] >= 0 && s.Undos[g.undoOf[i]].Status == StepCompleted
		if undone || !s.Steps[i].settled() {
			return s.Template.Steps[i].Name
		}
	}
	return s.Template.Steps[0].Name
}

// compensate undoes on a person's request.
func (d *decider) compensate(c CompensateRequest) error {
	if c.RequestID != "" && c.RequestID == d.s.LastRequest {
		return nil
	}
	c.Reason = d.s.Redactor().Text(c.Reason)
	switch {
	case d.s.Status == Failed || d.s.Status == Cancelled:
		return &StateError{Status: d.s.Status, Reason: "ALREADY_COMPENSATED", Message: "the saga was compensated already"}
	case d.s.Saga == SagaCompensationFailed:
		return d.compensateAgain(c)
	case d.s.Saga == SagaCompensating || d.s.Saga == SagaCompensated:
		if c.Force && d.s.forwardInFlight() {
			d.emit(Event{Type: CompensateRequested, Reason: c.Reason, Compensate: &c})
			d.forceInFlight(true)
			d.undo()
		}
		return nil
	}
	scope, err := d.s.scopeOf(c.FromStep, c.Force)
	if err != nil {
		return err
	}
	d.emit(Event{Type: CompensateRequested, Step: c.FromStep, Reason: c.Reason, Compensate: &c})
	d.beginForced(Cancelled, orDefault(c.Reason, ReasonManual), scope, c.Force)
	return nil
}

// compensateAgain resumes a compensation that was parked, towards CANCELLED.
// What it undoes was decided when it began.
func (d *decider) compensateAgain(c CompensateRequest) error {
	if _, err := d.s.scopeOf(c.FromStep, true); err != nil {
		return err
	}
	d.emit(Event{Type: CompensateRequested, Step: c.FromStep, Reason: c.Reason, Compensate: &c})
	d.emit(Event{Type: WorkflowResumed, Step: d.s.Parked.Step, Resume: &ResumeEvent{RequestID: c.RequestID, Run: d.s.Run}})
	d.proceed()
	return nil
}

// AllowedActions are what a person may do with a parked workflow.
func (s *State) AllowedActions() []string {
	if s.Parked == nil {
		return nil
	}
	return []string{"RETRY", "CANCEL", "COMPENSATE"}
}
