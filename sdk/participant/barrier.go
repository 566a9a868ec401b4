package participant

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Dialect is the SQL of a participant's database. There is none for MySQL, whose
// INSERT cannot say ON CONFLICT; [Barrier] holds no promise there.
type Dialect int

// The dialects.
const (
	// Postgres is PostgreSQL, and what speaks like it; placeholders are $1, $2, …
	Postgres Dialect = iota
	// SQLite needs a busy timeout, and immediate transactions where its driver
	// has them: otherwise two commands at once get RETRY more often than need be.
	// Placeholders are ?.
	SQLite
)

// table is where a barrier keeps what it knows.
const table = "saga_barrier"

// TxFunc carries out one action in the participant's own transaction. What it
// writes by tx is committed together with the answer, or not at all: its
// outcomes SUCCEEDED, REJECTED and ACCEPTED commit, all others, and an error,
// roll back. An error is told as RETRY, since nothing was done. It must not
// commit or roll back itself.
type TxFunc func(ctx context.Context, tx *sql.Tx, c *Command) (Outcome, error)

// Barrier keeps the rules of the protocol in the participant's own database, in
// the transaction of the effect: whatever crashes, a command's effect and the
// memory of it are both there or both not.
//
//   - The same command again gets the same answer; at the same time, too: the
//     second waits for the first.
//   - Another request under the same key is refused.
//   - The undo of a command that never came succeeds, and the command is
//     rejected if it comes.
//   - An undo has its effect once. One that is REJECTED is the exception to the
//     first rule: it was not done, and is tried again when it comes again, which
//     is when a person has had the coordinator retry it.
//
// It holds only as far as effects are in that database. An effect elsewhere (a
// card is charged) needs a key of its own there: CommandID.
type Barrier struct {
	db      *sql.DB
	dialect Dialect
}

// NewBarrier makes a barrier on a database; see Migrate. It panics if the
// dialect is none of the constants.
func NewBarrier(db *sql.DB, dialect Dialect) *Barrier {
	if dialect != Postgres && dialect != SQLite {
		panic("participant: a barrier speaks the SQL of Postgres and SQLite only")
	}
	return &Barrier{db, dialect}
}

// OpenBarrier opens a participant's database by the name of its driver and makes
// a barrier on it, for participants that want nothing of it beside their
// actions. tables are statements that create the participant's own, and change
// nothing when they are repeated. The database stays open as long as the process.
func OpenBarrier(ctx context.Context, driver, source string, dialect Dialect, tables ...string) (*Barrier, error) {
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("participant: open the database: %w", err)
	}
	b := NewBarrier(db, dialect)
	if err := b.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, statement := range tables {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("participant: create its tables: %w", err), db.Close())
		}
	}
	return b, nil
}

