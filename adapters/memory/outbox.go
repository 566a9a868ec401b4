package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/firstviscount/platform-coordination/ports"
)

// owed is an entry of the outbox.
type owed struct {
	version int
	keeper  string
	number  uint64 // in order of creation
}

// owe keeps an outbox entry for the workflow that c ended.
func (s *Store) owe(c *ports.Change) {
	s.owedCount++
	s.outbox[c.Row.WorkflowID] = owed{version: c.Row.Version, keeper: c.Keeper, number: s.owedCount}
}

// Published removes the entries of workflows whose events have all been published.
func (s *Store) Published(ctx context.Context, done []ports.Published) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	for _, d := range done {
		if entry, owes := s.outbox[d.WorkflowID]; owes && entry.version <= d.Version {
			delete(s.outbox, d.WorkflowID)
		}
	}
	return nil
}

// ClaimOwed takes over entries that nobody alive keeps, oldest first.
func (s *Store) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	ids := s.unkept(limit)
	records := make([]ports.Record, len(ids))
	for i, id := range ids {
		entry := s.outbox[id]
		entry.keeper = replica
		s.outbox[id] = entry
		records[i] = s.workflows[id].record()
	}
	return records, nil
}

// unkept finds up to limit entries that nobody alive keeps, oldest first.
func (s *Store) unkept(limit int) []string {
	now := s.now()
	var ids []string
	for id, entry := range s.outbox {
		if entry.keeper == "" || !s.leases[entry.keeper].After(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(s.outbox[a].number, s.outbox[b].number) })
	return ids[:min(limit, len(ids))]
}

// Owed counts the entries, up to ports.MaxCount.
func (s *Store) Owed(ctx context.Context) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	return min(len(s.outbox), ports.MaxCount), nil
}

// disown leaves the entries of a replica to whoever claims them.
func (s *Store) disown(replica string) {
	for id, entry := range s.outbox {
		if entry.keeper == replica {
			entry.keeper = ""
			s.outbox[id] = entry
		}
	}
}
