package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// batchColumns are the columns of batches that make a ports.Batch, in the order of scanBatch.
const batchColumns = `batch_id, action, reason, request, filter, per_second, created_by, role, created_at, ended_at,
	status, total, succeeded, failed`

const (
	// insertBatchSQL gives no row where no slot is free, or where another batch
	// was given it meanwhile. An ended batch has none.
	insertBatchSQL = `
INSERT INTO batches (` + batchColumns + `, keeper, slot)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, '', slot FROM (
	SELECT NULL::integer AS slot WHERE $10::timestamptz IS NOT NULL
	UNION ALL (
		SELECT s FROM generate_series(1, $13::integer) AS s
		WHERE $10::timestamptz IS NULL AND NOT EXISTS (SELECT FROM batches b WHERE b.slot = s) ORDER BY random() LIMIT 1
	)
) AS free
ON CONFLICT (slot) WHERE slot IS NOT NULL DO NOTHING RETURNING nr`

	insertItemsSQL = `
INSERT INTO batch_items (nr, ord, workflow_id) SELECT $1, ord, id FROM unnest($2::text[]) WITH ORDINALITY AS i(id, ord)`

	cancelBatchSQL = `
UPDATE batches SET status = 'CANCELLED', ended_at = $2, slot = NULL WHERE batch_id = $1 AND slot IS NOT NULL
RETURNING ` + batchColumns

	claimBatchSQL = `
WITH free AS (
	SELECT batch_id AS id FROM batches b WHERE slot IS NOT NULL
	AND NOT EXISTS (SELECT FROM replicas r WHERE r.replica = b.keeper AND r.expires_at > clock_timestamp())
	ORDER BY created_at, batch_id LIMIT 1 FOR UPDATE OF b SKIP LOCKED
)
UPDATE batches b SET keeper = $1 FROM free WHERE b.batch_id = free.id RETURNING ` + batchColumns

	heldBatchSQL = `SELECT nr, slot IS NOT NULL FROM batches WHERE batch_id = $1 AND keeper = $2 AND keeper <> ''`

	itemColumns  = `workflow_id, done, succeeded, code, message, at`
	itemsSQL     = `SELECT ` + itemColumns + ` FROM batch_items WHERE nr = $1 ORDER BY ord LIMIT $2 OFFSET $3`
	nextItemsSQL = `SELECT ` + itemColumns + ` FROM batch_items WHERE nr = $1 AND NOT done ORDER BY ord LIMIT $2`

	settleItemsSQL = `
WITH settled AS (
	UPDATE batch_items i SET done = true, succeeded = r.succeeded, code = r.code, message = r.message, at = r.at
	FROM unnest($2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamptz[]) AS r(workflow_id, succeeded, code, message, at)
	WHERE i.nr = $1 AND i.workflow_id = r.workflow_id AND NOT i.done
	RETURNING i.succeeded
)
SELECT count(*) FILTER (WHERE succeeded), count(*) FILTER (WHERE NOT succeeded) FROM settled`

	countResultsSQL = `UPDATE batches SET succeeded = succeeded + $2, failed = failed + $3 WHERE batch_id = $1`

	// completeBatchSQL ends the batch with its last result.
	completeBatchSQL = `
UPDATE batches b SET status = 'COMPLETED', slot = NULL, ended_at = (SELECT max(at) FROM batch_items i WHERE i.nr = b.nr)
WHERE batch_id = $1 AND slot IS NOT NULL AND succeeded + failed = total`
)

func scanBatch(r pgx.CollectableRow) (b ports.Batch, err error) {
	var ended *time.Time
	err = r.Scan(&b.ID, &b.Action, &b.Reason, (*[]byte)(&b.Request), (*[]byte)(&b.Filter), &b.PerSecond, &b.CreatedBy, &b.Role,
		&b.CreatedAt, &ended, &b.Status, &b.Total, &b.Succeeded, &b.Failed)
	b.CreatedAt, b.EndedAt = b.CreatedAt.UTC(), orZero(ended)
	return b, err
}

func scanItem(r pgx.CollectableRow) (item ports.BatchItem, err error) {
	var at *time.Time
	err = r.Scan(&item.WorkflowID, &item.Done, &item.Succeeded, &item.Code, &item.Message, &at)
	item.At = orZero(at)
	return item, err
}

// CreateBatch keeps a batch and its workflows.
func (s *Store) CreateBatch(ctx context.Context, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) error {
	if err := sqlrow.CheckItems(workflowIDs); err != nil {
		return err
	}
	// Whenever another batch takes the slot first there is one slot less.
	for range ports.MaxRunningBatches + 1 {
		made := false
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			made, err = createBatch(ctx, tx, b, workflowIDs, audit)
			return err
		})
		switch {
		case sqlState(err) == "23505": // unique_violation: the ID; the slot has its own way
			return ports.ErrConflict
		case err != nil:
			return unavailable("create a batch", err)
		case made:
			return nil
		}
	}
	return ports.ErrOverloaded
}

