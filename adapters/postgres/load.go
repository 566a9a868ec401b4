package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// one runs a query that finds one value or none.
func one[T any](ctx context.Context, s *Store, doing string, read pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, _ := s.pool.Query(ctx, sql, args...) // its error comes with the rows
	value, err := pgx.CollectOneRow(rows, read)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return value, ports.ErrNotFound
	case err != nil:
		return value, unavailable(doing, err)
	}
	return value, nil
}

// Load gives a workflow as committed.
func (s *Store) Load(ctx context.Context, workflowID string) (ports.Record, error) {
	return one(ctx, s, "load a workflow", record,
		`SELECT `+rowColumns+`, `+eventLists+` FROM workflows w WHERE workflow_id = $1`, storable(workflowID))
}

// WorkflowOfSaga finds the workflow of a saga.
func (s *Store) WorkflowOfSaga(ctx context.Context, sagaID string) (string, error) {
	return one(ctx, s, "find the workflow of a saga", pgx.RowTo[string],
		`SELECT workflow_id FROM workflows WHERE saga_id = $1 LIMIT 1`, storable(sagaID))
}

// BusinessKeyHolder finds the active or COMPLETED workflow of a type with a business key.
func (s *Store) BusinessKeyHolder(ctx context.Context, workflowType, businessKey string) (string, error) {
	return one(ctx, s, "find a business key", pgx.RowTo[string],
		`SELECT workflow_id FROM workflows WHERE type = $1 AND business_key = $2 AND blocks`,
		storable(workflowType), storable(businessKey))
}

// Idempotency finds a record by scope.
func (s *Store) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	return one(ctx, s, "find an idempotency record", func(r pgx.CollectableRow) (ports.IdempotencyRecord, error) {
		var rec ports.IdempotencyRecord
		err := r.Scan(&rec.Scope, &rec.Fingerprint, &rec.WorkflowID, &rec.Version, &rec.CreatedAt)
		rec.CreatedAt = rec.CreatedAt.UTC()
		return rec, err
	}, `SELECT scope, fingerprint, workflow_id, version, created_at FROM idempotency WHERE scope = $1`, storable(scope))
}

// purgeSQL: a workflow that is not there has ended too. Rows that another purge
// is removing are left to it.
const purgeSQL = `
DELETE FROM idempotency WHERE scope IN (
	SELECT scope FROM idempotency i
	WHERE created_at < $1
	AND NOT EXISTS (SELECT FROM workflows w WHERE w.workflow_id = i.workflow_id AND w.active)
	ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`

// PurgeIdempotency removes old records of ended workflows, oldest first.
func (s *Store) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, purgeSQL, t, limit)
	if err != nil {
		return 0, unavailable("purge idempotency records", err)
	}
	return int(tag.RowsAffected()), nil
}

// SaveTemplate keeps a template under its hash; saving it again changes nothing.
func (s *Store) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	if data == nil {
		data = []byte{}
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO templates (hash, template_id, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		hash, templateID, data)
	if err != nil {
		return unavailable("save a template", err)
	}
	return nil
}

// LoadTemplate gives what was saved under a hash.
func (s *Store) LoadTemplate(ctx context.Context, hash string) ([]byte, error) {
	return one(ctx, s, "load a template", pgx.RowTo[[]byte], `SELECT data FROM templates WHERE hash = $1`, storable(hash))
}
