package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// batchColumns are the columns of batches that make a ports.Batch, in the order of scanBatch.
const batchColumns = `batch_id, action, reason, request, filter, per_second, created_by, role, created_at, ended_at,
	status, total, succeeded, failed`

const (
	countRunningSQL = `SELECT count(*) FROM batches WHERE ended_at IS NULL`
	roomSQL         = `SELECT (` + countRunningSQL + `), (SELECT count(*) FROM batches WHERE batch_id = ?1)`
	insertBatchSQL  = `INSERT INTO batches (` + batchColumns + `, keeper)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, '')`

	// insertItemsSQL takes the workflows as one JSON array: a statement for each
	// of them would hold up commits for far longer.
	insertItemsSQL = `INSERT INTO batch_items (nr, ord, workflow_id) SELECT ?1, key, value FROM json_each(?2)`

	findBatchSQL   = `SELECT ` + batchColumns + `, nr FROM batches WHERE batch_id = ?1`
	listBatchesSQL = `SELECT ` + batchColumns + `, nr FROM batches ORDER BY created_at DESC, batch_id DESC LIMIT ?1 OFFSET ?2`
	cancelBatchSQL = `UPDATE batches SET status = 'CANCELLED', ended_at = ?2 WHERE batch_id = ?1 AND ended_at IS NULL`

	freeBatchSQL = `
SELECT ` + batchColumns + `, nr FROM batches b
WHERE ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.replica = b.keeper AND r.expires_at > ?1)
ORDER BY created_at, batch_id LIMIT 1`

	keepBatchSQL    = `UPDATE batches SET keeper = ?1 WHERE nr = ?2`
	leaveBatchesSQL = `UPDATE batches SET keeper = '' WHERE ended_at IS NULL AND keeper = ?1`
	heldBatchSQL    = `SELECT nr, ended_at IS NULL FROM batches WHERE batch_id = ?1 AND keeper = ?2 AND keeper <> ''`

	itemColumns  = `workflow_id, done, succeeded, code, message, at`
	itemsSQL     = `SELECT ` + itemColumns + ` FROM batch_items WHERE nr = ?1 ORDER BY ord LIMIT ?2 OFFSET ?3`
	nextItemsSQL = `SELECT ` + itemColumns + ` FROM batch_items WHERE nr = ?1 AND NOT done ORDER BY ord LIMIT ?2`

	settleItemSQL = `
UPDATE batch_items SET done = 1, succeeded = ?3, code = ?4, message = ?5, at = ?6
WHERE nr = ?1 AND workflow_id = ?2 AND NOT done`

	// countResultsSQL ends the batch with its last result.
	countResultsSQL = `
UPDATE batches SET succeeded = succeeded + ?2, failed = failed + ?3,
	status = CASE WHEN ended_at IS NULL AND succeeded + failed + ?2 + ?3 = total THEN 'COMPLETED' ELSE status END,
	ended_at = CASE WHEN ended_at IS NULL AND succeeded + failed + ?2 + ?3 = total
		THEN (SELECT max(at) FROM batch_items i WHERE i.nr = batches.nr) ELSE ended_at END
WHERE nr = ?1`
)

// numbered is a batch with its number.
type numbered struct {
	ports.Batch
	nr int64
}

func scanBatch(from scanner) (b numbered, err error) {
	var created int64
	var ended *int64
	err = from.Scan(&b.ID, &b.Action, &b.Reason, (*[]byte)(&b.Request), (*[]byte)(&b.Filter), &b.PerSecond, &b.CreatedBy, &b.Role,
		&created, &ended, &b.Status, &b.Total, &b.Succeeded, &b.Failed, &b.nr)
	b.CreatedAt, b.EndedAt = fromMicros(&created), fromMicros(ended)
	return b, err
}

func scanItem(from scanner) (item ports.BatchItem, err error) {
	var at *int64
	err = from.Scan(&item.WorkflowID, &item.Done, &item.Succeeded, &item.Code, &item.Message, &at)
	item.At = fromMicros(at)
	return item, err
}

// CreateBatch keeps a batch and its workflows.
func (s *Store) CreateBatch(ctx context.Context, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) error {
	if err := sqlrow.CheckItems(workflowIDs); err != nil {
		return err
	}
	ids, err := json.Marshal(workflowIDs)
	if err != nil {
		return err
	}
	status, ended := ports.BatchRunning, any(nil)
	if len(workflowIDs) == 0 {
		status, ended, ids = ports.BatchCompleted, b.CreatedAt.UnixMicro(), []byte("[]")
	}
	var refused error
	err = s.write(ctx, "create a batch", func(w *writer) error {
		var running, same int
		if _, err := one(w.room, []any{b.ID}, &running, &same); err != nil {
			return err
		}
		switch {
		case same > 0:
			refused = ports.ErrConflict
			return nil
		case status == ports.BatchRunning && running >= ports.MaxRunningBatches:
			refused = ports.ErrOverloaded
			return nil
		}
		result, err := w.insertBatch.Exec(b.ID, b.Action, b.Reason, optional(b.Request), optional(b.Filter), b.PerSecond, b.CreatedBy, b.Role,
			b.CreatedAt.UnixMicro(), ended, string(status), len(workflowIDs))
		if err != nil {
			return err
		}
		nr, err := result.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := w.insertItems.Exec(nr, string(ids)); err != nil {
			return err
		}
		return w.note(audit)
	})
	if err != nil {
		return err
	}
	return refused
}

