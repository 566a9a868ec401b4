package coordination

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Protocol is the name of the protocol between coordinator and participants.
const Protocol = "saga-participant/1"

// Direction says whether a command executes a step or compensates it.
type Direction string

// The directions of a command.
const (
	DirectionExecute    Direction = "EXECUTE"
	DirectionCompensate Direction = "COMPENSATE"
)

// Outcome is a participant's answer in one word.
type Outcome string

// The outcomes of a command.
//
// SUCCEEDED: done. ACCEPTED: the answer comes later, by callback or reply.
// REJECTED: no, and the participant asserts that there was no effect; never
// retried. RETRY: known not to be done, try again. UNKNOWN: it may have
// happened; retried under the same command id, and compensated if that does not
// settle it.
const (
	OutcomeSucceeded Outcome = "SUCCEEDED"
	OutcomeAccepted  Outcome = "ACCEPTED"
	OutcomeRejected  Outcome = "REJECTED"
	OutcomeRetry     Outcome = "RETRY"
	OutcomeUnknown   Outcome = "UNKNOWN"
)

// CodeAlreadyCompensated is the error code with which a participant rejects an
// execute that arrives after its compensation.
const CodeAlreadyCompensated = "ALREADY_COMPENSATED"

// Command is what the coordinator sends to a participant.
type Command struct {
	CommandID    string          `json:"commandId" doc:"Idempotency key of the command, the same for every attempt" example:"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute"`
	WorkflowID   string          `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	SagaID       string          `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	WorkflowType string          `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Service      string          `json:"service" doc:"Participant" example:"payment-service"`
	Step         string          `json:"step" doc:"Step, or compensation step by its own name" example:"PAYMENT_PROCESSING"`
	Action       string          `json:"action" doc:"What is asked" example:"process_payment"`
	Direction    Direction       `json:"direction" doc:"Whether a step is executed or compensated" example:"EXECUTE" enum:"EXECUTE,COMPENSATE"`
	Attempt      int             `json:"attempt" doc:"Number of the attempt, from 1" example:"1"`
	Deadline     Time            `json:"deadline" doc:"When this attempt is given up" example:"2026-01-15T10:02:06Z"`
	Parameters   json.RawMessage `json:"parameters" doc:"Parameters of the step"`
	Context      json.RawMessage `json:"context" doc:"Context of the saga"`
	Callback     *Callback       `json:"callback,omitempty" doc:"Where an answer that comes later goes"`
	Forward      *Forward        `json:"forward,omitempty" doc:"The command that is undone; only in a compensation"`
}

// String names the command and its attempt; parameters and context may hold
// secrets, and the callback token is one.
func (c Command) String() string { return fmt.Sprintf("%s attempt %d", c.CommandID, c.Attempt) }

// GoString is String, so that %#v does not show more either.
func (c Command) GoString() string { return c.String() }

// LogValue logs the command by its names, without what may be secret.
func (c Command) LogValue() slog.Value {
	return slog.GroupValue(slog.String("commandId", c.CommandID), slog.String("service", c.Service),
		slog.String("action", c.Action), slog.Int("attempt", c.Attempt))
}

// Callback is where the answer to an ACCEPTED command goes. The token alone
// authorises it.
type Callback struct {
	URL   string `json:"url" doc:"Address to post the answer to"`
	Token string `json:"token" doc:"Token of the address"`
}

// Forward tells a compensation of the command it undoes.
type Forward struct {
	Step      string          `json:"step" doc:"Step that is undone" example:"PAYMENT_PROCESSING"`
	CommandID string          `json:"commandId" doc:"Command that is undone" example:"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute"`
	Outcome   Outcome         `json:"outcome" doc:"UNKNOWN if it may not have happened at all" example:"SUCCEEDED" enum:"SUCCEEDED,UNKNOWN"`
	Result    json.RawMessage `json:"result,omitempty" doc:"What the participant answered to it"`
}

// Answer is what a participant answers to a command: as the body of its HTTP
// response, of a callback, or as data of a reply event.
type Answer struct {
	CommandID  string          `json:"commandId,omitempty" doc:"Command that is answered; needed in a reply event only"`
	Attempt    int             `json:"attempt,omitempty" doc:"Attempt that is answered, as the command gave it; without it an answer that is not final is taken for doubt" example:"1"`
	Outcome    Outcome         `json:"outcome,omitempty" doc:"What became of the command; without it the HTTP status decides" example:"SUCCEEDED" enum:"SUCCEEDED,ACCEPTED,REJECTED,RETRY,UNKNOWN"`
	Result     json.RawMessage `json:"result,omitempty" doc:"JSON object whose members join the saga's context"`
	Error      *StepError      `json:"error,omitempty" doc:"Why not"`
	RetryAfter Duration        `json:"retryAfter,omitempty" doc:"With RETRY: wait at least this long" example:"PT5S"`
}

// CallbackReceipt is the answer to a callback and to a heartbeat.
type CallbackReceipt struct {
	CommandID string `json:"commandId" doc:"Command the token belongs to" example:"saga-770e8400-e29b-41d4-a716-446655440000:1:ITEM_RECEIPT:execute"`
	Deadline  Time   `json:"deadline,omitzero" doc:"With a heartbeat: until when the coordinator waits now"`
}
