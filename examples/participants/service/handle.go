package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// retrySoon is what a participant that is too busy or too late suggests.
const retrySoon = 100 * time.Millisecond

// reply is an answer ready for the wire.
type reply struct {
	outcome coordination.Outcome
	body    json.RawMessage
	pause   time.Duration // with RETRY
}

// Fault is a command that breaks the contract. It has no outcome: the HTTP
// status tells the coordinator that the wiring is wrong.
type Fault struct {
	Status  int
	Code    string
	Message string
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

func fault(status int, code, format string, args ...any) *Fault {
	return &Fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Codes that this package answers with.
const (
	CodeAlreadyCompensated = "ALREADY_COMPENSATED"
	CodeBusy               = "BUSY"
	CodeCallbackRequired   = "CALLBACK_REQUIRED"
	CodeDeadlinePassed     = "DEADLINE_PASSED"
	CodeForwardRequired    = "FORWARD_REQUIRED"
	CodeInvalidParameters  = "INVALID_PARAMETERS"
	CodeKeyReused          = "KEY_REUSED"
	CodeWrongDirection     = "WRONG_DIRECTION"
	CodeWrongUndo          = "WRONG_UNDO"
)

// task is a command together with what it means here.
type task struct {
	*coordination.Command
	name        string // of the action
	action      Action
	undo        bool
	fingerprint string
}

// handle answers a command. Errors are a *Fault, the end of ctx, or a ledger
// that failed, in which case the effect may have happened.
func (s *Service) handle(ctx context.Context, name string, action Action, c *coordination.Command) (reply, error) {
	t := task{Command: c, name: name, action: action, undo: action.Undo != nil && c.Direction == coordination.DirectionCompensate}
	if err := t.check(); err != nil {
		return reply{}, err
	}
	t.fingerprint = fingerprint(name, c, t.undo)
	// Doing, undoing and late effects of one execution take turns.
	unlock, err := s.book.lock(ctx, t.execution())
	if err != nil {
		return reply{}, err
	}
	defer unlock()
	return s.decide(t)
}

// check finds commands that no state of the service could make right.
func (t task) check() error {
	switch {
	case t.undo && t.Forward.CommandID == "":
		return fault(http.StatusBadRequest, CodeForwardRequired, "%s needs forward.commandId", t.name)
	case t.undo, t.action.Do != nil && (t.Direction == coordination.DirectionExecute || t.action.Hook):
		return nil
	default:
		return fault(http.StatusBadRequest, CodeWrongDirection, "%s is not an action to %s", t.name, t.Direction)
	}
}

// execution is the key of the execution that the command does or undoes.
func (t task) execution() string {
	if t.undo {
		return t.Forward.CommandID
	}
	return t.CommandID
}

// decide runs under the lock of the execution.
func (s *Service) decide(t task) (reply, error) {
	if known, ok := s.book.find(t.CommandID); ok {
		return s.replay(t, known)
	}
	if !t.undo {
		if _, ok := s.book.undoOf(t.CommandID); ok {
			return alreadyCompensated, nil
		}
	}
	if !t.Deadline.IsZero() && time.Now().After(t.Deadline.Time) {
		return replyOf(Retry(CodeDeadlinePassed, "the deadline of this attempt has passed", retrySoon))
	}
	if t.undo {
		return s.undo(t)
	}
	return s.do(t)
}

// replay answers a known key as before, unless its effect was undone since.
func (s *Service) replay(t task, known record) (reply, error) {
	if known.fingerprint != t.fingerprint {
		return reply{}, fault(http.StatusBadRequest, CodeKeyReused, "the key was used for another request")
	}
	if _, undone := s.book.undoOf(t.CommandID); undone && !t.undo {
		return alreadyCompensated, nil
	}
	if known.outcome == coordination.OutcomeAccepted {
		return s.acceptAgain(t, known)
	}
	return reply{outcome: known.outcome, body: known.answer}, nil
}

func (s *Service) do(t task) (reply, error) {
	d, err := t.action.Do(t.Command)
	if err != nil {
		return reply{}, invalidParameters(err)
	}
	if d.answer.Outcome == coordination.OutcomeRetry {
		return replyOf(d) // nothing happened, so there is nothing to remember
	}
	if d.after > 0 {
		return s.accept(t, d)
	}
	return s.write(t.entry(), d)
}

// undo finds out what there is to undo. Every path ends in an entry that names
// the execution, and from then on the execution stays undone.
func (s *Service) undo(t task) (reply, error) {
	e := t.entry()
	e.Forward = t.Forward.CommandID
	if before, ok := s.book.undoOf(e.Forward); ok {
		e.Kind = ledger.Answer
		return s.succeed(e, before.answer)
	}
	execution, known := s.book.find(e.Forward)
	if !known {
		e.Kind = ledger.Tombstone
		return s.succeed(e, succeededBody)
	}
	if execution.action != t.action.Undoes {
		return reply{}, fault(http.StatusBadRequest, CodeWrongUndo, "%s does not undo %s", t.name, execution.action)
	}
	if execution.effect == "" {
		e.Kind = ledger.Answer
		return s.succeed(e, succeededBody)
	}
	d, err := t.action.Undo(t.Command, execution.done(e.Forward))
	if err != nil {
		return reply{}, invalidParameters(err)
	}
	if d.answer.Outcome == coordination.OutcomeRetry {
		return replyOf(d)
	}
	return s.write(e, d)
}

func (r record) done(key string) Done {
	var answer coordination.Answer
	if err := json.Unmarshal(r.answer, &answer); err != nil {
		panic("service: the ledger holds an answer that is not one: " + err.Error())
	}
	return Done{CommandID: key, Result: answer.Result, Memo: r.memo}
}

func (t task) entry() ledger.Entry {
	return ledger.Entry{
		CommandID: t.CommandID, WorkflowID: t.WorkflowID, Step: t.Step,
		Action: t.name, Direction: string(t.Direction), Fingerprint: t.fingerprint,
	}
}

// succeed makes the answer of an undo durable that had nothing to do.
func (s *Service) succeed(e ledger.Entry, body json.RawMessage) (reply, error) {
	e.Outcome, e.Answer = string(coordination.OutcomeSucceeded), body
	return reply{outcome: coordination.OutcomeSucceeded, body: body}, s.record(e)
}

// write makes a final decision durable. Only then may it be answered.
func (s *Service) write(e ledger.Entry, d Decision) (reply, error) {
	if err := decideInto(&e, d); err != nil {
		return reply{}, err
	}
	return reply{outcome: d.answer.Outcome, body: e.Answer}, s.record(e)
}

func decideInto(e *ledger.Entry, d Decision) error {
	body, err := json.Marshal(d.answer)
	if err != nil {
		return err
	}
	e.Kind, e.Effect, e.Memo = ledger.Effect, d.effect, d.memo
	e.Outcome, e.Answer = string(d.answer.Outcome), body
	if d.effect == "" {
		e.Kind = ledger.Answer
	}
	return nil
}

func replyOf(d Decision) (reply, error) {
	body, err := json.Marshal(d.answer)
	return reply{outcome: d.answer.Outcome, body: body, pause: d.pause}, err
}

func invalidParameters(err error) *Fault {
	return fault(http.StatusBadRequest, CodeInvalidParameters, "%v", err)
}

// Answers that say nothing but their outcome.
var (
	succeededBody      = json.RawMessage(`{"outcome":"SUCCEEDED"}`)
	acceptedBody       = json.RawMessage(`{"outcome":"ACCEPTED"}`)
	alreadyCompensated = reply{
		outcome: coordination.OutcomeRejected,
		body:    json.RawMessage(`{"outcome":"REJECTED","error":{"code":"` + CodeAlreadyCompensated + `","message":"the step was undone before"}}`),
	}
)
