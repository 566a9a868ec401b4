package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

const insertEntrySQL = `INSERT INTO audit (` + sqlrow.AuditColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// note writes an audit entry, if there is one, with what it tells of.
func note(ctx context.Context, tx pgx.Tx, e *ports.AuditEntry) error {
	if e == nil {
		return nil
	}
	_, err := tx.Exec(ctx, insertEntrySQL, e.At, storable(e.ID), storable(e.Subject), storable(e.Role), storable(e.Action),
		storable(e.Target), storable(e.Reason), storable(e.RequestID), storable(e.TraceID), []byte(e.Before), []byte(e.After))
	return err
}

// ListAudit gives a page of entries, newest first.
func (s *Store) ListAudit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	l, err := sqlrow.NewAuditList(q, dialect)
	if err != nil {
		return ports.AuditPage{}, err
	}
	sql, args := l.TotalQuery()
	totals, err := list(ctx, s, pgx.RowTo[int], sql, args...)
	if err != nil {
		return ports.AuditPage{}, err
	}
	sql, args = l.PageQuery()
	entries, err := list(ctx, s, entry, sql, args...)
	if err != nil {
		return ports.AuditPage{}, err
	}
	return l.Page(entries, totals[0]), nil
}

// entry reads sqlrow.AuditColumns.
func entry(r pgx.CollectableRow) (e ports.AuditEntry, err error) {
	err = r.Scan(&e.At, &e.ID, &e.Subject, &e.Role, &e.Action, &e.Target, &e.Reason, &e.RequestID, &e.TraceID,
		(*[]byte)(&e.Before), (*[]byte)(&e.After))
	e.At = e.At.UTC()
	return e, err
}
