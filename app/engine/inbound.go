package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Start begins a workflow; see ports.Workflows.
func (e *Engine) Start(ctx context.Context, r ports.StartRequest) (ports.Receipt, error) {
	t := e.templates.Active(r.Type)
	if t == nil {
		return ports.Receipt{}, ports.ErrNotFound
	}
	if e.held() >= e.cfg.MaxHeld {
		return ports.Receipt{}, ports.ErrOverloaded
	}
	id := "wf-" + e.entropy.UUID()
	receipt, err := e.submit(ctx, Request{WorkflowID: id, Template: t, Key: r.Key, Command: domain.Start{
		SagaID: "saga-" + e.entropy.UUID(), BusinessKey: r.BusinessKey, CustomerID: r.CustomerID, Priority: r.Priority,
		Input: r.Input, Secret: e.entropy.Secret(), Trace: r.Trace}})
	if errors.Is(err, ports.ErrBusinessKeyTaken) {
		return e.businessKeyTaken(ctx, r)
	}
	return receipt, err
}

// businessKeyTaken says who has the key, unless it was this very request
// before, by its idempotency key.
func (e *Engine) businessKeyTaken(ctx context.Context, r ports.StartRequest) (ports.Receipt, error) {
	if receipt, found, err := e.replay(ctx, r.Key); found || err != nil {
		return receipt, err
	}
	holder, err := e.store.BusinessKeyHolder(ctx, r.Type, r.BusinessKey)
	if err != nil && !errors.Is(err, ports.ErrNotFound) {
		return ports.Receipt{}, err
	}
	return ports.Receipt{}, &ports.ExistsError{WorkflowID: holder}
}

// Cancel stops a workflow; see ports.Workflows.
func (e *Engine) Cancel(ctx context.Context, id string, r domain.CancelRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	r.RequestID = e.entropy.UUID()
	return e.once(ctx, Request{WorkflowID: id, Command: r, Key: key})
}

// Retry lets a workflow go on; see ports.Workflows.
func (e *Engine) Retry(ctx context.Context, id string, r domain.RetryRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	r.RequestID = e.entropy.UUID()
	return e.once(ctx, Request{WorkflowID: id, Command: r, Key: key})
}

// Compensate undoes a saga; see ports.Workflows.
func (e *Engine) Compensate(ctx context.Context, id string, r domain.CompensateRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	r.RequestID = e.entropy.UUID()
	return e.once(ctx, Request{WorkflowID: id, Command: r, Key: key})
}

// once submits a request unless its idempotency key was used: the state it
// meets may be one that it made itself, and would now refuse it. A refusal
// counts only if the request did not take effect by another way meanwhile.
func (e *Engine) once(ctx context.Context, r Request) (ports.Receipt, error) {
	if receipt, found, err := e.replay(ctx, r.Key); found || err != nil {
		return receipt, err
	}
	receipt, err := e.submit(ctx, r)
	var refused *domain.StateError
	if errors.As(err, &refused) {
		if first, found, replayErr := e.replay(ctx, r.Key); found || replayErr != nil {
			return first, replayErr
		}
	}
	return receipt, err
}

// submit hands a request to its partition and waits for what came of it.
func (e *Engine) submit(ctx context.Context, r Request) (ports.Receipt, error) {
	if e.closed.Load() {
		return ports.Receipt{}, ports.ErrClosed
	}
	if e.requests.Add(1) > int64(e.cfg.MaxRequests) {
		e.requests.Add(-1)
		return ports.Receipt{}, ports.ErrOverloaded
	}
	defer e.requests.Add(-1)
	answer := make(chan Result, 1)
	r.Cause, r.Reply = ctx, func(res Result) { answer <- res }
	e.loopOf(r.WorkflowID).post(func(p *Partition, now time.Time) { p.Handle(now, r) })
	select {
	case res := <-answer:
		if errors.Is(res.Err, ports.ErrIdempotencyKeyTaken) {
			receipt, _, err := e.replay(ctx, r.Key)
			return receipt, err
		}
		return ports.Receipt{State: res.State}, res.Err
	case <-ctx.Done():
		return ports.Receipt{}, ctx.Err()
	case <-e.ctx.Done():
		return ports.Receipt{}, ports.ErrClosed
	}
}

