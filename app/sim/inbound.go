package sim

import (
	"context"
	"errors"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// What follows is the way in, as engine.Engine has it for its goroutines.

// start begins a workflow, once per key.
func (r *replica) start(t *domain.Template, c domain.Start, key *ports.IdempotencyKey, reply func(receipt)) {
	id := "wf-" + r.sim.uuid()
	r.part.Handle(r.clock(), engine.Request{WorkflowID: id, Template: t, Key: key, Command: c, Reply: func(res engine.Result) {
		switch {
		case errors.Is(res.Err, ports.ErrBusinessKeyTaken):
			r.replay(key, reply, func() { reply(receipt{err: &ports.ExistsError{}}) })
		case errors.Is(res.Err, ports.ErrIdempotencyKeyTaken):
			r.replay(key, reply, func() { reply(receipt{err: errBroken}) })
		default:
			reply(receipt{workflow: id, state: res.State, err: res.Err})
		}
	}})
}

// once submits a request unless its key was used.
func (r *replica) once(workflow string, c domain.Command, key *ports.IdempotencyKey, reply func(receipt)) {
	r.replay(key, reply, func() {
		r.part.Handle(r.clock(), engine.Request{WorkflowID: workflow, Command: c, Key: key, Reply: func(res engine.Result) {
			var refusal *domain.StateError
			switch {
			case errors.Is(res.Err, ports.ErrIdempotencyKeyTaken):
				r.replay(key, reply, func() { reply(receipt{err: errBroken}) })
			case errors.As(res.Err, &refusal): // unless it took effect by another way meanwhile
				r.replay(key, reply, func() { reply(receipt{workflow: workflow, err: refusal}) })
			default:
				reply(receipt{workflow: workflow, state: res.State, err: res.Err})
			}
		}})
	})
}

// replay answers a request whose key was used before, or calls fresh.
func (r *replica) replay(key *ports.IdempotencyKey, reply func(receipt), fresh func()) {
	s := r.sim
	s.after(s.disturbedDelay(), func() {
		rec, err := ports.IdempotencyRecord{}, error(errBroken)
		if !s.storeFails() {
			rec, err = s.port.Idempotency(context.Background(), key.Scope)
		}
		r.after(s.disturbedDelay(), func() {
			switch {
			case errors.Is(err, ports.ErrNotFound):
				fresh()
			case err != nil:
				reply(receipt{err: err})
			default:
				r.asOf(rec, reply)
			}
		})
	})
}

// asOf answers with the workflow as it was right after a recorded request.
func (r *replica) asOf(rec ports.IdempotencyRecord, reply func(receipt)) {
	r.read(rec.WorkflowID, func(state domain.State, events []domain.Event, _ ports.Row, err error) {
		if err == nil {
			state = domain.Fold(domain.New(rec.WorkflowID, state.Template), events[:min(rec.Version, len(events))])
		}
		reply(receipt{workflow: rec.WorkflowID, state: state, replayed: true, err: err})
	})
}

// byToken finds the command that a callback token stands for.
func (r *replica) byToken(token string, found func(workflow, command string), reply func(receipt)) {
	id, mac, err := domain.ParseCallbackToken(token)
	if err != nil {
		reply(receipt{err: ports.ErrUnknownToken})
		return
	}
	r.read(id, func(state domain.State, _ []domain.Event, _ ports.Row, err error) {
		if err != nil {
			reply(receipt{workflow: id, err: err})
			return
		}
		for _, command := range state.CommandIDs() {
			if domain.VerifyCallbackToken(state.Secret, command, mac) {
				found(id, command)
				return
			}
		}
		reply(receipt{workflow: id, err: ports.ErrUnknownToken})
	})
}
