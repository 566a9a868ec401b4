// Package batches does one thing to many workflows: it selects them once, keeps
// what is to be done, and has it done at a bounded rate.
//
//	CreateBatch ─▶ store: the batch, its workflows in order, an audit entry
//	                 │ Wake, or a look now and then
//	Runner of any replica ── ClaimBatch, held by a lease
//	  NextItems ─▶ ports.Workflows, one request per workflow ─▶ SettleItems ─┐
//	     ▲────────────────────────────────────────────────────────────────────┘
//
// A runner may die between a request and its result. The next one asks again,
// with the same idempotency key, which follows from batch and workflow: what was
// done is answered as before, and is not done twice.
package batches

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/app/audit"
	"github.com/firstviscount/platform-coordination/ports"
)

const batchPrefix = "bat-"

// Deps are what batches stand on. Created may be nil.
type Deps struct {
	Store   ports.Batches
	Queries ports.Queries
	Clock   ports.Clock
	Entropy ports.Entropy
	// Created is told after every batch that was made.
	Created func()
}

// Service is ports.BatchJobs.
type Service struct{ Deps }

var _ ports.BatchJobs = (*Service)(nil)

// New makes a service.
func New(d Deps) *Service {
	if d.Created == nil {
		d.Created = func() {}
	}
	return &Service{d}
}

// now is the time as it is stored.
func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Millisecond) }

// kept is what is stored as the Request of a batch.
type kept struct {
	Request json.RawMessage `json:"request,omitempty"`
	// Made is the fingerprint of the request that made the batch, if that had an
	// idempotency key.
	Made string `json:"made,omitempty"`
}

// batchID is the ID of the batch that a request with an idempotency key makes:
// it follows from the scope, so that the request has its effect once however
// many replicas take it at once.
func batchID(scope string) string { return batchPrefix + wire.NamedUUID("batch "+scope).String() }

// CreateBatch makes a batch; see ports.BatchJobs.
func (s *Service) CreateBatch(ctx context.Context, r ports.BatchRequest, key *ports.IdempotencyKey) (ports.BatchReceipt, error) {
	id, what := batchPrefix+s.Entropy.UUID(), kept{Request: r.Request}
	if key != nil {
		id, what.Made = batchID(key.Scope), key.Fingerprint
		if receipt, err := s.made(ctx, id, key); !errors.Is(err, ports.ErrNotFound) {
			return receipt, err
		}
	}
	workflows, err := s.selected(ctx, r)
	if err != nil {
		return ports.BatchReceipt{}, err
	}
	request, err := json.Marshal(what)
	if err != nil {
		return ports.BatchReceipt{}, err
	}
	b := ports.Batch{ID: id, Action: r.Action, Reason: r.Reason, Request: request, PerSecond: r.PerSecond,
		CreatedAt: s.now(), Total: len(workflows)}
	if len(r.WorkflowIDs) == 0 {
		b.Filter = r.Filter
	}
	if actor, known := ports.ActorOf(ctx); known {
		b.CreatedBy, b.Role = actor.Subject, actor.Role
	}
	err = s.Store.CreateBatch(ctx, b, workflows, s.entry(ctx, &b, nil, creation{b.Action, b.Total, b.PerSecond, b.Filter}))
	if key != nil && (errors.Is(err, ports.ErrConflict) || errors.Is(err, ports.ErrOverloaded)) { // the same request at the same time
		if receipt, err := s.made(ctx, id, key); !errors.Is(err, ports.ErrNotFound) {
			return receipt, err
		}
	}
	switch {
	case errors.Is(err, ports.ErrOverloaded):
		return ports.BatchReceipt{}, ports.ErrTooManyBatches
	case err != nil:
		return ports.BatchReceipt{}, err
	}
	s.Created()
	return ports.BatchReceipt{Batch: asMade(shown(b))}, nil
}

