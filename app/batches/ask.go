package batches

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// ask is what every workflow of a batch is asked.
type ask struct {
	action, reason string
	coordination.BatchItemRequest
}

func newAsk(action, reason string, request json.RawMessage) (ask, error) {
	a := ask{action: action, reason: reason}
	if _, known := operations[action]; !known {
		return a, fmt.Errorf("batches: no action %q", action)
	}
	if len(request) > 0 {
		if err := json.Unmarshal(request, &a.BatchItemRequest); err != nil {
			return a, fmt.Errorf("batches: the request cannot be read: %w", err)
		}
	}
	return a, nil
}

// operations are what the audit calls the actions: the same as when somebody
// asks one workflow.
var operations = map[string]string{
	ports.BatchRetry: "retryWorkflow", ports.BatchCancel: "cancelWorkflow", ports.BatchCompensate: "compensateSaga",
}

func (a *ask) retry() domain.RetryRequest {
	return domain.RetryRequest{FromStep: a.FromStep, Reset: a.ResetState, Metadata: a.Metadata}
}

func (a *ask) cancel() domain.CancelRequest {
	return domain.CancelRequest{Reason: cmp.Or(a.Reason, a.reason), ReasonDetails: a.ReasonDetails,
		InitiatedBy: cmp.Or(a.InitiatedBy, coordination.DefaultBatchInitiator), Force: a.Force, Metadata: a.Metadata}
}

func (a *ask) compensate() domain.CompensateRequest {
	return domain.CompensateRequest{Reason: cmp.Or(a.Reason, a.reason), FromStep: a.FromStep, Force: a.ForceCompensation, Metadata: a.Metadata}
}

// command is what is asked, as the domain takes it.
func (a *ask) command(at domain.Moment) domain.Command {
	switch a.action {
	case ports.BatchRetry:
		r := a.retry()
		r.Moment = at
		return r
	case ports.BatchCancel:
		r := a.cancel()
		r.Moment = at
		return r
	default:
		r := a.compensate()
		r.Moment = at
		return r
	}
}

// of asks one workflow.
func (a *ask) of(ctx context.Context, w ports.Workflows, workflowID string, key *ports.IdempotencyKey) (err error) {
	switch a.action {
	case ports.BatchRetry:
		_, err = w.Retry(ctx, workflowID, a.retry(), key)
	case ports.BatchCancel:
		_, err = w.Cancel(ctx, workflowID, a.cancel(), key)
	default:
		_, err = w.Compensate(ctx, workflowID, a.compensate(), key)
	}
	return err
}

// itemKey is the idempotency key with which a batch asks a workflow: the same
// whoever asks and however often.
func itemKey(batchID, workflowID string) *ports.IdempotencyKey {
	return &ports.IdempotencyKey{Scope: digest("batch item\x00" + batchID + "\x00" + workflowID), Fingerprint: digest(batchID)}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// onBehalf says for whom a batch asks: whoever made it, and why. The batch
// stands for the request.
func onBehalf(ctx context.Context, b *ports.Batch) context.Context {
	return ports.WithActor(ctx, ports.Actor{Subject: b.CreatedBy, Role: b.Role, Operation: operations[b.Action], RequestID: b.ID, Reason: b.Reason})
}

// passes reports errors that say nothing of the workflow: it can be asked again later.
func passes(err error) bool {
	return slices.ContainsFunc([]error{ports.ErrOverloaded, ports.ErrUnavailable, ports.ErrClosed, ports.ErrConflict,
		context.DeadlineExceeded, context.Canceled}, func(target error) bool { return errors.Is(err, target) })
}

// expected reports errors that a workflow may answer with.
func expected(err error) bool {
	code, _ := refusal(err)
	return code != string(coordination.ErrInternal)
}

// refusal is why a workflow did not do as it was asked: the code that the API
// would answer with, and words that are safe to show.
func refusal(err error) (code, message string) {
	var state *domain.StateError
	var step *domain.StepNameError
	switch {
	case errors.As(err, &state):
		return string(coordination.ErrInvalidWorkflowState), state.Message
	case errors.As(err, &step):
		return string(coordination.ErrInvalidRequest), step.Error()
	case errors.Is(err, ports.ErrNotFound):
		return string(coordination.ErrWorkflowNotFound), "there is no such workflow"
	}
	return string(coordination.ErrInternal), "internal error"
}
