package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// rowColumns are the columns of workflows that make a ports.Row, in the order of scanRow.
const rowColumns = `workflow_id, saga_id, type, template_hash, business_key, customer_id, priority, status, saga,
	current_step, settled_steps, total_steps, error_code, metadata, version, published, run,
	started_at, updated_at, ended_at, owner, due_at, wake_at`

// eventLists are the events of a workflow w, as a list of byte strings.
const eventLists = `coalesce((SELECT array_agg(e.data ORDER BY e.first_seq) FROM events e WHERE e.nr = w.nr), '{}')`

// scanRow reads rowColumns, and what else was selected after them.
func scanRow(rows pgx.CollectableRow, row *ports.Row, more ...any) error {
	var ended, due, wake *time.Time
	err := rows.Scan(append([]any{
		&row.WorkflowID, &row.SagaID, &row.Type, &row.TemplateHash, &row.BusinessKey, &row.CustomerID, &row.Priority,
		&row.Status, &row.Saga, &row.CurrentStep, &row.SettledSteps, &row.TotalSteps, &row.ErrorCode,
		(*[]byte)(&row.Metadata), &row.Version, &row.Published, &row.Run,
		&row.StartedAt, &row.UpdatedAt, &ended, &row.Owner, &due, &wake,
	}, more...)...)
	row.StartedAt, row.UpdatedAt = row.StartedAt.UTC(), row.UpdatedAt.UTC()
	row.EndedAt, row.DueAt, row.WakeAt = orZero(ended), orZero(due), orZero(wake)
	return err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// record reads rowColumns and eventLists.
func record(rows pgx.CollectableRow) (ports.Record, error) {
	var rec ports.Record
	err := scanRow(rows, &rec.Row, &rec.Events)
	return rec, err
}

// row reads rowColumns.
func row(rows pgx.CollectableRow) (ports.Row, error) {
	var r ports.Row
	err := scanRow(rows, &r)
	return r, err
}
