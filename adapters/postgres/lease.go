package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// Renew makes the replica live for ttl from now, by the clock of the database.
func (s *Store) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO replicas (replica, expires_at) VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond')
		ON CONFLICT (replica) DO UPDATE SET expires_at = excluded.expires_at`, replica, ttl.Microseconds())
	if err != nil {
		return unavailable("renew a lease", err)
	}
	return nil
}

// claimSQL takes what is due, earliest first, and then what dead replicas hold.
//
// The sub-select makes the time one value that the index can be asked for.
// holders hops from owner to owner through the index of live workflows, so its
// cost depends on the number of replicas, not of workflows. Rows that another
// claim or commit has locked are skipped; a row that changed since the snapshot
// is checked again by Postgres before it is locked, and returned as it is then.
const claimSQL = `
WITH RECURSIVE holders(owner) AS (
	SELECT min(owner) FROM workflows WHERE active AND owner > ''
	UNION ALL
	SELECT (SELECT min(w.owner) FROM workflows w WHERE w.active AND w.owner > h.owner)
	FROM holders h WHERE h.owner IS NOT NULL
),
dead AS (
	SELECT owner FROM holders h WHERE owner IS NOT NULL
	AND NOT EXISTS (SELECT FROM replicas r WHERE r.replica = h.owner AND r.expires_at > clock_timestamp())
),
due AS (
	SELECT workflow_id FROM workflows
	WHERE active AND owner = '' AND due_at <= (SELECT clock_timestamp())
	ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
abandoned AS (
	SELECT workflow_id FROM workflows
	WHERE active AND owner = ANY (ARRAY(SELECT owner FROM dead))
	LIMIT $2 - (SELECT count(*) FROM due) FOR UPDATE SKIP LOCKED
),
claimed AS (
	UPDATE workflows w SET owner = $1, due_at = NULL
	FROM (SELECT workflow_id FROM due UNION ALL SELECT workflow_id FROM abandoned) c
	WHERE w.workflow_id = c.workflow_id
	RETURNING w.*
)
SELECT ` + rowColumns + `, nr FROM claimed`

// claimedEventsSQL must be a statement of its own: the snapshot of claimSQL may
// be older than the rows that it locked.
const claimedEventsSQL = `
SELECT nr, array_agg(data ORDER BY first_seq) FROM events WHERE nr = ANY ($1::bigint[]) GROUP BY nr`

// Claim takes over up to limit workflows that are due or whose holder is dead.
func (s *Store) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	var records []ports.Record
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		records, err = claim(ctx, tx, replica, limit)
		return err
	})
	if err != nil {
		return nil, unavailable("claim workflows", err)
	}
	return records, nil
}

func claim(ctx context.Context, tx pgx.Tx, replica string, limit int) ([]ports.Record, error) {
	var numbers []int64
	rows, _ := tx.Query(ctx, claimSQL, replica, limit)
	records, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (ports.Record, error) {
		var rec ports.Record
		var nr int64
		err := scanRow(r, &rec.Row, &nr)
		numbers = append(numbers, nr)
		return rec, err
	})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	place := make(map[int64]int, len(numbers))
	for i, nr := range numbers {
		place[nr] = i
	}
	rows, _ = tx.Query(ctx, claimedEventsSQL, numbers)
	var nr int64
	var events [][]byte
	_, err = pgx.ForEachRow(rows, []any{&nr, &events}, func() error {
		records[place[nr]].Events = events
		events = nil
		return nil
	})
	return records, err
}

// releaseSQL locks in the order of commits before it changes anything.
const releaseSQL = `
WITH held AS MATERIALIZED (
	SELECT workflow_id FROM workflows WHERE active AND owner = $1 ORDER BY workflow_id FOR UPDATE
),
ended AS (DELETE FROM replicas WHERE replica = $1),
disowned AS (UPDATE outbox SET keeper = '' WHERE keeper = $1),
left_batches AS (UPDATE batches SET keeper = '' WHERE slot IS NOT NULL AND keeper = $1)
UPDATE workflows w SET owner = '', due_at = clock_timestamp()
FROM held WHERE w.workflow_id = held.workflow_id AND w.owner = $1 AND w.active`

// Release gives up everything the replica holds, due at once, and ends its
// lease: from then on anybody may claim its deliveries. They come last because
// it takes long to find them among very many that wait.
func (s *Store) Release(ctx context.Context, replica string) error {
	for _, sql := range []string{releaseSQL, releaseDeliveriesSQL} {
		if _, err := s.pool.Exec(ctx, sql, replica); err != nil {
			return unavailable("release workflows", err)
		}
	}
	return nil
}

// liveSQL counts through the index of live workflows.
const liveSQL = `
SELECT count(*), count(*) FILTER (WHERE status = 'PARKED'
	OR coalesce(CASE WHEN owner = '' THEN due_at ELSE wake_at END, '-infinity')
		< clock_timestamp() - $1 * interval '1 microsecond')
FROM workflows WHERE active`

// Live counts active workflows and those of them that are stuck.
func (s *Store) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	if err := s.pool.QueryRow(ctx, liveSQL, grace.Microseconds()).Scan(&active, &stuck); err != nil {
		return 0, 0, unavailable("count live workflows", err)
	}
	return active, stuck, nil
}
