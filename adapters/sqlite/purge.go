package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/domain"
)

// purgeStep is how many workflows or audit entries one transaction removes:
// commits wait for it.
const purgeStep = 64

const (
	// oldWorkflowsSQL: deliveries of inactive subscriptions hold nothing up. They
	// are there because somebody asked for them, or a crash interrupted what fails
	// them.
	oldWorkflowsSQL = `
SELECT nr, workflow_id, type, status, priority, started_at, ended_at FROM workflows w INDEXED BY workflows_ended_at
WHERE NOT active AND ended_status = ?1 AND ended_at < ?2
AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.workflow_id = w.workflow_id)
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.workflow_id = w.workflow_id AND d.next_at IS NOT NULL
	AND EXISTS (SELECT 1 FROM webhooks h WHERE h.nr = d.webhook AND h.active))
ORDER BY ended_at LIMIT ?3`

	dropWorkflowSQL = `DELETE FROM workflows WHERE nr = ?1`
	dropEventsSQL   = `DELETE FROM events WHERE nr = ?1`
	dropKeysSQL     = `DELETE FROM idempotency WHERE workflow_id = ?1`

	purgeAuditSQL = `DELETE FROM audit WHERE (at, id) IN (SELECT at, id FROM audit WHERE at < ?1 ORDER BY at, id LIMIT ?2)`

	dropDeliveriesOfSQL = `DELETE FROM deliveries WHERE workflow_id = ?1`

	// purgeDeliveriesSQL adds to what is settled what is not, of inactive
	// subscriptions. That is rare, but may be much: its order is not worth a scan
	// of all of it for each step.
	purgeDeliveriesSQL = `
WITH settled AS (
	SELECT webhook, workflow_id, sequence, created_at FROM deliveries INDEXED BY deliveries_settled
	WHERE next_at IS NULL AND created_at < ?1 ORDER BY created_at LIMIT ?2
),
abandoned AS (
	SELECT d.webhook, d.workflow_id, d.sequence, d.created_at
	FROM webhooks w CROSS JOIN (VALUES ('PENDING'), ('RETRYING')) s
	CROSS JOIN deliveries d INDEXED BY deliveries_listed ON d.webhook = w.nr AND d.status = s.column1
	WHERE NOT w.active AND d.next_at IS NOT NULL AND d.created_at < ?1 LIMIT ?2
)
DELETE FROM deliveries WHERE (workflow_id, webhook, sequence) IN (
	SELECT workflow_id, webhook, sequence FROM (SELECT * FROM settled UNION ALL SELECT * FROM abandoned) ORDER BY created_at LIMIT ?2)`

	oldBatchSQL  = `SELECT nr FROM batches WHERE ended_at < ?1 ORDER BY ended_at LIMIT 1`
	dropBatchSQL = `DELETE FROM batches WHERE nr = ?1`
	dropItemsSQL = `DELETE FROM batch_items WHERE nr = ?1`
)

// inSteps removes up to limit things in transactions of up to step each, which
// remove gives as many as there are.
func (s *Store) inSteps(ctx context.Context, doing string, limit, step int, remove func(w *writer, limit int) (int, error)) (int, error) {
	removed := 0
	for removed < limit {
		part := min(step, limit-removed)
		n := 0
		err := s.write(ctx, doing, func(w *writer) (err error) {
			n, err = remove(w, part)
			return err
		})
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
	return s.inSteps(ctx, "purge workflows", limit, purgeStep, func(w *writer, limit int) (int, error) {
		rows, err := w.oldWorkflows.Query(string(status), t.UnixMicro(), limit)
		if err != nil {
			return 0, err
		}
		old, err := collect(rows, scanOld)
		if err != nil {
			return 0, err
		}
		var sums sums
		for _, o := range old {
			if err := w.drop(&o); err != nil {
				return 0, err
			}
			sums.add(o.kind, -1, -o.age)
		}
		return len(old), w.add(&sums)
	})
}

// old is a workflow to be removed.
type old struct {
	nr   int64
	id   string
	kind sqlrow.Kind
	age  int64
}

func scanOld(from scanner) (o old, err error) {
	var started int64
	var ended *int64
	err = from.Scan(&o.nr, &o.id, &o.kind.Type, &o.kind.Status, &o.kind.Priority, &started, &ended)
	o.age = ageMillis(started, ended)
	return o, err
}

// drop removes a workflow and all that is its own.
func (w *writer) drop(o *old) error {
	if _, err := w.dropEvents.Exec(o.nr); err != nil {
		return err
	}
	if _, err := w.dropKeys.Exec(o.id); err != nil {
		return err
	}
	if _, err := w.dropDeliveriesOf.Exec(o.id); err != nil {
		return err
	}
	_, err := w.dropWorkflow.Exec(o.nr)
	return err
}

// PurgeAudit removes entries made before t, oldest first.
func (s *Store) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.purgeRows(ctx, "purge audit entries", func(w *writer) *sql.Stmt { return w.purgeAudit }, t, limit)
}

// purgeRows removes up to limit rows by a statement that removes some of those
// from before t.
func (s *Store) purgeRows(ctx context.Context, doing string, stmt func(*writer) *sql.Stmt, t time.Time, limit int) (int, error) {
	return s.inSteps(ctx, doing, limit, purgeStep, func(w *writer, limit int) (int, error) {
		result, err := stmt(w).Exec(t.UnixMicro(), limit)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		return int(n), err
	})
}

// PurgeBatches removes batches that ended before t, each in a transaction of its own.
func (s *Store) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.inSteps(ctx, "purge batches", limit, 1, func(w *writer, _ int) (int, error) {
		var nr int64
		if is, err := one(w.oldBatch, []any{t.UnixMicro()}, &nr); err != nil || !is {
			return 0, err
		}
		if _, err := w.dropItems.Exec(nr); err != nil {
			return 0, err
		}
		_, err := w.dropBatch.Exec(nr)
		return 1, err
	})
}

// PurgeDeliveries removes deliveries of events before t that nobody attempts any
// more, oldest first.
func (s *Store) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.purgeRows(ctx, "purge deliveries", func(w *writer) *sql.Stmt { return w.purgeDeliveries }, t, limit)
}
