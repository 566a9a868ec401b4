package engine

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// load reads and folds a workflow and gives its row too.
func (e *Engine) load(ctx context.Context, workflowID string) (ports.Snapshot, ports.Row, error) {
	rec, err := e.store.Load(ctx, workflowID)
	if err != nil {
		return ports.Snapshot{}, ports.Row{}, err
	}
	snap, err := e.templates.restore(ctx, rec)
	return snap, rec.Row, err
}

// Workflow reads a workflow by ID; see ports.Queries.
func (e *Engine) Workflow(ctx context.Context, workflowID string) (ports.Snapshot, error) {
	snap, _, err := e.load(ctx, workflowID)
	return snap, err
}

// Saga reads the workflow of a saga.
func (e *Engine) Saga(ctx context.Context, sagaID string) (ports.Snapshot, error) {
	id, err := e.store.WorkflowOfSaga(ctx, sagaID)
	if err != nil {
		return ports.Snapshot{}, err
	}
	return e.Workflow(ctx, id)
}

// List pages through workflows.
func (e *Engine) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	if q.Now.IsZero() {
		q.Now = e.clock.Now()
	}
	return e.store.List(ctx, q)
}

// Metrics sums what was counted.
func (e *Engine) Metrics(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	return e.store.Counts(ctx, from, to, workflowType)
}

// Audit pages through who changed what, newest first.
func (e *Engine) Audit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	return e.store.ListAudit(ctx, q)
}

// Templates are the templates that new workflows can use, by type.
func (e *Engine) Templates(context.Context) []*domain.Template {
	var active []*domain.Template
	for _, t := range e.templates.list() {
		if e.templates.Active(t.Type) == t {
			active = append(active, t)
		}
	}
	return active
}

// Template finds a template by ID.
func (e *Engine) Template(_ context.Context, templateID string) (*domain.Template, error) {
	return e.templates.byID(templateID)
}

// TemplateOf finds the template a row is pinned to.
func (e *Engine) TemplateOf(ctx context.Context, hash string) (*domain.Template, error) {
	return e.templates.ByHash(ctx, hash)
}
