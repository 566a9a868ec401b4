package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// publishedSQL locks in the order of commits.
const publishedSQL = `
WITH done AS MATERIALIZED (
	SELECT o.workflow_id FROM outbox o
	JOIN unnest($1::text[], $2::integer[]) AS d(workflow_id, version) ON d.workflow_id = o.workflow_id AND o.version <= d.version
	ORDER BY o.workflow_id FOR UPDATE OF o
)
DELETE FROM outbox o USING done WHERE o.workflow_id = done.workflow_id`

// Published removes the entries of workflows whose events have all been published.
func (s *Store) Published(ctx context.Context, done []ports.Published) error {
	ids, versions := make([]string, len(done)), make([]int32, len(done))
	for i, d := range done {
		ids[i], versions[i] = d.WorkflowID, int32(d.Version)
	}
	if _, err := s.pool.Exec(ctx, publishedSQL, ids, versions); err != nil {
		return unavailable("take workflows off the outbox", err)
	}
	return nil
}

// claimOwedSQL hops from keeper to keeper as claimSQL does from owner to owner.
const claimOwedSQL = `
WITH RECURSIVE keepers(keeper) AS (
	SELECT min(keeper) FROM outbox
	UNION ALL
	SELECT (SELECT min(o.keeper) FROM outbox o WHERE o.keeper > k.keeper) FROM keepers k WHERE k.keeper IS NOT NULL
),
dead AS (
	SELECT keeper FROM keepers k WHERE keeper IS NOT NULL
	AND NOT EXISTS (SELECT FROM replicas r WHERE r.replica = k.keeper AND r.expires_at > clock_timestamp())
),
owed AS (
	SELECT workflow_id FROM outbox WHERE keeper = ANY (ARRAY(SELECT keeper FROM dead))
	ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
claimed AS (
	UPDATE outbox o SET keeper = $1 FROM owed WHERE o.workflow_id = owed.workflow_id RETURNING o.workflow_id, o.created_at
)
SELECT workflow_id FROM claimed ORDER BY created_at`

// claimedOwedSQL must be a statement of its own; see claimedEventsSQL.
const claimedOwedSQL = `SELECT ` + rowColumns + `, ` + eventLists + ` FROM workflows w WHERE workflow_id = ANY ($1)
ORDER BY array_position($1, workflow_id)`

// ClaimOwed takes over entries that nobody alive keeps, oldest first.
func (s *Store) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	var records []ports.Record
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, claimOwedSQL, replica, limit)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(ids) == 0 {
			return err
		}
		rows, _ = tx.Query(ctx, claimedOwedSQL, ids)
		records, err = pgx.CollectRows(rows, record)
		return err
	})
	if err != nil {
		return nil, unavailable("claim unpublished workflows", err)
	}
	return records, nil
}

// Owed counts the entries, up to ports.MaxCount.
func (s *Store) Owed(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) o`, ports.MaxCount).Scan(&n)
	if err != nil {
		return 0, unavailable("count unpublished workflows", err)
	}
	return n, nil
}
