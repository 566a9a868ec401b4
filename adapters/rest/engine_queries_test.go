package rest_test

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Workflow is ports.Queries.
func (e *engine) Workflow(_ context.Context, id string) (ports.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuse != nil {
		return ports.Snapshot{}, e.refuse
	}
	snap, found := e.flows[id]
	if !found {
		return ports.Snapshot{}, ports.ErrNotFound
	}
	return *snap, nil
}

// Saga is ports.Queries.
func (e *engine) Saga(ctx context.Context, sagaID string) (ports.Snapshot, error) {
	e.mu.Lock()
	var id string
	for _, snap := range e.flows {
		if snap.State.SagaID == sagaID {
			id = snap.State.WorkflowID
		}
	}
	e.mu.Unlock()
	return e.Workflow(ctx, id)
}

func (e *engine) wait(ctx context.Context, id string, until func(*domain.State) bool) (ports.Snapshot, error) {
	for {
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		snap, err := e.Workflow(ctx, id)
		if err != nil || until(&snap.State) {
			return snap, err
		}
		select {
		case <-ctx.Done():
			return snap, ctx.Err()
		case <-changed:
		}
	}
}

// Watch is ports.Queries.
func (e *engine) Watch(ctx context.Context, id string, after int) (ports.Snapshot, error) {
	return e.wait(ctx, id, func(s *domain.State) bool { return s.Version > after })
}

// Await is ports.Queries.
func (e *engine) Await(ctx context.Context, id string) (ports.Snapshot, error) {
	return e.wait(ctx, id, func(s *domain.State) bool { return s.Status.Terminal() })
}

// List is ports.Queries: it notes what was asked and gives what the test laid ready.
func (e *engine) List(_ context.Context, q ports.ListQuery) (ports.ListPage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = q
	if q.Cursor == "bad" {
		return ports.ListPage{}, ports.ErrBadCursor
	}
	return e.page, e.refuse
}

// Metrics is ports.Queries.
func (e *engine) Metrics(_ context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var counts []ports.Count
	for _, c := range e.counts {
		if !c.Bucket.Before(from) && c.Bucket.Before(to) && (workflowType == "" || workflowType == c.Type) {
			counts = append(counts, c)
		}
	}
	return counts, e.refuse
}

// Templates is ports.Queries.
func (e *engine) Templates(context.Context) []*domain.Template { return e.templates }

// Template is ports.Queries.
func (e *engine) Template(_ context.Context, id string) (*domain.Template, error) {
	for _, t := range e.templates {
		if t.ID == id {
			return t, nil
		}
	}
	return nil, ports.ErrNotFound
}

// TemplateOf is ports.Queries.
func (e *engine) TemplateOf(_ context.Context, hash string) (*domain.Template, error) {
	for _, t := range e.templates {
		if t.Hash() == hash {
			return t, nil
		}
	}
	return nil, ports.ErrNotFound
}

// Health is ports.Queries.
func (e *engine) Health(context.Context) ports.Health {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.health
	h.CheckedAt = e.now
	return h
}

// Audit is ports.Queries.
func (e *engine) Audit(_ context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.audited = q
	return e.audit, e.refuse
}
