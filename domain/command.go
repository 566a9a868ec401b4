package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Command is something that happens to a workflow from outside: a person's
// request, a participant's answer, or the clock. Decide turns it into events.
type Command interface{ at(Moment) Command }

// At gives c its moment. Whoever decides calls it just before Decide, so that
// a command that had to wait is judged by the time it is handled.
func At(c Command, m Moment) Command { return c.at(m) }

// Moment is what the pure core cannot make itself: the time, and a random
// number for jitter. The same Moment and State always give the same events.
type Moment struct {
	Now    time.Time
	Random uint64
	// NewID is a fresh UUID for what this command may create (a compensation).
	NewID string
}

// Start begins a workflow.
type Start struct {
	Moment
	SagaID      string
	BusinessKey string
	CustomerID  string
	Priority    string
	Input       json.RawMessage // a JSON object
	Secret      []byte          // 16 random bytes, for callback tokens
	Trace       Trace
}

// Answer is a participant's answer to a command, or what the transport made
// of the lack of one.
type Answer struct {
	Moment
	CommandID string
	// Attempt is the attempt that was answered, or 0 where the transport does
	// not know (a callback). RETRY, UNKNOWN and DEFERRED of an earlier attempt
	// change nothing.
	Attempt int
	// HeldSince is the version at which whoever hands the answer in took the
	// workflow over, 0 if it began it. What was sent up to then may have been
	// delivered by others too: that one delivery did nothing leaves doubt.
	HeldSince  int
	Outcome    Outcome
	Result     json.RawMessage // a JSON object, or empty
	Error      *StepError
	RetryAfter time.Duration
}

// Heartbeat asks for another timeout's worth of time for an accepted command.
type Heartbeat struct {
	Moment
	CommandID string
}

// Tick tells the workflow what time it is: whatever was due happens.
type Tick struct{ Moment }

// CancelRequest asks to stop the workflow and undo what was done.
type CancelRequest struct {
	Moment        `json:"-"`
	RequestID     string          `json:"id,omitempty"`
	Reason        string          `json:"reason"`
	ReasonDetails string          `json:"details,omitempty"`
	InitiatedBy   string          `json:"by"`
	Force         bool            `json:"force,omitempty"`
	Metadata      json.RawMessage `json:"meta,omitempty"`
	At            time.Time       `json:"at"` // when it was first asked; set by Decide
}

// RetryRequest asks a PARKED or FAILED workflow to go on.
type RetryRequest struct {
	Moment
	RequestID string
	FromStep  string // empty: where it stopped
	Reset     bool
	Metadata  json.RawMessage
}

// CompensateRequest asks to undo FromStep and everything before it.
type CompensateRequest struct {
	Moment    `json:"-"`
	RequestID string          `json:"id,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	FromStep  string          `json:"from,omitempty"` // empty: everything
	Force     bool            `json:"force,omitempty"`
	Metadata  json.RawMessage `json:"meta,omitempty"`
}

func (c Start) at(m Moment) Command             { c.Moment = m; return c }
func (c Answer) at(m Moment) Command            { c.Moment = m; return c }
func (c Heartbeat) at(m Moment) Command         { c.Moment = m; return c }
func (c Tick) at(m Moment) Command              { c.Moment = m; return c }
func (c CancelRequest) at(m Moment) Command     { c.Moment = m; return c }
func (c RetryRequest) at(m Moment) Command      { c.Moment = m; return c }
func (c CompensateRequest) at(m Moment) Command { c.Moment = m; return c }

// Errors of Decide. A command that is refused changes nothing.
var (
	// ErrUnknownCommand: the answer names no command of this workflow.
	ErrUnknownCommand = errors.New("no such command")
	// ErrNotWaiting: the answer came for a command that is settled.
	ErrNotWaiting = errors.New("the step no longer waits")
	// ErrOtherAnswer: the command was answered before, and differently.
	ErrOtherAnswer = errors.New("another answer was given before")
)

// StateError refuses a request that the workflow's state does not allow.
type StateError struct {
	Status Status
	// Reason is a code for programs, such as PAST_PIVOT; Message is for people.
	Reason  string
	Message string
	// ResumesFrom is where a retry would go on, when that was the point.
	ResumesFrom string
	// LaterSteps may have effects that a partial compensation would leave standing.
	LaterSteps []string
}

func (e *StateError) Error() string { return e.Message }

// StepNameError refuses a request that names a step which the template does not have.
type StepNameError struct{ Field, Step string }

func (e *StepNameError) Error() string {
	return fmt.Sprintf("%s: the workflow has no such step", e.Field)
}
