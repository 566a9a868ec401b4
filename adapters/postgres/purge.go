package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/domain"
)

// How much one transaction removes. Nobody waits for what it locks, but it
// should not hold up vacuum, nor fill the log at once.
const (
	purgeWorkflowsStep  = 100
	purgeAuditStep      = 500
	purgeDeliveriesStep = 500
)

// purgeSlot keeps what purges take off the totals apart from what commits add.
const purgeSlot = -1

const (
	// lockOldSQL leaves alone what a commit is changing, and what was reopened
	// meanwhile: Postgres checks a row again before it locks it. Deliveries of
	// subscriptions that are inactive, or gone, hold nothing up: they are there
	// because somebody asked for them, or a crash interrupted what fails them.
	lockOldSQL = `
SELECT workflow_id FROM workflows w
WHERE NOT active AND ended_status = $1 AND ended_at < $2
AND NOT EXISTS (SELECT FROM outbox o WHERE o.workflow_id = w.workflow_id)
AND NOT EXISTS (SELECT FROM deliveries d WHERE d.workflow_id = w.workflow_id AND d.next_at IS NOT NULL
	AND EXISTS (SELECT FROM webhooks h WHERE h.nr = d.webhook AND h.active))
ORDER BY ended_at LIMIT $3 FOR UPDATE OF w SKIP LOCKED`

	// lockSettledSQL keeps deliveries from being asked for again, without waiting
	// for those that are being changed.
	lockSettledSQL = `
SELECT workflow_id, count(*) FROM (
	SELECT workflow_id FROM deliveries d WHERE workflow_id = ANY ($1)
	AND (next_at IS NULL OR NOT EXISTS (SELECT FROM webhooks h WHERE h.nr = d.webhook AND h.active))
	FOR UPDATE OF d SKIP LOCKED
) d
GROUP BY workflow_id`

	// dropOldSQL must be a statement of its own: the snapshot of lockOldSQL may be
	// older than the rows that it locked, and miss events or an outbox entry. It
	// spares a workflow that has other deliveries than the settled ones locked.
	dropOldSQL = `
WITH old AS MATERIALIZED (
	SELECT nr, workflow_id, type, status, priority, started_at, ended_at
	FROM unnest($1::text[], $2::bigint[]) AS l(workflow_id, settled) JOIN workflows w USING (workflow_id)
	WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.workflow_id = w.workflow_id)
	AND (SELECT count(*) FROM deliveries d WHERE d.workflow_id = w.workflow_id) = settled
),
dropped AS (DELETE FROM workflows WHERE workflow_id IN (SELECT workflow_id FROM old)),
dropped_events AS (DELETE FROM events WHERE nr IN (SELECT nr FROM old)),
dropped_deliveries AS (DELETE FROM deliveries WHERE workflow_id IN (SELECT workflow_id FROM old)),
dropped_keys AS (DELETE FROM idempotency WHERE workflow_id IN (SELECT workflow_id FROM old)),
new_totals AS (
	INSERT INTO totals (type, status, priority, slot, n, seconds)
	SELECT type, status, priority, $3, -count(*), -sum(extract(epoch FROM ended_at - started_at)) FROM old
	GROUP BY type, status, priority ORDER BY type, status, priority
	ON CONFLICT (type, status, priority, slot)
	DO UPDATE SET n = totals.n + excluded.n, seconds = totals.seconds + excluded.seconds
)
SELECT count(*) FROM old`

	purgeAuditSQL = `
DELETE FROM audit WHERE (at, id) IN (
	SELECT at, id FROM audit WHERE at < $1 ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED)`

	// purgeDeliveriesSQL hops from subscription to subscription, and merges what
	// is oldest of each. Of those that are gone or inactive it takes what is not
	// settled too: see lockOldSQL, or a commit made it at the moment when they
	// became so.
	purgeDeliveriesSQL = `
WITH RECURSIVE hooks(webhook) AS (
	SELECT min(webhook) FROM deliveries
	UNION ALL
	SELECT (SELECT min(d.webhook) FROM deliveries d WHERE d.webhook > h.webhook) FROM hooks h WHERE h.webhook IS NOT NULL
),
streams AS (
	SELECT webhook, status, EXISTS (SELECT FROM webhooks w WHERE w.nr = h.webhook AND w.active) AS active
	FROM hooks h CROSS JOIN unnest(ARRAY['DELIVERED', 'FAILED', 'PENDING', 'RETRYING']) AS s(status)
),
old AS MATERIALIZED (
	SELECT o.* FROM streams s CROSS JOIN LATERAL (
		SELECT d.webhook, d.workflow_id, d.sequence, s.active, d.created_at FROM deliveries d
		WHERE d.webhook = s.webhook AND d.status = s.status AND d.created_at < $1 AND (d.next_at IS NULL OR NOT s.active)
		ORDER BY d.created_at LIMIT $2
	) o
	ORDER BY o.created_at LIMIT $2
),
locked AS MATERIALIZED (
	SELECT d.webhook, d.workflow_id, d.sequence FROM old JOIN deliveries d USING (workflow_id, webhook, sequence)
	WHERE d.next_at IS NULL OR NOT old.active FOR UPDATE OF d SKIP LOCKED
)
DELETE FROM deliveries d USING locked l WHERE d.workflow_id = l.workflow_id AND d.webhook = l.webhook AND d.sequence = l.sequence`

	purgeBatchSQL = `
WITH old AS MATERIALIZED (
	SELECT nr, batch_id FROM batches WHERE ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
),
dropped_items AS (DELETE FROM batch_items WHERE nr IN (SELECT nr FROM old))
DELETE FROM batches WHERE batch_id IN (SELECT batch_id FROM old)`
)

