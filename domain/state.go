package domain

import (
	"encoding/json"
	"time"
)

// Status is where a workflow stands.
type Status string

// The statuses of a workflow. The last three are terminal: nothing moves such
// a workflow but a person (Retry, Compensate), who opens a new run.
const (
	Started      Status = "STARTED"
	InProgress   Status = "IN_PROGRESS"
	Retrying     Status = "RETRYING"
	Compensating Status = "COMPENSATING"
	Cancelling   Status = "CANCELLING"
	Parked       Status = "PARKED"
	Completed    Status = "COMPLETED"
	Failed       Status = "FAILED"
	Cancelled    Status = "CANCELLED"
)

// Terminal reports whether the workflow has ended.
func (s Status) Terminal() bool { return s == Completed || s == Failed || s == Cancelled }

// SagaState is where the saga of a workflow stands.
type SagaState string

// The states of a saga.
const (
	SagaActive             SagaState = "ACTIVE"
	SagaCompensating       SagaState = "COMPENSATING"
	SagaCompensationFailed SagaState = "COMPENSATION_FAILED"
	SagaCompleted          SagaState = "COMPLETED"
	SagaCompensated        SagaState = "COMPENSATED"
)

// StepStatus is where one step, or the undo of one, stands.
type StepStatus string

// The statuses of a step; NOT_APPLICABLE is for undos only.
const (
	StepPending       StepStatus = "PENDING"
	StepInProgress    StepStatus = "IN_PROGRESS"
	StepRetrying      StepStatus = "RETRYING"
	StepCompleted     StepStatus = "COMPLETED"
	StepFailed        StepStatus = "FAILED"
	StepUnknown       StepStatus = "UNKNOWN"
	StepSkipped       StepStatus = "SKIPPED"
	StepNotApplicable StepStatus = "NOT_APPLICABLE"
)

// StepError is why an attempt failed: a code from the participant (or one of
// the Code constants) and a text for people.
type StepError struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// Error codes that are ours rather than a participant's.
const (
	CodeTimeout          = "SYSTEM_TIMEOUT"
	CodeWorkflowTimeout  = "TIMEOUT_EXCEEDED"
	CodeForced           = "FORCED"
	CodeMissingContext   = "MISSING_CONTEXT"
	CodeParkExpired      = "PARK_EXPIRED"
	ReasonManual         = "MANUAL_INTERVENTION"
	ReasonCustomerCancel = "CUSTOMER_CANCELLED"
)

// StepState is one step, or one undo, of a workflow.
type StepState struct {
	Status StepStatus
	// Run and Key say which command stands for the step: every attempt of it
	// has the same key, a definite refusal that a person retries gets the next.
	Run, Key int
	// Attempt counts what was sent; Spent counts it within the current budget,
	// which a person's retry renews.
	Attempt, Spent int
	// Doubt is set once an attempt ended unknown and cleared by a definite
	// answer: a step in doubt is undone like one that succeeded.
	Doubt bool
	// Accepted: the participant will answer later; the command is not sent again before Deadline.
	Accepted bool
	// Deferred: the last attempt was not sent at all (its participant is shut off by its breaker).
	Deferred bool
	// DeferredSince is when that first happened since something was sent.
	DeferredSince time.Time
	// Waived: it failed, and its template lets the workflow go on without it.
	Waived bool
	// Late: it succeeded after its failure had been decided.
	Late bool
	// Refused: the participant's last definite answer was REJECTED.
	Refused bool
	// FirstSeq is the event that first sent the command (parameters and context
	// are those of that moment, so that all attempts are equal), SentSeq the
	// one that sent the current attempt, DoneSeq the one that settled it.
	FirstSeq, SentSeq, DoneSeq int
	StartedAt, CompletedAt     time.Time
	Deadline                   time.Time // of the attempt in flight
	RetryAt                    time.Time // when RETRYING
	Result                     json.RawMessage
	members                    map[string]json.RawMessage // of Result
	Error                      *StepError
}

// InFlight reports whether an answer or a retry of the command is still awaited.
func (st *StepState) InFlight() bool {
	return st.Status == StepInProgress || st.Status == StepRetrying
}

// FirstAttempt is the number of the first attempt of the current budget, of the
// next attempt if none was made.
func (st *StepState) FirstAttempt() int { return st.Attempt - st.Spent + 1 }

// MayHaveEffect reports whether the participant may have done what it was told.
func (st *StepState) MayHaveEffect() bool {
	return st.Status == StepCompleted || st.InFlight() || st.Doubt || st.Late
}

// settled reports whether the steps after it may start.
func (st *StepState) settled() bool {
	return st.Status == StepCompleted || st.Status == StepSkipped || st.Waived
}

// CompensationState is the compensation of the current run.
type CompensationState struct {
	ID     string
	Reason string // as in metrics
	Goal   Status // FAILED or CANCELLED
	// Scope holds the indexes of the steps to undo; nil is all of them.
	Scope []int
	// Late: the run was opened after the workflow had ended, only to undo what
	// succeeded late. It does not claim the business key.
	Late      bool
	StartedAt time.Time
	EndedAt   time.Time // zero until COMPENSATED
}

// ParkReason says why a workflow waits for a person.
type ParkReason string

// The reasons of PARKED.
const (
	ParkCompensationExhausted ParkReason = "COMPENSATION_EXHAUSTED"
	ParkStepExhausted         ParkReason = "STEP_EXHAUSTED"
	ParkContractError         ParkReason = "CONTRACT_ERROR"
	ParkMissingContext        ParkReason = "MISSING_CONTEXT"
	ParkMissingTemplate       ParkReason = "MISSING_TEMPLATE"
)