// createBatch reports false if the batch could not have a slot.
func createBatch(ctx context.Context, tx pgx.Tx, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) (bool, error) {
	status, ended := ports.BatchRunning, (*time.Time)(nil)
	if len(workflowIDs) == 0 {
		status, ended = ports.BatchCompleted, &b.CreatedAt
	}
	var nr int64
	err := tx.QueryRow(ctx, insertBatchSQL, storable(b.ID), storable(b.Action), storable(b.Reason), []byte(b.Request), []byte(b.Filter), b.PerSecond,
		storable(b.CreatedBy), storable(b.Role), b.CreatedAt, ended, status, len(workflowIDs), ports.MaxRunningBatches).Scan(&nr)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ids := make([]string, len(workflowIDs))
	for i, id := range workflowIDs {
		ids[i] = storable(id)
	}
	if _, err := tx.Exec(ctx, insertItemsSQL, nr, ids); err != nil {
		return false, err
	}
	return true, note(ctx, tx, audit)
}

// Batch by ID.
func (s *Store) Batch(ctx context.Context, id string) (ports.Batch, error) {
	return one(ctx, s, "find a batch", scanBatch, `SELECT `+batchColumns+` FROM batches WHERE batch_id = $1`, storable(id))
}

// ListBatches gives a page of batches, newest first.
func (s *Store) ListBatches(ctx context.Context, offset, limit int) (batches []ports.Batch, total int, err error) {
	const doing = "list batches"
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM batches`).Scan(&total); err != nil {
		return nil, 0, unavailable(doing, err)
	}
	rows, _ := s.pool.Query(ctx, `SELECT `+batchColumns+` FROM batches ORDER BY created_at DESC, batch_id DESC LIMIT $1 OFFSET $2`, limit, offset)
	if batches, err = pgx.CollectRows(rows, scanBatch); err != nil {
		return nil, 0, unavailable(doing, err)
	}
	return batches, total, nil
}

// BatchItems gives a page of the items of a batch.
func (s *Store) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
	const doing = "list the items of a batch"
	nr, err := one(ctx, s, doing, pgx.RowTo[int64], `SELECT nr FROM batches WHERE batch_id = $1`, storable(id))
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, itemsSQL, nr, limit, offset)
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return nil, unavailable(doing, err)
	}
	return items, nil
}

// CancelBatch ends a RUNNING batch.
func (s *Store) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	var cancelled []ports.Batch
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		rows, _ := tx.Query(ctx, cancelBatchSQL, storable(id), at)
		if cancelled, err = pgx.CollectRows(rows, scanBatch); err != nil || len(cancelled) == 0 {
			return err
		}
		return note(ctx, tx, audit)
	})
	switch {
	case err != nil:
		return ports.Batch{}, unavailable("cancel a batch", err)
	case len(cancelled) == 0:
		return s.Batch(ctx, id)
	}
	return cancelled[0], nil
}

// ClaimBatch hands the oldest batch that nobody alive holds to a replica.
func (s *Store) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	return one(ctx, s, "claim a batch", scanBatch, claimBatchSQL, storable(replica))
}

// heldBatch is the number of a batch that a replica holds, and whether it runs.
type heldBatch struct {
	Nr      int64
	Running bool
}

// NextItems gives items without a result to the batch's holder.
func (s *Store) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	const doing = "find the next items of a batch"
	held, err := one(ctx, s, doing, pgx.RowToStructByPos[heldBatch], heldBatchSQL, storable(id), storable(replica))
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, ports.ErrConflict
	case err != nil || !held.Running:
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, nextItemsSQL, held.Nr, limit)
	items, err := pgx.CollectRows(rows, scanItem)
	if err != nil {
		return nil, unavailable(doing, err)
	}
	return items, nil
}

// SettleItems records results and counts them. The batch's row is locked first,
// so that what is counted then is all that others have settled.
func (s *Store) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	results := newResults(items)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, heldBatchSQL+` FOR UPDATE`, storable(id), storable(replica))
		held, err := pgx.CollectOneRow(rows, pgx.RowToStructByPos[heldBatch])
		if err != nil {
			return err
		}
		var succeeded, failed int
		err = tx.QueryRow(ctx, settleItemsSQL, held.Nr, results.ids, results.succeeded, results.codes, results.messages, results.at).Scan(&succeeded, &failed)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, countResultsSQL, storable(id), succeeded, failed); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, completeBatchSQL, storable(id))
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ports.ErrConflict
	case err != nil:
		return unavailable("settle items of a batch", err)
	}
	return nil
}

// results are the first result of each item, by columns.
type results struct {
	ids, codes, messages []string
	succeeded            []bool
	at                   []*time.Time
}

func newResults(items []ports.BatchItem) results {
	var r results
	seen := make(map[string]bool, len(items))
	for i := range items {
		item := &items[i]
		if seen[item.WorkflowID] {
			continue
		}
		seen[item.WorkflowID] = true
		r.ids, r.succeeded = append(r.ids, storable(item.WorkflowID)), append(r.succeeded, item.Succeeded)
		r.codes, r.messages = append(r.codes, storable(item.Code)), append(r.messages, storable(item.Message))
		var at *time.Time
		if !item.At.IsZero() {
			at = &item.At
		}
		r.at = append(r.at, at)
	}
	return r
}
