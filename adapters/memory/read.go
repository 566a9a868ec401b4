package memory

import (
	"bytes"
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Load gives a workflow as committed.
func (s *Store) Load(ctx context.Context, workflowID string) (ports.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return ports.Record{}, err
	}
	w, ok := s.workflows[workflowID]
	if !ok {
		return ports.Record{}, ports.ErrNotFound
	}
	return w.record(), nil
}

// record is a copy that shares nothing with the store.
func (w *workflow) record() ports.Record {
	rec := ports.Record{Row: givenRow(w.row), Events: make([][]byte, len(w.events))}
	for i, e := range w.events {
		rec.Events[i] = bytes.Clone(e)
	}
	return rec
}

// givenRow copies a stored row for a caller.
func givenRow(r *ports.Row) ports.Row {
	row := *r
	row.Metadata = bytes.Clone(r.Metadata)
	return row
}

// WorkflowOfSaga finds the workflow of a saga.
func (s *Store) WorkflowOfSaga(ctx context.Context, sagaID string) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.found(ctx, s.index.sagas[sagaID])
}

// BusinessKeyHolder finds the active or COMPLETED workflow of a type with a business key.
func (s *Store) BusinessKeyHolder(ctx context.Context, workflowType, key string) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.found(ctx, s.index.keys[businessKey{workflowType, key}])
}

// found is the answer to a look-up that gave a workflow ID or "".
func (s *Store) found(ctx context.Context, workflowID string) (string, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	if workflowID == "" {
		return "", ports.ErrNotFound
	}
	return workflowID, nil
}

// Idempotency finds a record by scope.
func (s *Store) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return ports.IdempotencyRecord{}, err
	}
	rec, ok := s.scopes[scope]
	if !ok {
		return ports.IdempotencyRecord{}, ports.ErrNotFound
	}
	return *rec, nil
}

// PurgeIdempotency removes old records of ended workflows, oldest first.
func (s *Store) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	var old []*ports.IdempotencyRecord
	for rec := range s.scopeAge.after(nil, true) {
		if len(old) >= limit || !rec.CreatedAt.Before(t) {
			break
		}
		if s.index.active[rec.WorkflowID] == nil {
			old = append(old, rec)
		}
	}
	for _, rec := range old {
		s.dropScope(rec)
	}
	return len(old), nil
}
