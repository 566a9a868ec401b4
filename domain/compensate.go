package domain

import "slices"

// beginCompensation decides that what was done is undone. From this event on
// nothing forward is sent; the undos start when the last forward command in
// flight has settled.
func (d *decider) beginCompensation(goal Status, reason string, scope []int, cause *StepError, step string) {
	d.emit(Event{Type: CompensationStarted, Step: step, Reason: reason, Error: cause, Compensation: &CompensationEvent{
		ID: "comp-" + d.moment.NewID, Goal: goal, Run: d.nextRun(), Scope: scope}})
	d.undo()
}

// nextRun is the run that a request opens: a new one if the last has ended.
func (d *decider) nextRun() int {
	if d.s.Status.Terminal() {
		return d.s.Run + 1
	}
	return 0
}

// applicable reports whether undo c has something to undo: its step may have
// had an effect and its condition is not certainly false.
func (d *decider) applicable(c int) bool {
	i := d.s.Template.graph.stepOf[c]
	if i < 0 || !d.s.inScope(i) || !d.s.Steps[i].MayHaveEffect() {
		return false
	}
	cond := d.s.Template.Compensations[c].Condition
	if cond.IsZero() || cond.IsLabel() { // nothing that a look-up could refute
		return true
	}
	return cond.Eval(lookup(d.s.Input, d.s.Context())) != False
}

// undo sends every undo whose time has come. An undo waits until the undos of
// all steps that came after its own have succeeded; independent branches are
// undone in parallel. When nothing is left the saga is COMPENSATED.
func (d *decider) undo() {
	if d.s.forwardInFlight() {
		return
	}
	done := true
	for c := len(d.s.Undos) - 1; c >= 0; c-- {
		st := &d.s.Undos[c]
		due := st.Status == StepPending || st.Status == StepRetrying && !st.RetryAt.After(d.moment.Now)
		switch {
		case d.s.Template.graph.stepOf[c] < 0 || st.Status == StepCompleted || st.Status == StepNotApplicable:
		case st.Status == StepPending && !d.applicable(c):
		case due && d.laterUndone(c):
			if !d.startUndo(c) {
				return // parked
			}
			done = false
		default:
			done = false
		}
	}
	if done {
		d.emit(Event{Type: Compensated})
		d.hook()
	}
}

// laterUndone is the barrier: nothing that came after c's step still stands.
func (d *decider) laterUndone(c int) bool {
	g := d.s.Template.graph
	for other, j := range g.stepOf {
		if j < 0 || other == c || !d.cameAfter(j, g.stepOf[c]) {
			continue
		}
		st := &d.s.Undos[other]
		open := st.Status != StepCompleted && st.Status != StepNotApplicable
		if open && (st.Status != StepPending || d.applicable(other)) {
			return false
		}
	}
	return true
}

// cameAfter reports whether step j depends on step i.
func (d *decider) cameAfter(j, i int) bool { return d.s.Template.graph.before[j][i] }

// startUndo sends undo c, or parks the workflow if its parameters cannot be
// had. An undo of a step whose outcome is unknown goes without what is missing:
// the participant finds the effect by the forward command's ID.
func (d *decider) startUndo(c int) bool {
	def, st := &d.s.Template.Compensations[c], &d.s.Undos[c]
	if st.Status == StepPending {
		_, missing := def.Parameters.Resolve(lookup(d.s.Input, d.s.Context()))
		if i := d.s.Template.graph.stepOf[c]; len(missing) > 0 && (i < 0 || d.s.forwardOutcome(i) == Succeeded) {
			d.park(ParkMissingContext, def.Name, missingError(missing), 0)
			return false
		}
	}
	d.emit(d.sent(UndoStarted, def.Name, st, def.Timeout))
	return true
}

// forwardOutcome is what an undo is told of the step it undoes.
func (s *State) forwardOutcome(i int) Outcome {
	if s.Steps[i].Status == StepCompleted || s.Steps[i].Late {
		return Succeeded
	}
	return Unknown
}

// undoFailed gives an undo up: the workflow is parked in plain sight. A failed
// hook changes nothing.
func (d *decider) undoFailed(t target, outcome Outcome, cause *StepError) {
	isHook := d.s.Template.graph.stepOf[t.index] < 0
	d.emit(Event{Type: UndoGaveUp, Step: t.name, Attempt: t.st.Attempt, Outcome: outcome, Error: cause})
	if isHook {
		d.proceed()
		return
	}
	if d.s.Parked != nil {
		return
	}
	reason := ParkCompensationExhausted
	if outcome == ContractError {
		reason = ParkContractError
	}
	d.park(reason, t.name, cause, 0)
}

