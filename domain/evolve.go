package domain

import (
	"encoding/json"
	"time"
)

// Evolve applies one event. It is total and deterministic, refuses nothing, and
// leaves the State it was given as it was.
func Evolve(s State, e Event) State {
	s = s.clone()
	s.apply(e)
	return s
}

// apply changes s in place; only Evolve, Fold and the decider, which own their
// copy, may call it. Pointers inside a State are replaced, never written through.
func (s *State) apply(e Event) {
	s.Version++
	s.UpdatedAt = e.At
	switch e.Type {
	case WorkflowStarted:
		s.applyStart(e)
	case StepStarted, StepAccepted, StepExtended, StepDeferred, StepRetryPlanned, StepSucceeded, StepGaveUp, StepPassedOver, StepSucceededLate:
		if i, ok := s.Template.graph.index[e.Step]; ok {
			s.applyStep(&s.Steps[i], e)
			s.noteFailure(e)
		}
	case UndoStarted, UndoAccepted, UndoExtended, UndoDeferred, UndoRetryPlanned, UndoSucceeded, UndoGaveUp:
		if i, ok := s.Template.graph.undos[e.Step]; ok {
			s.applyStep(&s.Undos[i], e)
		}
	case CancelRequested:
		s.applyCancel(e)
	case CompensateRequested:
		s.LastRequest = e.Compensate.RequestID
		if s.Saga == SagaCompensationFailed {
			s.aimAtCancelled()
		}
	case CompensationStarted:
		s.applyCompensation(e)
	case Compensated:
		s.Saga = SagaCompensated
		c := *s.Compensation
		c.EndedAt = e.At
		s.Compensation = &c
	case WorkflowParked:
		s.Parked = &ParkedState{Reason: ParkReason(e.Reason), Step: e.Step, LastError: e.Error, Since: e.At, Until: e.Until}
		if s.compensating() {
			s.Saga = SagaCompensationFailed
		}
	case WorkflowResumed:
		s.applyResume(e)
	case WorkflowCompleted:
		s.end(Completed, e.At)
		s.Saga = SagaCompleted
	case WorkflowFailed:
		s.end(Failed, e.At)
	case WorkflowCancelled:
		s.end(Cancelled, e.At)
	}
	s.derive()
}

func (s *State) end(status Status, at time.Time) {
	s.Status, s.EndedAt, s.Parked = status, at, nil
}

// derive computes the status that follows from the rest while the workflow is active.
func (s *State) derive() {
	switch {
	case s.Status.Terminal():
	case s.Parked != nil:
		s.Status = Parked
	case s.Saga == SagaCompensating || s.Saga == SagaCompensated:
		s.Status = Compensating
		if s.Cancel != nil {
			s.Status = Cancelling
		}
	case s.Version <= 1:
		s.Status = Started
	default:
		s.Status = InProgress
		for i := range s.Steps {
			if s.Steps[i].Status == StepRetrying {
				s.Status = Retrying
			}
		}
	}
}

func (s *State) applyStart(e Event) {
	st := e.Start
	s.SagaID, s.BusinessKey, s.CustomerID, s.Priority = st.SagaID, st.BusinessKey, st.CustomerID, st.Priority
	s.Input, s.Metadata, s.Secret, s.Trace, s.Deadline = st.Input, st.Metadata, st.Secret, st.Trace, st.Deadline
	s.base = members(st.Context)
	s.simulate, _ = LookupPath(st.Input, []string{"metadata", "simulate"})
	s.StartedAt, s.Saga, s.Run = e.At, SagaActive, 1
	s.Steps = make([]StepState, len(s.Template.Steps))
	s.Undos = make([]StepState, len(s.Template.Compensations))
	for i := range s.Steps {
		s.Steps[i] = StepState{Status: StepPending, Run: 1, Key: 1}
	}
	s.clearUndos()
	for _, f := range st.First {
		if i, ok := s.Template.graph.index[f.Step]; ok {
			s.applyStep(&s.Steps[i], Event{Type: StepStarted, At: e.At, Attempt: 1, Until: f.Until})
		}
	}
}

// clearUndos makes all undos of the current run as if never sent.
func (s *State) clearUndos() {
	for i := range s.Undos {
		s.Undos[i] = StepState{Status: StepPending, Run: s.Run, Key: 1}
	}
}

