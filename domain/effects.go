package domain

import (
	"encoding/json"
	"time"
)

// Dispatch is a command to a participant that the state of a workflow calls
// for. It must not be sent before the events that led to it are committed; it
// may be sent again at any time, since its ID is the participant's idempotency key.
type Dispatch struct {
	WorkflowID   string
	SagaID       string
	WorkflowType string
	CommandID    string
	Service      string
	Step         string
	Action       string
	Undo         bool
	Attempt      int
	FirstAttempt int // of the budget that Attempt is in; a person's retry begins another
	Deadline     time.Time
	Parameters   json.RawMessage
	Context      json.RawMessage
	Token        string          // for callbacks; authorises answering this one command
	Forward      *ForwardRef     // of an undo
	Simulate     json.RawMessage // input.metadata.simulate; only simulated participants look at it
	Repeats      int             // how often whoever sends it has sent this attempt before
	Trace        Trace           // of the workflow
}

// ForwardRef tells an undo of the command it undoes.
type ForwardRef struct {
	Step      string
	CommandID string
	Outcome   Outcome // SUCCEEDED or UNKNOWN
	Result    json.RawMessage
}

// Effects are the commands that s calls for and that were not called for at
// version since: after a commit, pass the version before it; after a crash,
// pass 0 and get everything that is still unanswered. A command whose
// participant promised to answer later is not sent again.
func Effects(s State, since int) []Dispatch {
	if s.Status.Terminal() {
		return nil
	}
	var out []Dispatch
	for i := range s.Steps {
		if st := &s.Steps[i]; st.Status == StepInProgress && !st.Accepted && st.SentSeq > since {
			def := &s.Template.Steps[i]
			id := CommandID(s.SagaID, st.Run, def.Name, false, st.Key)
			out = append(out, s.dispatch(st, id, def.Name, def.Service, def.Action, def.Parameters))
		}
	}
	for c := range s.Undos {
		if st := &s.Undos[c]; st.Status == StepInProgress && !st.Accepted && st.SentSeq > since {
			def := &s.Template.Compensations[c]
			id := CommandID(s.SagaID, st.Run, def.Name, true, st.Key)
			e := s.dispatch(st, id, def.Name, def.Service, def.Action, def.Parameters)
			e.Undo = true
			e.Forward = s.forwardRef(s.Template.graph.stepOf[c])
			out = append(out, e)
		}
	}
	return out
}

// Unanswered reports whether Effects from 0 are any: a command is out and its
// participant has not yet answered in any way.
func (s *State) Unanswered() bool {
	for _, list := range [2][]StepState{s.Steps, s.Undos} {
		for i := range list {
			if list[i].Status == StepInProgress && !list[i].Accepted {
				return true
			}
		}
	}
	return false
}

func (s *State) dispatch(st *StepState, id, name, service, action string, p Parameters) Dispatch {
	context := s.contextAt(st.FirstSeq)
	parameters, _ := p.Resolve(lookup(s.Input, context))
	raw, err := json.Marshal(context)
	if err != nil { // every value was parsed from JSON
		raw = []byte("{}")
	}
	e := Dispatch{WorkflowID: s.WorkflowID, SagaID: s.SagaID, WorkflowType: s.Template.Type, Service: service, Step: name,
		Action: action, Attempt: st.Attempt, Deadline: st.Deadline, Parameters: parameters, Context: raw}
	e.CommandID, e.Token = id, CallbackToken(s.Secret, s.WorkflowID, id)
	e.FirstAttempt, e.Simulate, e.Trace = st.FirstAttempt(), s.simulate, s.Trace
	return e
}

func (s *State) forwardRef(i int) *ForwardRef {
	if i < 0 {
		return nil
	}
	st := &s.Steps[i]
	return &ForwardRef{Step: s.Template.Steps[i].Name, CommandID: CommandID(s.SagaID, st.Run, s.Template.Steps[i].Name, false, st.Key),
		Outcome: s.forwardOutcome(i), Result: st.Result}
}

// CommandIDs are the commands that callbacks may be for: those that stand for
// the steps and undos now.
func (s *State) CommandIDs() []string {
	var ids []string
	for i := range s.Steps {
		if s.Steps[i].Attempt > 0 {
			ids = append(ids, CommandID(s.SagaID, s.Steps[i].Run, s.Template.Steps[i].Name, false, s.Steps[i].Key))
		}
	}
	for c := range s.Undos {
		if s.Undos[c].Attempt > 0 {
			ids = append(ids, CommandID(s.SagaID, s.Undos[c].Run, s.Template.Compensations[c].Name, true, s.Undos[c].Key))
		}
	}
	return ids
}
