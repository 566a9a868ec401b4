package rest

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// CallbackPath names a command by the token that authorises answering it.
type CallbackPath struct {
	Token string `path:"token" doc:"Token of the command's callback" example:"cbt_AY0Oqo0AcAGAAVVGVUQAAOo2r0bhJbbvQ5-Rzc0qS1g"`
}

// CallbackInput is a participant's later answer.
type CallbackInput struct {
	CallbackPath
	JSONBody[coordination.Answer]
}

// Resolve finds the faults that the schema cannot express. A participant's
// result may hold long strings, so their length is not bounded one by one.
func (in *CallbackInput) Resolve(huma.Context) []error {
	errs := in.scan(0)
	if in.Body.Outcome == "" && in.Body.Error != nil {
		errs = append(errs, violation("body.outcome", "is required with an error"))
	}
	return errs
}

// ReceiptOutput acknowledges a callback.
type ReceiptOutput struct {
	Body *coordination.CallbackReceipt
}

func (s *service) answerCallback(ctx context.Context, in *CallbackInput) (*ReceiptOutput, error) {
	if err := s.Answers.Answer(ctx, in.Token, participantAnswer(&in.Body)); err != nil {
		return nil, err
	}
	return s.receipt(ctx, in.Token, false), nil
}

func (s *service) sendHeartbeat(ctx context.Context, in *CallbackPath) (*ReceiptOutput, error) {
	if err := s.Answers.Heartbeat(ctx, in.Token); err != nil {
		return nil, err
	}
	return s.receipt(ctx, in.Token, true), nil
}

// participantAnswer is an answer as the domain reads it. An answer that says
// neither how it went nor what went wrong says by being sent that it went well,
// as a response with status 200 does.
func participantAnswer(a *coordination.Answer) domain.Answer {
	answer := domain.Answer{Outcome: domain.Outcome(a.Outcome), Result: orAbsent(a.Result), RetryAfter: time.Duration(a.RetryAfter)}
	if a.Outcome == "" {
		answer.Outcome = domain.Succeeded
	}
	if a.Error != nil {
		answer.Error = protocol.SafeError(a.Error.Code, a.Error.Message)
	}
	return answer
}

// receipt says which command was meant. The call has had its effect already:
// what cannot be read back now is left out.
func (s *service) receipt(ctx context.Context, token string, withDeadline bool) *ReceiptOutput {
	receipt := &coordination.CallbackReceipt{}
	id, mac, err := domain.ParseCallbackToken(token)
	if err != nil {
		return &ReceiptOutput{receipt}
	}
	snap, err := s.Queries.Workflow(ctx, id)
	if err != nil {
		return &ReceiptOutput{receipt}
	}
	state := &snap.State
	find := func(list []domain.StepState, undo bool, name func(int) string) {
		for i := range list {
			command := domain.CommandID(state.SagaID, list[i].Run, name(i), undo, list[i].Key)
			if !domain.VerifyCallbackToken(state.Secret, command, mac) {
				continue
			}
			receipt.CommandID = command
			if withDeadline {
				receipt.Deadline = coordination.At(list[i].Deadline)
			}
		}
	}
	find(state.Steps, false, func(i int) string { return state.Template.Steps[i].Name })
	find(state.Undos, true, func(i int) string { return state.Template.Compensations[i].Name })
	return &ReceiptOutput{receipt}
}