// made answers a request that has been made before by its idempotency key.
// ErrNotFound if it has not.
func (s *Service) made(ctx context.Context, id string, key *ports.IdempotencyKey) (ports.BatchReceipt, error) {
	b, err := s.Store.Batch(ctx, id)
	if err != nil {
		return ports.BatchReceipt{}, err
	}
	what, err := keptOf(&b)
	switch {
	case err != nil:
		return ports.BatchReceipt{}, err
	case what.Made != key.Fingerprint:
		return ports.BatchReceipt{}, ports.ErrKeyReused
	}
	return ports.BatchReceipt{Batch: asMade(shown(b)), Replayed: true}, nil
}

// asMade is a batch as it was when it was made.
func asMade(b ports.Batch) ports.Batch {
	b.Status, b.EndedAt, b.Succeeded, b.Failed = ports.BatchRunning, time.Time{}, 0, 0
	if b.Total == 0 {
		b.Status, b.EndedAt = ports.BatchCompleted, b.CreatedAt
	}
	return b
}

// keptOf reads the Request of a stored batch. ports.ErrSealed if it is sealed
// with a key that is not there.
func keptOf(b *ports.Batch) (kept, error) {
	var what kept
	if len(b.Request) > 0 && b.Request[0] != '{' {
		return what, ports.ErrSealed
	}
	return what, json.Unmarshal(b.Request, &what)
}

// shown is a stored batch with the Request of its caller; none if it cannot be read.
func shown(b ports.Batch) ports.Batch {
	what, err := keptOf(&b)
	if err != nil {
		what.Request = nil
	}
	b.Request = what.Request
	return b
}

// Batch is one batch; see ports.BatchJobs.
func (s *Service) Batch(ctx context.Context, id string) (ports.Batch, error) {
	b, err := s.Store.Batch(ctx, id)
	return shown(b), err
}

// Batches pages through batches; see ports.BatchJobs.
func (s *Service) Batches(ctx context.Context, offset, limit int) ([]ports.Batch, int, error) {
	batches, total, err := s.Store.ListBatches(ctx, offset, limit)
	for i := range batches {
		batches[i] = shown(batches[i])
	}
	return batches, total, err
}

// BatchItems pages through the workflows of a batch; see ports.BatchJobs.
func (s *Service) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, int, error) {
	b, err := s.Store.Batch(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	items, err := s.Store.BatchItems(ctx, id, offset, limit)
	return items, b.Total, err
}

// CancelBatch ends a batch; see ports.BatchJobs.
func (s *Service) CancelBatch(ctx context.Context, id string) (ports.Batch, error) {
	before, err := s.Store.Batch(ctx, id)
	if err != nil || before.Status != ports.BatchRunning {
		return shown(before), err
	}
	after := before
	after.Status = ports.BatchCancelled
	b, err := s.Store.CancelBatch(ctx, id, s.now(), s.entry(ctx, &before, standing(&before), standing(&after)))
	return shown(b), err
}

// creation is what the audit tells of a new batch.
type creation struct {
	Action    string          `json:"action"`
	Total     int             `json:"total"`
	PerSecond int             `json:"perSecond"`
	Filter    json.RawMessage `json:"filter,omitempty"`
}

// progress is what the audit tells of a batch that is cancelled.
type progress struct {
	Status    ports.BatchStatus `json:"status"`
	Total     int               `json:"total"`
	Succeeded int               `json:"succeeded"`
	Failed    int               `json:"failed"`
}

func standing(b *ports.Batch) progress { return progress{b.Status, b.Total, b.Succeeded, b.Failed} }

// entry is the audit entry of a change of a batch; nil if it is on nobody's behalf.
func (s *Service) entry(ctx context.Context, b *ports.Batch, before, after any) *ports.AuditEntry {
	e := audit.Entry(ctx, s.Entropy.UUID, s.now(), b.ID, before, after)
	if e != nil {
		e.Reason = b.Reason
	}
	return e
}
