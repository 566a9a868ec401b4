package service

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Definition is a service: its name in the templates and its actions by name.
type Definition struct {
	Name    string
	Actions map[string]Action
}

// Action is one thing a service can do or undo. Both functions decide only:
// they are called at most once at a time for one execution, and what they
// decide has happened as soon as it is in the ledger. They must derive every
// identifier from the command (see ID), so that a decision lost in a crash is
// the same when it is taken again.
type Action struct {
	// Do decides about an EXECUTE command. An error is the caller's mistake,
	// such as a missing parameter, and must not quote the parameters.
	Do func(*coordination.Command) (Decision, error)
	// Undo decides about a COMPENSATE command, given what was done. It is
	// called only if there is something to undo, and decides for now: an undo
	// does not answer later.
	Undo func(*coordination.Command, Done) (Decision, error)
	// Undoes is the action that Undo undoes.
	Undoes string
	// Hook marks an action that a compensation may ask for as well, although
	// it undoes nothing: telling the customer, for example.
	Hook bool
}

// Done is an effect that happened, as the service remembers it.
type Done struct {
	CommandID string
	// Result is the result that was answered, a JSON object.
	Result json.RawMessage
	Memo   string
}

// Decision is what a business function decided about a command.
type Decision struct {
	answer coordination.Answer
	effect string
	memo   string
	after  time.Duration // with SUCCEEDED or REJECTED: until then
	pause  time.Duration // with RETRY: what to wait
}

// Succeed decides for an effect. The result must be encodable as a JSON object.
func Succeed(effect string, result any) (Decision, error) {
	encoded, err := json.Marshal(result)
	if err != nil {
		return Decision{}, fmt.Errorf("encode result: %w", err)
	}
	return Decision{effect: effect, answer: coordination.Answer{Outcome: coordination.OutcomeSucceeded, Result: encoded}}, nil
}

// Reject decides for a business no: no effect, now or later.
func Reject(code, message string) Decision {
	return Decision{answer: coordination.Answer{
		Outcome: coordination.OutcomeRejected,
		Error:   &coordination.StepError{Code: code, Message: message},
	}}
}

// Retry decides for not now: another attempt may do it.
func Retry(code, message string, after time.Duration) Decision {
	return Decision{pause: after, answer: coordination.Answer{
		Outcome:    coordination.OutcomeRetry,
		Error:      &coordination.StepError{Code: code, Message: message},
		RetryAfter: coordination.Duration(after),
	}}
}

// Remember attaches what the undo will need and the result does not tell.
func (d Decision) Remember(memo string) Decision {
	d.memo = memo
	return d
}

// After postpones the effect: the command is answered ACCEPTED now, and the
// decision goes to the callback once it took effect.
func (d Decision) After(delay time.Duration) Decision {
	d.after = delay
	return d
}