// inSteps removes up to limit things, step by step, until there are no more.
func inSteps(limit, step int, remove func(limit int) (int, error)) (int, error) {
	removed := 0
	for removed < limit {
		part := min(step, limit-removed)
		n, err := remove(part)
		if err != nil {
			return removed, err
		}
		if removed += n; n < part {
			break
		}
	}
	return removed, nil
}

// PurgeWorkflows removes workflows that ended before t, the first to end first.
func (s *Store) PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
	return inSteps(limit, purgeWorkflowsStep, func(limit int) (n int, err error) {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			rows, _ := tx.Query(ctx, lockOldSQL, string(status), t, limit)
			ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil || len(ids) == 0 {
				return err
			}
			settled, err := lockSettled(ctx, tx, ids)
			if err != nil {
				return err
			}
			return tx.QueryRow(ctx, dropOldSQL, ids, settled, purgeSlot).Scan(&n)
		})
		if err != nil {
			return 0, unavailable("purge workflows", err)
		}
		return n, nil
	})
}

// lockSettled locks the deliveries of workflows that nobody attempts any more,
// and says how many of each.
func lockSettled(ctx context.Context, tx pgx.Tx, ids []string) ([]int64, error) {
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	settled := make([]int64, len(ids))
	rows, _ := tx.Query(ctx, lockSettledSQL, ids)
	var id string
	var n int64
	_, err := pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		settled[place[id]] = n
		return nil
	})
	return settled, err
}

// PurgeAudit removes entries made before t, oldest first.
func (s *Store) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.purgeRows(ctx, "purge audit entries", purgeAuditSQL, t, limit, purgeAuditStep)
}

// PurgeBatches removes batches that ended before t, each in a transaction of its own.
func (s *Store) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.purgeRows(ctx, "purge batches", purgeBatchSQL, t, limit, 1)
}

// PurgeDeliveries removes deliveries of events before t that nobody attempts any
// more, oldest first.
func (s *Store) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.purgeRows(ctx, "purge deliveries", purgeDeliveriesSQL, t, limit, purgeDeliveriesStep)
}

// purgeRows removes up to limit rows by a statement that removes some of those
// from before t.
func (s *Store) purgeRows(ctx context.Context, doing, sql string, t time.Time, limit, step int) (int, error) {
	return inSteps(limit, step, func(limit int) (int, error) {
		tag, err := s.pool.Exec(ctx, sql, t, limit)
		if err != nil {
			return 0, unavailable(doing, err)
		}
		return int(tag.RowsAffected()), nil
	})
}
