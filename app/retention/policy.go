package retention

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Policy says how long things are kept after their end; zero is for ever.
type Policy struct {
	// Completed, Failed and Cancelled are for workflows that ended so, with their
	// events, idempotency records and deliveries.
	Completed time.Duration
	Failed    time.Duration
	Cancelled time.Duration
	// Deliveries is for settled deliveries to webhooks, from the event on. Those
	// of a workflow go with it at the latest.
	Deliveries time.Duration
	// Audit is for audit entries.
	Audit time.Duration
	// Batches is for batches, from their end on.
	Batches time.Duration
}

// IdempotencyKept is how long an idempotency key is known at least. When it is
// older, it is known for as long as its workflow is active.
const IdempotencyKept = 7 * 24 * time.Hour

// Store is the part of a store that is swept.
type Store interface {
	ports.Purger
	PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error)
}

// Removed is what one step has removed.
type Removed struct {
	Kind   Kind
	Status domain.Status // of workflows; "" of everything else
	N      int
}

// Kind is what a step removes.
type Kind string

// The kinds of what is removed.
const (
	Workflows   Kind = "workflows"
	Deliveries  Kind = "deliveries"
	Audit       Kind = "audit"
	Batches     Kind = "batches"
	Idempotency Kind = "idempotency"
)

// part is what has one age.
type part struct {
	kind   Kind
	status domain.Status
	age    time.Duration
	purge  func(ctx context.Context, t time.Time, limit int) (int, error)
	size   int // of the next step
}

// name is how a part is called in logs: workflows by how they ended.
func (p *part) name() string {
	if p.kind == Workflows {
		return strings.ToLower(string(p.status))
	}
	return string(p.kind)
}

// parts are what a policy lets go of. Deliveries come before workflows, so that
// these find less to take along.
func parts(p Policy, store Store) []*part {
	ended := func(status domain.Status, age time.Duration) *part {
		return &part{kind: Workflows, status: status, age: age, size: MinStep, purge: func(ctx context.Context, t time.Time, limit int) (int, error) {
			return store.PurgeWorkflows(ctx, status, t, limit)
		}}
	}
	all := []*part{
		{kind: Deliveries, age: p.Deliveries, size: MinStep, purge: store.PurgeDeliveries},
		ended(domain.Completed, p.Completed),
		ended(domain.Failed, p.Failed),
		ended(domain.Cancelled, p.Cancelled),
		{kind: Idempotency, age: IdempotencyKept, size: MinStep, purge: store.PurgeIdempotency},
		{kind: Audit, age: p.Audit, size: MinStep, purge: store.PurgeAudit},
		{kind: Batches, age: p.Batches, size: MinStep, purge: store.PurgeBatches},
	}
	return slices.DeleteFunc(all, func(p *part) bool { return p.age <= 0 })
}