// ParkedState is what a person who finds a parked workflow needs to know.
type ParkedState struct {
	Reason    ParkReason
	Step      string
	LastError *StepError
	Since     time.Time
	Until     time.Time // when it is compensated unless somebody acts; zero: never
}

// State is a workflow and its saga: the fold of its events. It is a value;
// Evolve never changes the State it is given. Start from New.
type State struct {
	Template    *Template
	WorkflowID  string
	SagaID      string
	BusinessKey string
	CustomerID  string
	Priority    string
	Status      Status
	Saga        SagaState
	Run         int
	Resumes     int
	// Version is the number of events so far; the events are numbered 1..Version.
	Version int
	Input   json.RawMessage
	// Metadata is what lists show; never secret.
	Metadata json.RawMessage
	// Secret authenticates the callbacks of this workflow; it never leaves the service.
	Secret []byte
	// Trace is the trace that everything the workflow does belongs to.
	Trace        Trace
	Steps        []StepState
	Undos        []StepState
	Compensation *CompensationState
	Cancel       *CancelRequest
	Failure      *Failure
	Parked       *ParkedState
	LastRequest  string // ID of the last applied request of a person
	StartedAt    time.Time
	UpdatedAt    time.Time
	EndedAt      time.Time
	ResumedAt    time.Time
	Deadline     time.Time                  // of the forward part; zero: none
	base         map[string]json.RawMessage // what the context started with
	simulate     json.RawMessage
}

// Failure is the first cause of a compensation.
type Failure struct {
	Step  string
	Error StepError
}

// New is the state of a workflow before its first event.
func New(workflowID string, t *Template) State {
	return State{Template: t, WorkflowID: workflowID}
}

// Fold replays events over s.
func Fold(s State, events []Event) State {
	s = s.clone()
	for _, e := range events {
		s.apply(e)
	}
	return s
}

// clone copies what apply changes in place.
func (s State) clone() State {
	s.Steps = append([]StepState(nil), s.Steps...)
	s.Undos = append([]StepState(nil), s.Undos...)
	return s
}

// compensating reports whether compensation was decided and has not ended.
func (s *State) compensating() bool {
	return s.Saga == SagaCompensating || s.Saga == SagaCompensationFailed
}

// forwardInFlight reports whether a forward command still awaits its outcome.
func (s *State) forwardInFlight() bool {
	for i := range s.Steps {
		if s.Steps[i].InFlight() {
			return true
		}
	}
	return false
}

// PastPivot reports whether a pivot step has succeeded in the current run.
func (s *State) PastPivot() bool {
	for i := range s.Steps {
		if s.Template.Steps[i].Kind == Pivot && (s.Steps[i].Status == StepCompleted || s.Steps[i].Late) {
			return true
		}
	}
	return false
}

// CurrentStep is the step the workflow is at: the earliest forward step that is
// not settled, or, once all are, the last.
func (s *State) CurrentStep() string {
	if s.Parked != nil && s.Parked.Step != "" {
		if _, ok := s.Template.graph.index[s.Parked.Step]; ok {
			return s.Parked.Step
		}
	}
	for i := range s.Steps {
		if s.Steps[i].InFlight() {
			return s.Template.Steps[i].Name
		}
	}
	for i := range s.Steps {
		if !s.Steps[i].settled() {
			return s.Template.Steps[i].Name
		}
	}
	return s.Template.Steps[len(s.Template.Steps)-1].Name
}

// SettledSteps counts the steps that are behind the workflow.
func (s *State) SettledSteps() int {
	n := 0
	for i := range s.Steps {
		if s.Steps[i].Status == StepCompleted || s.Steps[i].Status == StepSkipped {
			n++
		}
	}
	return n
}

// WakeAt is when the workflow must be looked at again if nothing arrives
// before: the earliest deadline, retry or end of parking. Zero means that only
// a person moves it (PARKED without an end, or ended).
func (s *State) WakeAt() time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if s.Status.Terminal() {
		return at
	}
	for _, list := range [2][]StepState{s.Steps, s.Undos} {
		for i := range list {
			switch {
			case list[i].Status == StepInProgress:
				earlier(list[i].Deadline)
			case list[i].Status == StepRetrying && s.Parked == nil:
				earlier(list[i].RetryAt)
			}
		}
	}
	if s.Parked != nil {
		earlier(s.Parked.Until)
	} else if s.Saga == SagaActive {
		earlier(s.Deadline)
	}
	return at
}

// Context is what the saga knows: what the business started with and, later
// ones winning, the members of the steps' results in the order of completion.
func (s *State) Context() map[string]json.RawMessage { return s.contextAt(s.Version) }

// contextAt is the context as of event seq.
func (s *State) contextAt(seq int) map[string]json.RawMessage {
	m := make(map[string]json.RawMessage, len(s.base)+8)
	for k, v := range s.base {
		m[k] = v
	}
	last := 0
	for {
		next := -1
		for i := range s.Steps {
			d := s.Steps[i].DoneSeq
			if s.Steps[i].members != nil && d > last && d <= seq && (next < 0 || d < s.Steps[next].DoneSeq) {
				next = i
			}
		}
		if next < 0 {
			return m
		}
		for k, v := range s.Steps[next].members {
			m[k] = v
		}
		last = s.Steps[next].DoneSeq
	}
}