// applyStep is the life of one command, forward or undo.
func (s *State) applyStep(st *StepState, e Event) {
	st.noteDeferral(e)
	switch e.Type {
	case StepStarted, UndoStarted:
		s.applySent(st, e)
	case StepAccepted, UndoAccepted:
		st.Accepted = true
	case StepExtended, UndoExtended:
		st.Deadline = e.Until
	case StepDeferred, UndoDeferred:
		st.Status, st.RetryAt, st.Deferred = StepRetrying, e.Until, true
		st.Doubt = st.Doubt || e.Outcome == Unknown
	case StepRetryPlanned, UndoRetryPlanned:
		st.Status, st.RetryAt, st.Accepted, st.Error = StepRetrying, e.Until, false, e.Error
		st.Doubt = st.Doubt || e.Outcome != Retry
	case StepSucceeded, UndoSucceeded:
		st.Status, st.CompletedAt, st.DoneSeq = StepCompleted, e.At, s.Version
		st.Doubt, st.Refused, st.Error = false, false, nil
		st.Result, st.members = e.Result, members(e.Result)
	case StepGaveUp, UndoGaveUp:
		st.CompletedAt, st.DoneSeq, st.Error, st.Waived = e.At, s.Version, e.Error, e.Waived
		st.Refused = e.Outcome == Rejected
		st.Doubt = !st.Refused && (st.Doubt || e.Outcome != Retry)
		st.Status = StepFailed
		if e.Outcome == Unknown || e.Outcome == Retry && st.Doubt {
			st.Status = StepUnknown
		}
	case StepPassedOver:
		st.Status, st.CompletedAt, st.DoneSeq = StepSkipped, e.At, s.Version
	case StepSucceededLate:
		st.Late, st.DoneSeq = true, s.Version
		st.Result, st.members = e.Result, members(e.Result)
		if e.Key > 1 { // its undo was answered before: that undo starts over under a new key
			if u := s.Template.graph.undoOf[s.Template.graph.index[e.Step]]; u >= 0 {
				s.Undos[u] = StepState{Status: StepPending, Run: s.Undos[u].Run, Key: e.Key}
			}
		}
	}
}

// noteDeferral keeps since when nothing could be sent. Being started says nothing
// about that: a command that is deferred was started too.
func (st *StepState) noteDeferral(e Event) {
	switch e.Type {
	case StepStarted, UndoStarted:
	case StepDeferred, UndoDeferred:
		if st.DeferredSince.IsZero() {
			st.DeferredSince = e.At
		}
	default:
		st.DeferredSince = time.Time{}
	}
}

func (s *State) applySent(st *StepState, e Event) {
	if st.StartedAt.IsZero() {
		st.StartedAt, st.FirstSeq = e.At, s.Version
	}
	if e.Key > st.Key {
		st.Key, st.FirstSeq = e.Key, s.Version
	}
	if !st.Deferred {
		st.Spent++
	}
	st.Status, st.Attempt, st.Deadline, st.SentSeq = StepInProgress, e.Attempt, e.Until, s.Version
	if st.Late { // it is asked again, and what it knows counts from its answer
		st.Late, st.Doubt, st.Result, st.members = false, true, nil, nil
	}
	st.Accepted, st.Deferred, st.Refused = false, false, false
	st.RetryAt, st.CompletedAt = time.Time{}, time.Time{}
}

// noteFailure remembers the first step that failed for good.
func (s *State) noteFailure(e Event) {
	if e.Type == StepGaveUp && !e.Waived && s.Failure == nil && e.Error != nil {
		s.Failure = &Failure{Step: e.Step, Error: *e.Error}
	}
}

func (s *State) applyCancel(e Event) {
	c := *e.Cancel
	if s.Cancel != nil { // repeated, now with force: the time stays that of the first
		c.At = s.Cancel.At
	}
	s.Cancel, s.LastRequest = &c, c.RequestID
	s.aimAtCancelled()
}

// aimAtCancelled makes CANCELLED the end of a compensation that was decided.
func (s *State) aimAtCancelled() {
	if s.Compensation != nil {
		comp := *s.Compensation
		comp.Goal = Cancelled
		s.Compensation = &comp
	}
}