// schema is the barrier's table: a row for each command, and what became of it
// as a burial.
var schema = []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
		command_id  TEXT    PRIMARY KEY,
		fingerprint TEXT    NOT NULL,
		answer      TEXT    NOT NULL,
		buried      INTEGER NOT NULL,
		created_at  BIGINT  NOT NULL
	)`,
	`CREATE INDEX IF NOT EXISTS ` + table + `_age ON ` + table + ` (created_at)`, // for Purge
}

// Migrate creates the barrier's table if it is not there. Many processes may
// call it at once.
func (b *Barrier) Migrate(ctx context.Context) error {
	for _, statement := range schema {
		_, err := b.db.ExecContext(ctx, statement)
		if err != nil { // in PostgreSQL IF NOT EXISTS fails if two say it at once
			_, err = b.db.ExecContext(ctx, statement)
		}
		if err != nil {
			return fmt.Errorf("participant: create %s: %w", table, err)
		}
	}
	return nil
}

// Purge forgets commands that came before t, at most limit of them, and returns
// how many. Keep them for as long as the coordinator may repeat them: longer
// than any workflow lives.
func (b *Barrier) Purge(ctx context.Context, t time.Time, limit int) (int64, error) {
	result, err := b.db.ExecContext(ctx, b.sql(`DELETE FROM `+table+` WHERE command_id IN
		(SELECT command_id FROM `+table+` WHERE created_at < ? LIMIT ?)`), t.UnixMilli(), limit)
	if err != nil {
		return 0, fmt.Errorf("participant: purge %s: %w", table, err)
	}
	return result.RowsAffected()
}

// Do makes an action out of do that has its effect once for each command.
func (b *Barrier) Do(do TxFunc) Handler {
	return handler(func(ctx context.Context, c *Command) Outcome {
		return b.transact(ctx, func(tx *sql.Tx) (Outcome, error) {
			first, known, err := b.enter(ctx, tx, c.CommandID, fingerprint(c))
			switch {
			case err != nil:
				return nil, err
			case first:
				return b.run(ctx, tx, c, do)
			case known.buried != inEffect:
				return remembered{alreadyCompensated}, nil
			case known.fingerprint != fingerprint(c):
				return keyReused, nil
			}
			return remembered{Answered{known.answer}}, nil
		})
	})
}

// Undo makes an action out of undo that takes back what Do did: once, and only
// if there is something to take back. For a command that was ACCEPTED and has
// not been settled, undo is called too: it must stop what was promised.
func (b *Barrier) Undo(undo TxFunc) Handler {
	return handler(func(ctx context.Context, c *Command) Outcome {
		if c.Forward == nil || c.Forward.CommandID == "" {
			return noForward
		}
		return b.transact(ctx, func(tx *sql.Tx) (Outcome, error) {
			// The execution comes first, so that an undo and its execution take
			// the rows in the same order and one waits for the other.
			absent, forward, err := b.enter(ctx, tx, c.Forward.CommandID, "")
			if err != nil {
				return nil, err
			}
			first, known, err := b.enter(ctx, tx, c.CommandID, fingerprint(c))
			switch {
			case err != nil:
				return nil, err
			case !first && known.fingerprint != fingerprint(c):
				return keyReused, nil
			case !first:
				return remembered{Answered{known.answer}}, nil
			}
			if absent || forward.buried == undone || forward.answer.Outcome == coordination.OutcomeRejected {
				return b.runUndo(ctx, tx, c, nothingToUndo)
			}
			return b.runUndo(ctx, tx, c, undo)
		})
	})
}

func nothingToUndo(context.Context, *sql.Tx, *Command) (Outcome, error) { return Succeeded{}, nil }

// run calls the action and writes its answer, if it is one to keep.
func (b *Barrier) run(ctx context.Context, tx *sql.Tx, c *Command, do TxFunc) (Outcome, error) {
	if c.Late() {
		return late(), nil
	}
	o, err := do(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	a, err := o.answer()
	if err != nil {
		return nil, err
	}
	if !keeps(a.Outcome) {
		return o, nil
	}
	return o, b.write(ctx, tx, c.CommandID, a)
}

// runUndo runs an undo, and writes what that means for the execution.
func (b *Barrier) runUndo(ctx context.Context, tx *sql.Tx, c *Command, undo TxFunc) (Outcome, error) {
	o, err := b.run(ctx, tx, c, undo)
	if err != nil {
		return nil, err
	}
	a, err := o.answer()
	if err != nil {
		return nil, err
	}
	if a.Outcome == coordination.OutcomeRejected { // to be tried again
		_, err = tx.ExecContext(ctx, b.sql(`DELETE FROM `+table+` WHERE command_id = ?`), c.CommandID)
	}
	if mark, buries := burials[a.Outcome]; buries {
		_, err = tx.ExecContext(ctx, b.sql(`UPDATE `+table+` SET buried = ? WHERE command_id = ?`), int(mark), c.Forward.CommandID)
	}
	return o, err
}

// ErrCompensated: the command was undone before what it had promised was done.
var ErrCompensated = errors.New("participant: the command was compensated")

// Settle does what an ACCEPTED command had promised, in one transaction with the
// final answer, which is also what it returns, to be sent by [Callback.Complete]
// or as a reply. ErrCompensated: it was undone, and do was not called. Called
// again, it gives the answer of the first time.
//
// An outcome RETRY or UNKNOWN is not final and nothing was committed, unless
// the database failed in that very moment: call Settle again, and send nothing.
func (b *Barrier) Settle(ctx context.Context, c *Command, do TxFunc) (Outcome, error) {
	var refused error
	o := b.transact(ctx, func(tx *sql.Tx) (Outcome, error) {
		run := b.run
		if c.Undoes() { // the rows in the same order as in Undo
			run = b.runUndo
			if _, _, err := b.enter(ctx, tx, c.Forward.CommandID, ""); err != nil {
				return nil, err
			}
		}
		absent, known, err := b.enter(ctx, tx, c.CommandID, fingerprint(c))
		switch {
		case err != nil:
			return nil, err
		case absent, known.buried != inEffect:
			refused = ErrCompensated
			return nil, refused
		case known.answer.Outcome != coordination.OutcomeAccepted:
			return remembered{Answered{known.answer}}, nil
		}
		return run(ctx, tx, c, do)
	})
	if refused != nil {
		return nil, refused
	}
	return o, nil
}

// entry is what the table says of a command.
type entry struct {
	fingerprint string
	answer      coordination.Answer
	buried      burial
}

// enter takes the row of a command: first, if there was none, else what it says.
// It waits for whoever else has the row, and keeps it until the transaction ends.
func (b *Barrier) enter(ctx context.Context, tx *sql.Tx, commandID, mark string) (first bool, e entry, err error) {
	result, err := tx.ExecContext(ctx, b.sql(`INSERT INTO `+table+` (command_id, fingerprint, answer, buried, created_at)
		VALUES (?, ?, '{}', 0, ?) ON CONFLICT (command_id) DO NOTHING`), commandID, mark, time.Now().UnixMilli())
	if err != nil {
		return false, e, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return n == 1, e, err
	}
	var answer string
	lock := ""
	if b.dialect == Postgres {
		lock = " FOR UPDATE"
	}
	err = tx.QueryRowContext(ctx, b.sql(`SELECT fingerprint, answer, buried FROM `+table+` WHERE command_id = ?`+lock), commandID).
		Scan(&e.fingerprint, &answer, &e.buried)
	if err != nil {
		return false, e, err
	}
	return false, e, json.Unmarshal([]byte(answer), &e.answer)
}

func (b *Barrier) write(ctx context.Context, tx *sql.Tx, commandID string, a coordination.Answer) error {
	answer, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, b.sql(`UPDATE `+table+` SET answer = ? WHERE command_id = ?`), string(answer), commandID)
	return err
}

// remembered is an answer that the table has given: there is nothing to commit.
type remembered struct{ Outcome }

// transact commits what is to be kept and rolls everything else back.
func (b *Barrier) transact(ctx context.Context, do func(tx *sql.Tx) (Outcome, error)) Outcome {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return notDone()
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	o, err := do(tx)
	if err != nil {
		return notDone()
	}
	switch known := o.(type) {
	case Refused:
		return o
	case remembered:
		return known.Outcome
	}
	if a, err := o.answer(); err != nil || !keeps(a.Outcome) {
		return o
	}
	if tx.Commit() != nil { // the database may have committed all the same
		return Unknown{Code: CodeInternal, Message: "the commit was not confirmed"}
	}
	return o
}

// notDone answers when the transaction cannot have been committed.
func notDone() Outcome {
	return Retry{Code: CodeInternal, Message: "the database refused; nothing was done", After: retrySoon}
}

// sql writes the placeholders of the dialect.
func (b *Barrier) sql(query string) string {
	if b.dialect != Postgres {
		return query
	}
	var out strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(query, "?") {
		if text, found := strings.CutSuffix(part, "?"); found {
			n++
			out.WriteString(text + "$" + strconv.Itoa(n))
			continue
		}
		out.WriteString(part)
	}
	return out.String()
}
