package domain

import (
	"encoding/json"
	"time"
)

// EventType names what happened, as it is shown to callers.
type EventType string

// The events of a workflow. They are its truth: folding them gives its State.
const (
	WorkflowStarted   EventType = "WORKFLOW_STARTED"
	StepStarted       EventType = "STEP_STARTED" // also of a further attempt
	StepAccepted      EventType = "STEP_ACCEPTED"
	StepExtended      EventType = "STEP_EXTENDED" // a heartbeat moved the deadline
	StepDeferred      EventType = "STEP_DEFERRED" // not sent: the participant is shut off for now
	StepRetryPlanned  EventType = "STEP_RETRYING"
	StepSucceeded     EventType = "STEP_COMPLETED"
	StepGaveUp        EventType = "STEP_FAILED"
	StepPassedOver    EventType = "STEP_SKIPPED"
	StepSucceededLate EventType = "STEP_LATE_SUCCESS"

	CancelRequested     EventType = "CANCEL_REQUESTED"
	CompensateRequested EventType = "COMPENSATE_REQUESTED"
	CompensationStarted EventType = "COMPENSATION_STARTED"
	UndoStarted         EventType = "COMPENSATION_STEP_STARTED"
	UndoAccepted        EventType = "COMPENSATION_STEP_ACCEPTED"
	UndoExtended        EventType = "COMPENSATION_STEP_EXTENDED"
	UndoDeferred        EventType = "COMPENSATION_STEP_DEFERRED"
	UndoRetryPlanned    EventType = "COMPENSATION_STEP_RETRYING"
	UndoSucceeded       EventType = "COMPENSATION_STEP_COMPLETED"
	UndoGaveUp          EventType = "COMPENSATION_STEP_FAILED"
	Compensated         EventType = "SAGA_COMPENSATED"

	WorkflowParked    EventType = "WORKFLOW_PARKED"
	WorkflowResumed   EventType = "WORKFLOW_RESUMED"
	WorkflowCompleted EventType = "WORKFLOW_COMPLETED"
	WorkflowFailed    EventType = "WORKFLOW_FAILED"
	WorkflowCancelled EventType = "WORKFLOW_CANCELLED"
)

// Terminal reports whether e ends a run.
func (e EventType) Terminal() bool {
	return e == WorkflowCompleted || e == WorkflowFailed || e == WorkflowCancelled
}

// Outcome is what an answer, or the lack of one, says about a command.
type Outcome string

// The outcomes of a command. The last three are ours: a participant never sends them.
const (
	Succeeded     Outcome = "SUCCEEDED"
	Accepted      Outcome = "ACCEPTED"
	Rejected      Outcome = "REJECTED"       // the participant asserts: no effect
	Retry         Outcome = "RETRY"          // known not done
	Unknown       Outcome = "UNKNOWN"        // may have happened
	ContractError Outcome = "CONTRACT_ERROR" // the wiring is wrong; may have happened
	Deferred      Outcome = "DEFERRED"       // not sent at all
	Sent          Outcome = "SENT"           // on its way, nothing is known yet; no answer, so nothing is decided on it
)

// Event is one thing that happened to a workflow. One struct for all types
// keeps the log compact; each type fills only what its comment in apply uses.
// The JSON names are short because every transition writes them.
type Event struct {
	Type    EventType       `json:"e"`
	At      time.Time       `json:"t"`
	Step    string          `json:"s,omitempty"` // step or undo
	Attempt int             `json:"n,omitempty"`
	Key     int             `json:"k,omitempty"` // number of the command's key, when not the first
	Until   time.Time       `json:"u,omitzero"`  // deadline, retry time or end of parking
	Outcome Outcome         `json:"o,omitempty"`
	Result  json.RawMessage `json:"r,omitempty"`
	Error   *StepError      `json:"x,omitempty"`
	Reason  string          `json:"why,omitempty"`
	Waived  bool            `json:"w,omitempty"` // the workflow goes on without the step

	Start        *StartEvent        `json:"start,omitempty"`
	Cancel       *CancelRequest     `json:"cancel,omitempty"`
	Compensate   *CompensateRequest `json:"compensate,omitempty"`
	Compensation *CompensationEvent `json:"comp,omitempty"`
	Resume       *ResumeEvent       `json:"resume,omitempty"`
}

// StartEvent is what WORKFLOW_STARTED adds.
type StartEvent struct {
	SagaID      string          `json:"saga"`
	BusinessKey string          `json:"key,omitempty"`
	CustomerID  string          `json:"customer,omitempty"`
	Priority    string          `json:"prio,omitempty"`
	Input       json.RawMessage `json:"in"`
	Context     json.RawMessage `json:"ctx,omitempty"`
	Metadata    json.RawMessage `json:"meta,omitempty"`
	Secret      []byte          `json:"sec"`
	Trace       Trace           `json:"trace,omitzero"`
	Deadline    time.Time       `json:"dl,omitzero"`
	// First holds the steps that start with the workflow and their deadlines.
	First []FirstStep `json:"first,omitempty"`
}

// Trace is the W3C trace context (https://www.w3.org/TR/trace-context/) of the
// request that started a workflow, zero if it had none. No rule looks at it. It
// is in the log so that every replica, as long as the workflow lives, goes on in
// the same trace.
type Trace struct {
	Parent string `json:"p,omitempty"` // the header traceparent
	State  string `json:"s,omitempty"` // the header tracestate
}

// FirstStep is a step that starts with its workflow.
type FirstStep struct {
	Step  string    `json:"s"`
	Until time.Time `json:"u"`
}

// CompensationEvent is what COMPENSATION_STARTED adds.
type CompensationEvent struct {
	ID    string `json:"id"`
	Goal  Status `json:"goal"`
	Run   int    `json:"run,omitempty"` // the run it opens, if it opens one
	Scope []int  `json:"scope,omitempty"`
	// Late: opened by a success that arrived after the end; only its step is undone again.
	Late bool `json:"late,omitempty"`
}

// ResumeEvent is what WORKFLOW_RESUMED adds.
type ResumeEvent struct {
	RequestID string `json:"id,omitempty"`
	Run       int    `json:"run"`
	// Reset: start again from the first step with an empty context.
	Reset    bool            `json:"reset,omitempty"`
	Metadata json.RawMessage `json:"meta,omitempty"`
}