// replay answers a request whose idempotency key was used before: the workflow
// as it was right after the first one took effect.
func (e *Engine) replay(ctx context.Context, key *ports.IdempotencyKey) (ports.Receipt, bool, error) {
	if key == nil {
		return ports.Receipt{}, false, nil
	}
	rec, err := e.store.Idempotency(ctx, key.Scope)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return ports.Receipt{}, false, nil
	case err != nil:
		return ports.Receipt{}, false, err
	case rec.Fingerprint != key.Fingerprint:
		return ports.Receipt{}, true, ports.ErrKeyReused
	}
	snap, err := e.Workflow(ctx, rec.WorkflowID)
	if err != nil {
		return ports.Receipt{}, true, err
	}
	events := snap.Events[:min(rec.Version, len(snap.Events))]
	state := domain.Fold(domain.New(rec.WorkflowID, snap.State.Template), events)
	return ports.Receipt{State: state, Events: events, Replayed: true}, true, nil
}

// Answer takes a participant's answer by callback token; see ports.Answers.
func (e *Engine) Answer(ctx context.Context, token string, a domain.Answer) error {
	workflowID, commandID, err := e.authorise(ctx, token)
	if err != nil {
		return err
	}
	a.CommandID = commandID
	_, err = e.submit(ctx, Request{WorkflowID: workflowID, Command: a})
	return err
}

// Reply takes a participant's answer by command ID; see ports.Replies. What
// brought it may have delivered the command twice, so that one delivery which
// did nothing proves nothing: RETRY leaves doubt.
func (e *Engine) Reply(ctx context.Context, commandID string, a domain.Answer) error {
	sagaID, _, _ := strings.Cut(commandID, ":")
	workflowID, err := e.workflowOfSaga(ctx, sagaID)
	if errors.Is(err, ports.ErrNotFound) {
		return domain.ErrUnknownCommand
	}
	if err != nil {
		return err
	}
	if a.Outcome == domain.Retry {
		a.Outcome = domain.Unknown
	}
	a.CommandID = commandID
	_, err = e.submit(ctx, Request{WorkflowID: workflowID, Command: a})
	return err
}

// workflowOfSaga finds the workflow of a saga, among those whose commands this
// replica sent without asking the store.
func (e *Engine) workflowOfSaga(ctx context.Context, sagaID string) (string, error) {
	if id, ok := e.sagas.workflow(sagaID); ok {
		return id, nil
	}
	return e.store.WorkflowOfSaga(ctx, sagaID)
}

// Heartbeat asks for more time; see ports.Answers.
func (e *Engine) Heartbeat(ctx context.Context, token string) error {
	workflowID, commandID, err := e.authorise(ctx, token)
	if err != nil {
		return err
	}
	_, err = e.submit(ctx, Request{WorkflowID: workflowID, Command: domain.Heartbeat{CommandID: commandID}})
	return err
}

// authorise finds the command that a callback token stands for.
func (e *Engine) authorise(ctx context.Context, token string) (workflowID, commandID string, err error) {
	workflowID, mac, err := domain.ParseCallbackToken(token)
	if err != nil {
		return "", "", ports.ErrUnknownToken
	}
	snap, err := e.Workflow(ctx, workflowID)
	if errors.Is(err, ports.ErrNotFound) {
		return "", "", ports.ErrUnknownToken
	}
	if err != nil {
		return "", "", err
	}
	for _, id := range snap.State.CommandIDs() {
		if domain.VerifyCallbackToken(snap.State.Secret, id, mac) {
			return workflowID, id, nil
		}
	}
	return "", "", ports.ErrUnknownToken
}
