package sqlite

import (
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// rowColumns are the columns of workflows that make a ports.Row, in the order of scanRow.
const rowColumns = `workflow_id, saga_id, type, template_hash, business_key, customer_id, priority, status, saga,
	current_step, settled_steps, total_steps, error_code, metadata, version, published, run,
	started_at, updated_at, ended_at, owner, due_at, wake_at`

// scanner is a row of a result.
type scanner interface{ Scan(into ...any) error }

// scanRow reads rowColumns, and what else was selected after them.
func scanRow(from scanner, row *ports.Row, more ...any) error {
	var started, updated int64
	var ended, due, wake *int64
	err := from.Scan(append([]any{
		&row.WorkflowID, &row.SagaID, &row.Type, &row.TemplateHash, &row.BusinessKey, &row.CustomerID, &row.Priority,
		&row.Status, &row.Saga, &row.CurrentStep, &row.SettledSteps, &row.TotalSteps, &row.ErrorCode,
		(*[]byte)(&row.Metadata), &row.Version, &row.Published, &row.Run,
		&started, &updated, &ended, &row.Owner, &due, &wake,
	}, more...)...)
	row.StartedAt, row.UpdatedAt = fromMicros(&started), fromMicros(&updated)
	row.EndedAt, row.DueAt, row.WakeAt = fromMicros(ended), fromMicros(due), fromMicros(wake)
	return err
}

// fromMicros is a stored time; null is the zero time.
func fromMicros(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}
