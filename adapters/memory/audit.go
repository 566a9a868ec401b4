package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/firstviscount/platform-coordination/ports"
)

// note keeps an audit entry, if there is one.
func (s *Store) note(e *ports.AuditEntry) {
	if e == nil {
		return
	}
	kept := copiedEntry(e)
	kept.At = storedTime(e.At)
	s.audit.insert(&kept)
	for s.audit.size > s.auditLimit {
		s.audit.remove(s.audit.first())
	}
}

// copiedEntry is a copy that shares nothing.
func copiedEntry(e *ports.AuditEntry) ports.AuditEntry {
	c := *e
	c.Before, c.After = bytes.Clone(e.Before), bytes.Clone(e.After)
	return c
}

// compareEntries orders entries as they were made.
func compareEntries(a, b *ports.AuditEntry) int {
	return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID))
}

// ListAudit gives a page of entries, newest first.
func (s *Store) ListAudit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	var page ports.AuditPage
	place, err := auditPlace(&q)
	if err != nil {
		return page, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return page, err
	}
	page.Total = len(s.entries(&q, nil, ports.MaxCount))
	found := s.entries(&q, place, q.Offset+q.Limit+1)
	found = found[min(q.Offset, len(found)):]
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.NextCursor = entryCursor(&q, found[len(found)-1])
	}
	for _, e := range found {
		page.Entries = append(page.Entries, copiedEntry(e))
	}
	return page, nil
}

// entries finds up to limit selected entries made before a place, newest first.
func (s *Store) entries(q *ports.AuditQuery, place *ports.AuditEntry, limit int) []*ports.AuditEntry {
	var from **ports.AuditEntry
	if place != nil {
		from = &place
	}
	var found []*ports.AuditEntry
	for e := range s.audit.after(from, false) {
		if len(found) == limit || e.At.Before(q.From) {
			break
		}
		if selectsEntry(q, e) {
			found = append(found, e)
		}
	}
	return found
}

func selectsEntry(q *ports.AuditQuery, e *ports.AuditEntry) bool {
	return (q.Subject == "" || q.Subject == e.Subject) &&
		(q.Action == "" || q.Action == e.Action) &&
		(q.Target == "" || q.Target == e.Target) &&
		!e.At.Before(q.From) && (q.To.IsZero() || e.At.Before(q.To))
}

// auditPlace checks a query and gives the entry that its cursor stands for; nil
// if it has none.
func auditPlace(q *ports.AuditQuery) (*ports.AuditEntry, error) {
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return nil, fmt.Errorf("memory: limit %d is not in 1 to %d", q.Limit, maxLimit)
	case q.Offset < 0 || q.Offset > 0 && q.Cursor != "":
		return nil, fmt.Errorf("memory: offset %d is negative or comes with a cursor", q.Offset)
	case q.Cursor == "":
		return nil, nil
	}
	c, err := unsealed(q.Cursor, auditName(q))
	if err != nil {
		return nil, err
	}
	return &ports.AuditEntry{ID: c.ID, At: c.time()}, nil
}

// entryCursor is the cursor that continues after an entry.
func entryCursor(q *ports.AuditQuery, e *ports.AuditEntry) string {
	return cursor{List: auditName(q), ID: e.ID, Second: e.At.Unix(), Nano: e.At.Nanosecond()}.sealed()
}

// auditName is a fingerprint of the filters.
func auditName(q *ports.AuditQuery) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "audit %q %q %q %d %d", q.Subject, q.Action, q.Target, q.From.UnixMilli(), q.To.UnixMilli())
	return fmt.Sprintf("%016x", h.Sum64())
}