func (s *State) applyCompensation(e Event) {
	c := e.Compensation
	if c.Run > s.Run {
		s.Run, s.EndedAt, s.Status = c.Run, time.Time{}, Compensating
	}
	late := c.Late && (c.Run > 0 || s.Compensation != nil && s.Compensation.Late)
	s.Compensation = &CompensationState{ID: c.ID, Reason: e.Reason, Goal: c.Goal, Scope: c.Scope, Late: late, StartedAt: e.At}
	if !c.Late || s.Parked == nil {
		s.Saga, s.Parked = SagaCompensating, nil
	}
	if s.Failure == nil && e.Error != nil {
		s.Failure = &Failure{Step: e.Step, Error: *e.Error}
	}
	if !c.Late { // a late success undoes again what was undone: its undo keeps its run and gets the next key
		s.clearUndos()
	}
	// Nothing forward is sent once compensation is decided: what waited for its
	// next attempt is settled here, what is in flight settles by its answer.
	for i := range s.Steps {
		if st := &s.Steps[i]; st.Status == StepRetrying {
			st.Status, st.CompletedAt, st.DoneSeq = StepFailed, e.At, s.Version
			if st.Doubt {
				st.Status = StepUnknown
			}
		}
	}
	for u, i := range s.Template.graph.stepOf {
		st := &s.Undos[u]
		switch {
		case i < 0:
		case !s.inScope(i) && (!c.Late || st.Status == StepPending):
			st.Status = StepNotApplicable
		case s.inScope(i) && st.Status == StepNotApplicable:
			st.Status = StepPending
		}
	}
}

// applyResume makes what stopped ready to go on: in the same run with the same
// keys, or in a new run with new ones.
func (s *State) applyResume(e Event) {
	r := e.Resume
	s.Resumes++
	s.ResumedAt, s.LastRequest, s.Parked = e.At, r.RequestID, nil
	if s.compensating() && r.Run == s.Run {
		s.Saga = SagaCompensating
		for i := range s.Undos {
			s.renew(&s.Undos[i], e.At)
		}
		return
	}
	newRun := r.Run > s.Run
	s.Run, s.Saga, s.Status, s.EndedAt, s.Failure, s.Compensation = r.Run, SagaActive, InProgress, time.Time{}, nil, nil
	if !s.Deadline.IsZero() && (newRun || !s.Deadline.After(e.At)) { // who goes on after the deadline gets another
		s.Deadline = e.At.Add(time.Duration(s.Template.Timeout))
	}
	fresh := s.startsOver(s.Template.graph.index[e.Step], r.Reset)
	for i := range s.Steps {
		st := &s.Steps[i]
		switch {
		case newRun && fresh[i]:
			*st = StepState{Status: StepPending, Run: s.Run, Key: 1}
		case r.Reset:
			doubt := st.MayHaveEffect() && (st.Status != StepRetrying || st.Doubt || st.Late) // RETRYING without doubt: not done so far
			*st = StepState{Status: StepPending, Run: st.Run, Key: st.Key, Doubt: doubt, Attempt: st.Attempt}
		default:
			s.renew(st, e.At)
		}
	}
	s.clearUndos()
}

// startsOver are the steps that a new run begins again: the one it resumes
// from, what is not in effect or was undone, and everything after those.
func (s *State) startsOver(from int, all bool) []bool {
	g := s.Template.graph
	fresh := make([]bool, len(s.Steps))
	for i := range s.Steps {
		undone := g.undoOf[i] >= 0 && s.Undos[g.undoOf[i]].Status == StepCompleted
		fresh[i] = all || i == from || undone || !s.Steps[i].settled()
		for j := range i {
			fresh[i] = fresh[i] || fresh[j] && g.before[i][j]
		}
	}
	return fresh
}

// renew gives a failed command a fresh budget and makes it due at once.
func (s *State) renew(st *StepState, at time.Time) {
	if st.Status == StepRetrying {
		st.Spent = 0
	}
	if st.Waived || st.Status != StepFailed && st.Status != StepUnknown {
		return
	}
	st.Status, st.RetryAt, st.Spent = StepRetrying, at, 0
}

// inScope reports whether the compensation of this run is to undo step i.
func (s *State) inScope(i int) bool {
	if s.Compensation == nil || s.Compensation.Scope == nil {
		return true
	}
	for _, j := range s.Compensation.Scope {
		if i == j {
			return true
		}
	}
	return false
}

// members are the members of a JSON object; nil if raw is not one.
func members(raw json.RawMessage) map[string]json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}
