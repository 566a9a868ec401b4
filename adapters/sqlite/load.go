package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	eventsOfSQL     = `SELECT data FROM events WHERE nr = ?1 ORDER BY first_seq`
	saveTemplateSQL = `INSERT INTO templates (hash, template_id, data) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`

	// purgeSQL: a workflow that is not there has ended too.
	purgeSQL = `
DELETE FROM idempotency WHERE scope IN (
	SELECT scope FROM idempotency i
	WHERE created_at < ?1
	AND NOT EXISTS (SELECT 1 FROM workflows w WHERE w.workflow_id = i.workflow_id AND w.active)
	ORDER BY created_at LIMIT ?2)`
)

// get reads one row that may not be there.
func (s *Store) get(ctx context.Context, doing, query string, arg any, into ...any) error {
	return found(doing, s.reads.QueryRowContext(ctx, query, arg).Scan(into...))
}

func found(doing string, err error) error {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ports.ErrNotFound
	case err != nil:
		return unavailable(doing, err)
	}
	return nil
}

// Load gives a workflow as committed: row and events of one moment.
func (s *Store) Load(ctx context.Context, workflowID string) (ports.Record, error) {
	const doing = "load a workflow"
	var rec ports.Record
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return rec, unavailable(doing, err)
	}
	defer tx.Rollback() // nothing was written
	var nr int64
	row := tx.QueryRowContext(ctx, `SELECT `+rowColumns+`, nr FROM workflows WHERE workflow_id = ?1`, workflowID)
	if err := found(doing, scanRow(row, &rec.Row, &nr)); err != nil {
		return ports.Record{}, err
	}
	rows, err := tx.QueryContext(ctx, eventsOfSQL, nr)
	if err == nil {
		rec.Events, err = collect(rows, scanEvents)
	}
	if err != nil {
		return ports.Record{}, unavailable(doing, err)
	}
	return rec, nil
}

func scanEvents(from scanner) (data []byte, err error) {
	err = from.Scan(&data)
	return data, err
}

// collect reads all rows of a result.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, rows.Err()
}

// WorkflowOfSaga finds the workflow of a saga.
func (s *Store) WorkflowOfSaga(ctx context.Context, sagaID string) (id string, err error) {
	err = s.get(ctx, "find the workflow of a saga", `SELECT workflow_id FROM workflows WHERE saga_id = ?1`, sagaID, &id)
	return id, err
}

// BusinessKeyHolder finds the active or COMPLETED workflow of a type with a business key.
func (s *Store) BusinessKeyHolder(ctx context.Context, workflowType, businessKey string) (id string, err error) {
	const doing = "find a business key"
	err = found(doing, s.reads.QueryRowContext(ctx, businessKeySQL, businessKey, workflowType).Scan(&id))
	return id, err
}

// Idempotency finds a record by scope.
func (s *Store) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	var rec ports.IdempotencyRecord
	var created int64
	err := s.get(ctx, "find an idempotency record",
		`SELECT scope, fingerprint, workflow_id, version, created_at FROM idempotency WHERE scope = ?1`, scope,
		&rec.Scope, &rec.Fingerprint, &rec.WorkflowID, &rec.Version, &created)
	if err != nil {
		return ports.IdempotencyRecord{}, err
	}
	rec.CreatedAt = fromMicros(&created)
	return rec, nil
}

// PurgeIdempotency removes old records of ended workflows, oldest first.
func (s *Store) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	var removed int64
	err := s.write(ctx, "purge idempotency records", func(w *writer) error {
		result, err := w.purge.Exec(t.UnixMicro(), limit)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	return int(removed), err
}

// SaveTemplate keeps a template under its hash; saving it again changes nothing.
func (s *Store) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	return s.write(ctx, "save a template", func(w *writer) error {
		_, err := w.saveTemplate.Exec(hash, templateID, data)
		return err
	})
}

// LoadTemplate gives what was saved under a hash.
func (s *Store) LoadTemplate(ctx context.Context, hash string) (data []byte, err error) {
	err = s.get(ctx, "load a template", `SELECT data FROM templates WHERE hash = ?1`, hash, &data)
	return data, err
}
