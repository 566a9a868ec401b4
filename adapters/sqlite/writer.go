package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/firstviscount/platform-coordination/ports"
)

// writer is the one connection that writes, with its statements.
//
// Its methods run to their end whatever happens to the caller's context: a
// transaction takes milliseconds, and giving up half-way would cost more.
type writer struct {
	conn       *sql.Conn
	statements []*sql.Stmt // to be closed

	begin, commit, rollback *sql.Stmt

	find, insert, advance, replace    *sql.Stmt
	insertEvents                      *sql.Stmt
	insertKey, keyExists, businessKey *sql.Stmt
	addCount, addTotal                *sql.Stmt
	renew, endLease, release          *sql.Stmt
	due, abandoned, give, eventsOf    *sql.Stmt
	owe, published, owed, keep        *sql.Stmt
	disown                            *sql.Stmt
	purge, saveTemplate               *sql.Stmt

	administration
	subscriptions
}

// prepared is where a statement goes.
type prepared struct {
	stmt **sql.Stmt
	sql  string
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn}
	for _, s := range slices.Concat(w.administration.list(), w.subscriptions.list(), []prepared{
		{&w.begin, "BEGIN IMMEDIATE"}, {&w.commit, "COMMIT"}, {&w.rollback, "ROLLBACK"},
		{&w.find, findSQL}, {&w.insert, insertSQL}, {&w.advance, advanceSQL}, {&w.replace, replaceSQL}, {&w.insertEvents, insertEventsSQL},
		{&w.insertKey, insertKeySQL}, {&w.keyExists, keyExistsSQL}, {&w.businessKey, businessKeySQL},
		{&w.addCount, addCountSQL}, {&w.addTotal, addTotalSQL},
		{&w.renew, renewSQL}, {&w.endLease, endLeaseSQL}, {&w.release, releaseSQL},
		{&w.due, dueSQL}, {&w.abandoned, abandonedSQL}, {&w.give, giveSQL}, {&w.eventsOf, eventsOfSQL},
		{&w.owe, oweSQL}, {&w.published, publishedSQL}, {&w.owed, owedSQL}, {&w.keep, keepSQL}, {&w.disown, disownSQL},
		{&w.purge, purgeSQL}, {&w.saveTemplate, saveTemplateSQL},
	}) {
		if *s.stmt, err = conn.PrepareContext(ctx, s.sql); err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.statements = append(w.statements, *s.stmt)
	}
	return w, nil
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// errClosed: the store was closed.
var errClosed = errors.New("store is closed")

// write runs one transaction, once nobody else writes.
func (s *Store) write(ctx context.Context, doing string, do func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(doing, err)
	}
	select {
	case w := <-s.writer:
		defer func() { s.writer <- w }()
		if err := w.transact(do); err != nil {
			return unavailable(doing, err)
		}
		return nil
	case <-ctx.Done():
		return unavailable(doing, ctx.Err())
	case <-s.closed:
		return unavailable(doing, errClosed)
	}
}

func (w *writer) transact(do func(*writer) error) error {
	if _, err := w.begin.Exec(); err != nil {
		return err
	}
	err := do(w)
	if err == nil {
		_, err = w.commit.Exec()
	}
	if err != nil {
		_, _ = w.rollback.Exec() // SQLite may have done so by itself, as when the disk is full
	}
	return err
}

// one reads a row that may not be there.
func one(stmt *sql.Stmt, args []any, into ...any) (found bool, err error) {
	err = stmt.QueryRow(args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// isRefusal reports whether an error refuses one change and leaves its neighbours.
func isRefusal(err error) bool {
	return errors.Is(err, ports.ErrConflict) || errors.Is(err, ports.ErrBusinessKeyTaken) || errors.Is(err, ports.ErrIdempotencyKeyTaken)
}
