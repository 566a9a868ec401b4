package sqlite

import (
	"context"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	oweSQL = `
INSERT INTO outbox (workflow_id, version, keeper, created_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO UPDATE SET version = excluded.version, keeper = excluded.keeper, created_at = excluded.created_at`

	publishedSQL = `DELETE FROM outbox WHERE workflow_id = ?1 AND version <= ?2`
	disownSQL    = `UPDATE outbox SET keeper = '' WHERE keeper = ?1`
	keepSQL      = `UPDATE outbox SET keeper = ?1 WHERE workflow_id = ?2`

	owedSQL = `
SELECT ` + rowColumns + `, nr
FROM (SELECT workflow_id AS id, keeper, created_at FROM outbox) o JOIN workflows ON workflow_id = o.id
WHERE NOT EXISTS (SELECT 1 FROM replicas r WHERE r.replica = o.keeper AND r.expires_at > ?1)
ORDER BY o.created_at LIMIT ?2`

	countOwedSQL = `SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?1)`
)

// Published removes the entries of workflows whose events have all been published.
func (s *Store) Published(ctx context.Context, done []ports.Published) error {
	return s.write(ctx, "take workflows off the outbox", func(w *writer) error {
		for _, d := range done {
			if _, err := w.published.Exec(d.WorkflowID, d.Version); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClaimOwed takes over entries that nobody alive keeps, oldest first.
func (s *Store) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	if n, err := s.Owed(ctx); err != nil || n == 0 { // nearly always: spares the writer
		return nil, err
	}
	var records []ports.Record
	err := s.write(ctx, "claim unpublished workflows", func(w *writer) error {
		rows, err := w.owed.Query(now(), limit)
		if err != nil {
			return err
		}
		list, err := collect(rows, scanClaimable)
		if err != nil {
			return err
		}
		for _, c := range list {
			if _, err := w.keep.Exec(replica, c.row.WorkflowID); err != nil {
				return err
			}
			rec, err := w.record(c)
			if err != nil {
				return err
			}
			records = append(records, rec)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Owed counts the entries, up to ports.MaxCount.
func (s *Store) Owed(ctx context.Context) (n int, err error) {
	err = s.get(ctx, "count unpublished workflows", countOwedSQL, ports.MaxCount, &n)
	return n, err
}
