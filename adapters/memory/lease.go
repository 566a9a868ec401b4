package memory

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Renew makes the replica live for ttl from now.
func (s *Store) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	s.leases[replica] = s.now().Add(ttl)
	return nil
}

// Claim takes over workflows that are due, earliest first, and then those of
// holders that are no longer live.
func (s *Store) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	claimed := s.abandoned(s.dueBy(now, limit), now, limit)
	records := make([]ports.Record, len(claimed))
	for i, w := range claimed {
		s.give(w, replica, time.Time{})
		records[i] = w.record()
	}
	return records, nil
}

// dueBy finds up to limit unheld workflows that are due.
func (s *Store) dueBy(now time.Time, limit int) []*workflow {
	var found []*workflow
	for r := range s.index.due.after(nil, true) {
		if len(found) >= limit || r.DueAt.After(now) {
			break
		}
		found = append(found, s.workflows[r.WorkflowID])
	}
	return found
}

// abandoned adds, up to limit, the workflows of holders whose lease has run out.
func (s *Store) abandoned(found []*workflow, now time.Time, limit int) []*workflow {
	for owner, held := range s.index.held {
		if s.leases[owner].After(now) {
			continue
		}
		for _, w := range held {
			if len(found) >= limit {
				return found
			}
			found = append(found, w)
		}
	}
	return found
}

// give changes who holds an active workflow and when it is due.
func (s *Store) give(w *workflow, owner string, due time.Time) {
	row := *w.row
	row.Owner, row.DueAt = owner, due
	s.index.replace(w, &row)
}

// Release gives up everything the replica holds, due at once, and ends its lease.
func (s *Store) Release(ctx context.Context, replica string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	delete(s.leases, replica)
	s.disown(replica)
	s.leaveBatches(replica)
	s.disownDeliveries(replica)
	now := s.now()
	for _, w := range s.index.held[replica] {
		s.give(w, "", now) // deletes from the map; ranging over it allows that
	}
	return nil
}

// Live counts active and stuck workflows; it looks at all active ones.
func (s *Store) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return 0, 0, err
	}
	late := s.now().Add(-grace)
	for _, w := range s.index.active {
		if isStuck(w.row, late) {
			stuck++
		}
	}
	return len(s.index.active), stuck, nil
}

// isStuck reports whether a workflow waits for a person, or for nothing at all:
// what it waits for is missing, or was to come before the given time.
func isStuck(r *ports.Row, late time.Time) bool {
	next := r.DueAt
	if r.Owner != "" {
		next = r.WakeAt
	}
	return r.Status == domain.Parked || next.IsZero() || next.Before(late)
}