// batch reads one batch.
func (s *Store) batch(ctx context.Context, id string) (numbered, error) {
	const doing = "find a batch"
	b, err := scanBatch(s.reads.QueryRowContext(ctx, findBatchSQL, id))
	return b, found(doing, err)
}

// Batch by ID.
func (s *Store) Batch(ctx context.Context, id string) (ports.Batch, error) {
	b, err := s.batch(ctx, id)
	return b.Batch, err
}

// ListBatches gives a page of batches, newest first.
func (s *Store) ListBatches(ctx context.Context, offset, limit int) (batches []ports.Batch, total int, err error) {
	const doing = "list batches"
	if err := found(doing, s.reads.QueryRowContext(ctx, `SELECT count(*) FROM batches`).Scan(&total)); err != nil {
		return nil, 0, err
	}
	list, err := query(ctx, s, doing, scanBatch, listBatchesSQL, limit, offset)
	for _, b := range list {
		batches = append(batches, b.Batch)
	}
	return batches, total, err
}

// BatchItems gives a page of the items of a batch.
func (s *Store) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
	b, err := s.batch(ctx, id)
	if err != nil {
		return nil, err
	}
	return query(ctx, s, "list the items of a batch", scanItem, itemsSQL, b.nr, limit, offset)
}

// CancelBatch ends a RUNNING batch.
func (s *Store) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	var b numbered
	missing := false
	err := s.write(ctx, "cancel a batch", func(w *writer) error {
		result, err := w.cancelBatch.Exec(id, at.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			if err := errors.Join(err, w.note(audit)); err != nil {
				return err
			}
		}
		b, missing, err = w.batchOf(id)
		return err
	})
	if err == nil && missing {
		err = ports.ErrNotFound
	}
	return b.Batch, err
}

// batchOf reads one batch within a transaction.
func (w *writer) batchOf(id string) (b numbered, missing bool, err error) {
	rows, err := w.findBatch.Query(id)
	if err != nil {
		return b, false, err
	}
	list, err := collect(rows, scanBatch)
	if err != nil || len(list) == 0 {
		return b, err == nil, err
	}
	return list[0], false, nil
}

// ClaimBatch hands the oldest batch that nobody alive holds to a replica.
func (s *Store) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	var running int
	const doing = "claim a batch"
	if err := found(doing, s.reads.QueryRowContext(ctx, countRunningSQL).Scan(&running)); err != nil {
		return ports.Batch{}, err
	}
	if running == 0 { // nearly always: spares the writer
		return ports.Batch{}, ports.ErrNotFound
	}
	var claimed []numbered
	err := s.write(ctx, doing, func(w *writer) error {
		rows, err := w.freeBatch.Query(now())
		if err != nil {
			return err
		}
		if claimed, err = collect(rows, scanBatch); err != nil || len(claimed) == 0 {
			return err
		}
		_, err = w.keepBatch.Exec(replica, claimed[0].nr)
		return err
	})
	switch {
	case err != nil:
		return ports.Batch{}, err
	case len(claimed) == 0:
		return ports.Batch{}, ports.ErrNotFound
	}
	return claimed[0].Batch, nil
}

// NextItems gives items without a result to the batch's holder.
func (s *Store) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	const doing = "find the next items of a batch"
	var nr int64
	var running bool
	err := found(doing, s.reads.QueryRowContext(ctx, heldBatchSQL, id, replica).Scan(&nr, &running))
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return nil, ports.ErrConflict
	case err != nil || !running:
		return nil, err
	}
	return query(ctx, s, doing, scanItem, nextItemsSQL, nr, limit)
}

// SettleItems records results and counts them.
func (s *Store) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	holds := false
	err := s.write(ctx, "settle items of a batch", func(w *writer) error {
		var nr int64
		var running bool
		var err error
		if holds, err = one(w.heldBatch, []any{id, replica}, &nr, &running); err != nil || !holds {
			return err
		}
		results := map[bool]int{}
		for _, item := range items {
			result, err := w.settleItem.Exec(nr, item.WorkflowID, item.Succeeded, item.Code, item.Message, micros(item.At))
			if err != nil {
				return err
			}
			settled, err := result.RowsAffected()
			if err != nil {
				return err
			}
			results[item.Succeeded] += int(settled)
		}
		_, err = w.countResults.Exec(nr, results[true], results[false])
		return err
	})
	if err == nil && !holds {
		return ports.ErrConflict
	}
	return err
}
