package memory

import (
	"bytes"
	"context"
	"errors"

	"github.com/firstviscount/platform-coordination/ports"
)

// Errors of a caller that breaks the rules for batches; nothing was written.
var (
	errBatchTooLarge = errors.New("memory: batch is larger than ports.MaxBatch")
	errTwice         = errors.New("memory: two changes of one workflow in a batch")
)

// Commit writes a batch.
func (s *Store) Commit(ctx context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.usable(ctx)
	if err == nil && len(batch) > ports.MaxBatch {
		err = errBatchTooLarge
	}
	s.batch++
	for i := range batch {
		if err != nil {
			errs[i] = err
			continue
		}
		errs[i] = s.commit(&batch[i])
	}
	return errs
}

// commit checks and writes one change; nothing is written if it gives an error.
func (s *Store) commit(c *ports.Change) error {
	w := s.workflows[c.Row.WorkflowID]
	if err := s.check(w, c); err != nil {
		return err
	}
	if w == nil {
		w = &workflow{}
		s.workflows[c.Row.WorkflowID] = w
	}
	w.batch = s.batch
	s.index.replace(w, storedRow(&c.Row, w.row))
	if len(c.Events) > 0 {
		w.events = append(w.events, bytes.Clone(c.Events))
	}
	s.remember(w, c.Idempotency)
	if c.Owes {
		s.owe(c)
	}
	s.notify(c)
	for i := range c.Counts {
		s.counts.add(&c.Counts[i])
	}
	s.note(c.Audit)
	s.forget()
	return nil
}

// check says why a change must be refused. A used idempotency key comes before
// a taken business key: a repeated start should find its first answer.
func (s *Store) check(w *workflow, c *ports.Change) error {
	switch {
	case w != nil && w.batch == s.batch:
		return errTwice
	case w == nil && c.Expected != 0,
		w != nil && c.Expected == 0,
		w != nil && (w.row.Version != c.Expected || w.row.Owner != c.Holder):
		return ports.ErrConflict
	}
	if s.used(c.Idempotency) {
		return ports.ErrIdempotencyKeyTaken
	}
	if k := keyOf(&c.Row); k.key != "" {
		if holder, taken := s.index.keys[k]; taken && holder != c.Row.WorkflowID {
			return &ports.ExistsError{WorkflowID: holder}
		}
	}
	return nil
}

// storedRow copies a row; the metadata is shared with the row before if equal.
func storedRow(r, before *ports.Row) *ports.Row {
	row := *r
	if before != nil && bytes.Equal(before.Metadata, r.Metadata) {
		row.Metadata = before.Metadata
	} else {
		row.Metadata = bytes.Clone(r.Metadata)
	}
	row.StartedAt, row.UpdatedAt, row.EndedAt = storedTime(r.StartedAt), storedTime(r.UpdatedAt), storedTime(r.EndedAt)
	row.DueAt, row.WakeAt = storedTime(r.DueAt), storedTime(r.WakeAt)
	return &row
}

// used reports whether a record with the scope of once exists; once may be nil.
func (s *Store) used(once *ports.IdempotencyRecord) bool {
	return once != nil && s.scopes[once.Scope] != nil
}

// remember keeps the idempotency record, if there is one, of what was done to a
// workflow, or to none.
func (s *Store) remember(w *workflow, once *ports.IdempotencyRecord) {
	if once == nil {
		return
	}
	rec := *once
	rec.CreatedAt = storedTime(rec.CreatedAt)
	s.scopes[rec.Scope] = &rec
	s.scopeAge.insert(&rec)
	if w != nil {
		w.scopes = append(w.scopes, rec.Scope)
	}
}

// forget drops the workflow that ended first while there are too many.
func (s *Store) forget() {
	for ended := s.index.ended[ports.SortUpdatedAt]; ended.size > s.endedLimit; {
		s.drop(ended.first())
	}
}

// drop removes a workflow and all that is its own.
func (s *Store) drop(r *ports.Row) {
	for _, scope := range s.workflows[r.WorkflowID].scopes {
		if rec := s.scopes[scope]; rec != nil && rec.WorkflowID == r.WorkflowID {
			s.dropScope(rec)
		}
	}
	s.index.remove(r)
	delete(s.outbox, r.WorkflowID)
	s.dropDeliveries(r.WorkflowID)
	delete(s.workflows, r.WorkflowID)
}

func (s *Store) dropScope(rec *ports.IdempotencyRecord) {
	delete(s.scopes, rec.Scope)
	s.scopeAge.remove(rec)
}
