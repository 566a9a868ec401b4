package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// maxTries bounds how often changes are done again because another commit came
// between their checks and their writes. Each time that other commit is visible
// afterwards, so a second try is rare and a third all but impossible.
const maxTries = 6

// errOvertaken: maxTries were not enough; nothing was written.
var errOvertaken = fmt.Errorf("postgres: commit: %w: overtaken by other commits", ports.ErrUnavailable)

// Commit writes a batch of changes in one transaction, one round trip and one
// flush. It may be called concurrently; more than a few at once gain nothing,
// since the next batch can gather while one is on its way.
func (s *Store) Commit(ctx context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	rounds, err := sqlrow.Rounds(batch)
	if err != nil {
		return sqlrow.All(errs, err)
	}
	for _, round := range rounds {
		s.commit(ctx, round, errs)
	}
	return errs
}

// commit writes changes that cannot refuse each other, and files their errors.
func (s *Store) commit(ctx context.Context, round []sqlrow.Numbered, errs []error) {
	slices.SortFunc(round, func(a, b sqlrow.Numbered) int { return cmp.Compare(a.Row.WorkflowID, b.Row.WorkflowID) })
	for try := range maxTries {
		written, err := s.write(ctx, round)
		switch {
		case err == nil:
			round = sqlrow.Without(round, written)
			if round = s.explain(ctx, round, errs); len(round) == 0 {
				return
			}
		case pgconn.SafeToRetry(err) && ctx.Err() == nil: // nothing was sent: the idle connection was dead
		case isOvertaken(err) && (try == 0 || len(round) == 1): // nothing was written; the checks will see why
		case len(round) > 1 && (isOvertaken(err) || isFaulty(err)): // one is to blame: let it be alone
			for i := range round {
				s.commit(ctx, round[i:i+1:i+1], errs)
			}
			return
		default:
			err = unavailable("commit", err)
			for _, c := range round {
				errs[c.Number] = err
			}
			return
		}
	}
	for _, c := range s.explain(ctx, round, errs) {
		errs[c.Number] = errOvertaken
	}
}

// isOvertaken reports whether Postgres rolled back because of another
// transaction, so that doing it again can succeed.
func isOvertaken(err error) bool {
	switch sqlState(err) {
	case "23505", // unique_violation: a key was taken since the check
		"40001", "40P01": // serialization_failure, deadlock_detected
		return true
	}
	return false
}

// isFaulty reports whether Postgres refused a value (class 22 or 23, or a
// program limit): one change is to blame, and its neighbours must not suffer.
func isFaulty(err error) bool {
	state := sqlState(err)
	return len(state) == 5 && (state[:2] == "22" || state[:2] == "23" || state[:2] == "54")
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// write sends a round as one pipelined transaction and returns the numbers of
// the changes that were written.
func (s *Store) write(ctx context.Context, round []sqlrow.Numbered) ([]int, error) {
	var starts, transitions []sqlrow.Numbered
	for _, c := range round {
		if c.Expected == 0 {
			starts = append(starts, c)
		} else {
			transitions = append(transitions, c)
		}
	}
	conn, err := s.commits.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	batch := &pgconn.Batch{}
	// Transitions first: what they give up, a start of the batch may take.
	add(batch, transitionsStatement, transitions, slotOf(conn.Conn()))
	add(batch, startsStatement, starts, slotOf(conn.Conn()))
	results := conn.Conn().PgConn().ExecBatch(ctx, batch)
	written, err := readWritten(results, transitions, starts)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return written, err
}

// binaryFormat is for all parameters and results.
var binaryFormat = []int16{pgtype.BinaryFormatCode}

// add puts a statement for changes into a batch, if there are any.
func add(batch *pgconn.Batch, statement string, changes []sqlrow.Numbered, slot int32) {
	if len(changes) == 0 {
		return
	}
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.reset()
	change := func(i int) *ports.Change { return changes[i].Change }
	parts := sqlrow.Parts(changes)
	encode(e, rowParams, len(changes), change)
	encode(e, changeParams, len(changes), change)
	encode(e, keyParams, len(parts.Keys), func(i int) *sqlrow.Key { return &parts.Keys[i] })
	encode(e, entryParams, len(parts.Entries), func(i int) *sqlrow.Entry { return &parts.Entries[i] })
	encode(e, noticeParams, len(parts.Notices), func(i int) *sqlrow.Notice { return &parts.Notices[i] })
	encode(e, incrementParams, len(parts.Increments), func(i int) *sqlrow.Increment { return &parts.Increments[i] })
	encode(e, counterParams, len(parts.Counters), func(i int) *sqlrow.Counter { return &parts.Counters[i] })
	e.params = append(e.params, binary.BigEndian.AppendUint32(nil, uint32(slot)))
	batch.ExecPrepared(statement, e.params, binaryFormat, binaryFormat) // copies them
}

// readWritten reads, for each statement that was sent, the places of the
// changes that it wrote.
func readWritten(results *pgconn.MultiResultReader, transitions, starts []sqlrow.Numbered) ([]int, error) {
	var written []int
	for _, list := range [][]sqlrow.Numbered{transitions, starts} {
		if len(list) == 0 {
			continue
		}
		if !results.NextResult() {
			break // Close tells why
		}
		rows := results.ResultReader()
		for rows.NextRow() {
			ord := binary.BigEndian.Uint64(rows.Values()[0])
			written = append(written, list[ord-1].Number)
		}
		if _, err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return written, nil
}

// explainSQL looks up what may stand in the way of changes.
const explainSQL = `
SELECT c.ord, coalesce(w.version, 0), coalesce(w.owner, ''), coalesce(b.workflow_id, ''),
	EXISTS (SELECT FROM idempotency i WHERE i.scope = c.scope)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS c(workflow_id, type, business_key, scope, ord)
LEFT JOIN workflows w ON w.workflow_id = c.workflow_id
LEFT JOIN workflows b ON b.business_key = c.business_key AND b.type = c.type AND b.blocks AND b.workflow_id <> c.workflow_id`

// explain files why changes were refused, and returns those that nothing
// stands in the way of any more.
func (s *Store) explain(ctx context.Context, refused []sqlrow.Numbered, errs []error) []sqlrow.Numbered {
	if len(refused) == 0 {
		return nil
	}
	var ids, types, keys, scopes []string
	for _, c := range refused {
		workflowType, key, scope := "", "", ""
		if sqlrow.Blocks(&c.Row) {
			workflowType, key = storable(c.Row.Type), storable(c.Row.BusinessKey)
		}
		if c.Idempotency != nil {
			scope = storable(c.Idempotency.Scope)
		}
		ids, types, keys, scopes = append(ids, storable(c.Row.WorkflowID)), append(types, workflowType), append(keys, key), append(scopes, scope)
	}
	var again []sqlrow.Numbered
	rows, _ := s.pool.Query(ctx, explainSQL, ids, types, keys, scopes) // its error comes with the rows
	var ord int64
	var found sqlrow.Obstacles
	_, err := pgx.ForEachRow(rows, []any{&ord, &found.Version, &found.Owner, &found.KeyHolder, &found.ScopeTaken}, func() error {
		c := refused[ord-1]
		if errs[c.Number] = found.Refusal(c.Change); errs[c.Number] == nil {
			again = append(again, c)
		}
		return nil
	})
	if err != nil {
		for _, c := range refused {
			errs[c.Number] = unavailable("explain a refusal", err)
		}
		return nil
	}
	return again
}