// hook runs the template's hook once the saga is compensated, then ends the
// run. The hook's own result changes nothing.
func (d *decider) hook() {
	h := d.s.Template.graph.hook()
	if h < 0 {
		d.finish()
		return
	}
	switch st := &d.s.Undos[h]; st.Status {
	case StepPending:
		d.emit(d.sent(UndoStarted, d.s.Template.Compensations[h].Name, st, d.s.Template.Compensations[h].Timeout))
	case StepRetrying:
		if !st.RetryAt.After(d.moment.Now) {
			d.emit(d.sent(UndoStarted, d.s.Template.Compensations[h].Name, st, d.s.Template.Compensations[h].Timeout))
		}
	case StepInProgress:
	default:
		d.finish()
	}
}

func (d *decider) finish() {
	kind := WorkflowFailed
	if d.s.Compensation.Goal == Cancelled {
		kind = WorkflowCancelled
	}
	e := Event{Type: kind, Reason: d.s.Compensation.Reason}
	if f := d.s.Failure; f != nil && kind == WorkflowFailed {
		e.Step, e.Error = f.Step, &f.Error
	}
	d.emit(e)
}

// scopeOf is what compensating from a step undoes: it and everything before it.
// Steps beyond that which may have effects are included only by force.
func (s *State) scopeOf(from string, force bool) ([]int, error) {
	if from == "" {
		return nil, nil
	}
	g := s.Template.graph
	at, ok := g.index[from]
	if !ok {
		return nil, &StepNameError{Field: "fromStep", Step: from}
	}
	var scope []int
	var later []string
	for i := range s.Steps {
		switch {
		case i == at || g.before[at][i]:
			scope = append(scope, i)
		case s.Steps[i].MayHaveEffect() && g.undoOf[i] >= 0:
			later = append(later, s.Template.Steps[i].Name)
		}
	}
	switch {
	case len(later) == 0:
		return scope, nil
	case force:
		return nil, nil
	}
	return nil, &StateError{Status: s.Status, Reason: "LATER_STEPS_IN_EFFECT", LaterSteps: later,
		Message: "steps after " + from + " may have effects; set forceCompensation to undo them too"}
}

// UndoPlan is the compensation in the order it is, or would be, executed:
// reverse order of completion, steps in doubt first (they were sent last), the
// hook at the end. Undos of steps without an effect are NOT_APPLICABLE and
// stand where they would have run.
type UndoPlan []PlannedUndo

// PlannedUndo is one entry of an UndoPlan.
type PlannedUndo struct {
	Definition *Compensation
	State      StepState
}

// Plan is the compensation of the current run, or, when none was decided, what
// compensating everything now would be.
func (s *State) Plan() UndoPlan {
	d := decider{s: s.clone()}
	g := s.Template.graph
	decided := s.Compensation != nil
	var order []int
	for c, i := range g.stepOf {
		if i >= 0 && s.inScope(i) {
			order = append(order, c)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return s.undoneBefore(g.stepOf[a], g.stepOf[b]) })
	if h := g.hook(); h >= 0 {
		order = append(order, h)
	}
	plan := make(UndoPlan, 0, len(order))
	for _, c := range order {
		st := s.Undos[c]
		if !decided {
			st = StepState{Status: StepPending}
		}
		if st.Status == StepPending && g.stepOf[c] >= 0 && !d.applicable(c) {
			st.Status = StepNotApplicable
		}
		plan = append(plan, PlannedUndo{&s.Template.Compensations[c], st})
	}
	return plan
}

// undoneBefore orders two steps for their undos: a later step first; among
// independent ones the one that completed (or, in doubt, was sent) later.
func (s *State) undoneBefore(a, b int) int {
	g := s.Template.graph
	switch {
	case g.before[a][b]:
		return -1
	case g.before[b][a]:
		return 1
	}
	moment := func(i int) int { return max(s.Steps[i].DoneSeq, s.Steps[i].SentSeq) }
	if m := moment(b) - moment(a); m != 0 {
		return m
	}
	return b - a
}

// PlanFor is what a compensation from a step would undo, without doing it; the
// errors are those of the request.
func (s *State) PlanFor(from string, force bool) (UndoPlan, error) {
	scope, err := s.scopeOf(from, force)
	if err != nil {
		return nil, err
	}
	dry := s.clone()
	dry.Compensation = nil
	if scope != nil {
		dry.Compensation = &CompensationState{Scope: scope}
	}
	for c := range dry.Undos {
		dry.Undos[c] = StepState{Status: StepPending}
	}
	return dry.Plan(), nil
}
