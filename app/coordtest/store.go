package coordtest

import (
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// dueStore knows when what nobody holds is due, so that the clock can stop there.
type dueStore struct {
	ports.Store

	mu  sync.Mutex
	due map[string]time.Time // by workflow
}

// Commit notes when each workflow is due, if nobody holds it.
func (s *dueStore) Commit(ctx context.Context, batch []ports.Change) []error {
	errs := s.Store.Commit(ctx, batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		if row := &batch[i].Row; errs[i] == nil {
			if s.due[row.WorkflowID] = row.DueAt; row.Owner != "" || row.DueAt.IsZero() {
				delete(s.due, row.WorkflowID)
			}
		}
	}
	return errs
}

// Claim takes what is due off the list.
func (s *dueStore) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	records, err := s.Store.Claim(ctx, replica, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		delete(s.due, r.Row.WorkflowID)
	}
	return records, err
}

// next is when the first of them is due; zero if none is.
func (s *dueStore) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var first time.Time
	for _, at := range s.due {
		first = earlier(first, at)
	}
	return first
}
