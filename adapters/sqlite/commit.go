package sqlite

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// Statements of a commit.
const (
	findSQL = `
SELECT nr, version, owner, blocks, type, status, priority, started_at, ended_at,
	active AND ended_at IS NULL AND blocks = ?2 AND owner = ?3 AND due_at IS ?4 AND saga_id = ?5 AND type = ?6 AND template_hash = ?7
	AND business_key = ?8 AND customer_id = ?9 AND priority = ?10 AND metadata IS ?11 AND started_at = ?12
FROM workflows WHERE workflow_id = ?1`

	insertSQL = `
INSERT INTO workflows (status, saga, current_step, settled_steps, total_steps, error_code, version, run, updated_at, wake_at,
	published, ended_at, owner, due_at, saga_id, type, template_hash, business_key, customer_id, priority, metadata, started_at,
	active, blocks, ended_status, ended_updated, ended_step, ended_error, workflow_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)`

	// advanceSQL is for the ordinary transition, which leaves alone everything
	// that an index is made of: SQLite writes an index whenever one of its
	// columns is mentioned, changed or not.
	advanceSQL = `
UPDATE workflows SET status = ?1, saga = ?2, current_step = ?3, settled_steps = ?4, total_steps = ?5, error_code = ?6,
	version = ?7, run = ?8, updated_at = ?9, wake_at = ?10, published = ?11 WHERE nr = ?12`

	replaceSQL = `
UPDATE workflows SET status = ?1, saga = ?2, current_step = ?3, settled_steps = ?4, total_steps = ?5, error_code = ?6,
	version = ?7, run = ?8, updated_at = ?9, wake_at = ?10, published = ?11, ended_at = ?12, owner = ?13, due_at = ?14,
	saga_id = ?15, type = ?16, template_hash = ?17, business_key = ?18, customer_id = ?19, priority = ?20, metadata = ?21,
	started_at = ?22, active = ?23, blocks = ?24, ended_status = ?25, ended_updated = ?26, ended_step = ?27, ended_error = ?28
WHERE nr = ?29`

	insertEventsSQL = `INSERT INTO events (nr, first_seq, last_seq, data) VALUES (?1, ?2, ?3, ?4)`

	insertKeySQL   = `INSERT INTO idempotency (scope, fingerprint, workflow_id, version, created_at) VALUES (?1, ?2, ?3, ?4, ?5)`
	keyExistsSQL   = `SELECT 1 FROM idempotency WHERE scope = ?1`
	businessKeySQL = `SELECT workflow_id FROM workflows WHERE business_key = ?1 AND type = ?2 AND blocks`

	addCountSQL = `
INSERT INTO counts (bucket, type, name, label, n, total_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO UPDATE SET n = n + excluded.n, total_us = total_us + excluded.total_us`

	addTotalSQL = `
INSERT INTO totals (type, status, priority, n, age_ms) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT DO UPDATE SET n = n + excluded.n, age_ms = age_ms + excluded.age_ms`
)

// Commit writes a batch of changes in one transaction and one flush.
func (s *Store) Commit(ctx context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	if err := sqlrow.Check(batch); err != nil {
		return sqlrow.All(errs, err)
	}
	if len(batch) == 0 {
		return errs
	}
	err := s.write(ctx, "commit", func(w *writer) error {
		var sums sums
		for i := range batch {
			errs[i] = w.change(&batch[i], &sums)
			if errs[i] != nil && !isRefusal(errs[i]) {
				return errs[i]
			}
		}
		return w.add(&sums)
	})
	if err != nil {
		return sqlrow.All(errs, err)
	}
	return errs
}

// stored is what a change needs to know of the row that it replaces.
type stored struct {
	obstacles sqlrow.Obstacles
	nr        int64
	blocks    bool
	ordinary  bool // the change leaves alone what indexes are made of
	kind      sqlrow.Kind
	age       int64 // as totals count it
}

// change checks and writes one change; nothing is written if it is refused.
func (w *writer) change(c *ports.Change, sums *sums) error {
	old, err := w.look(c)
	if err != nil {
		return err
	}
	if err := old.obstacles.Refusal(c); err != nil {
		return err
	}
	nr, err := w.put(c, &old)
	if err != nil {
		return err
	}
	if len(c.Events) > 0 {
		if _, err := w.insertEvents.Exec(nr, c.Expected+1, c.Row.Version, c.Events); err != nil {
			return err
		}
	}
	if c.Owes {
		if _, err := w.owe.Exec(c.Row.WorkflowID, c.Row.Version, c.Keeper, now()); err != nil {
			return err
		}
	}
	if k := c.Idempotency; k != nil {
		if err := w.writeKey(k); err != nil {
			return err
		}
	}
	sums.change(&old, c)
	if err := w.tell(c); err != nil {
		return err
	}
	return w.note(c.Audit)
}

// keyUsed reports whether an idempotency record with the scope of k exists.
func (w *writer) keyUsed(k *ports.IdempotencyRecord) (bool, error) {
	var is bool
	return one(w.keyExists, []any{k.Scope}, &is)
}

// writeKey writes an idempotency record.
func (w *writer) writeKey(k *ports.IdempotencyRecord) error {
	_, err := w.insertKey.Exec(k.Scope, k.Fingerprint, k.WorkflowID, k.Version, k.CreatedAt.UnixMicro())
	return err
}

// look reads what a change replaces and what stands in its way.
func (w *writer) look(c *ports.Change) (old stored, err error) {
	r := &c.Row
	var started int64
	var ended *int64
	var same bool
	_, err = one(w.find, []any{
		r.WorkflowID, sqlrow.Blocks(r), r.Owner, micros(r.DueAt), r.SagaID, r.Type, r.TemplateHash,
		r.BusinessKey, r.CustomerID, r.Priority, metadata(r), r.StartedAt.UnixMicro(),
	}, &old.nr, &old.obstacles.Version, &old.obstacles.Owner, &old.blocks,
		&old.kind.Type, &old.kind.Status, &old.kind.Priority, &started, &ended, &same)
	if err != nil {
		return old, err
	}
	old.ordinary = same && !r.Status.Terminal() && r.EndedAt.IsZero()
	old.age = ageMillis(started, ended)
	if c.Idempotency != nil {
		if old.obstacles.ScopeTaken, err = w.keyUsed(c.Idempotency); err != nil {
			return old, err
		}
	}
	if sqlrow.Blocks(r) && !old.blocks {
		_, err = one(w.businessKey, []any{r.BusinessKey, r.Type}, &old.obstacles.KeyHolder)
	}
	return old, err
}

// put inserts a row, or replaces the old one, and gives its number.
func (w *writer) put(c *ports.Change, old *stored) (int64, error) {
	r := &c.Row
	args := append(make([]any, 0, 29),
		string(r.Status), string(r.Saga), r.CurrentStep, r.SettledSteps, r.TotalSteps, r.ErrorCode,
		r.Version, r.Run, r.UpdatedAt.UnixMicro(), micros(r.WakeAt), r.Published)
	if old.ordinary {
		_, err := w.advance.Exec(append(args, old.nr)...)
		return old.nr, err
	}
	args = append(args, micros(r.EndedAt), r.Owner, micros(r.DueAt), r.SagaID, r.Type,
		r.TemplateHash, r.BusinessKey, r.CustomerID, r.Priority, metadata(r), r.StartedAt.UnixMicro(),
		!r.Status.Terminal(), sqlrow.Blocks(r))
	if r.Status.Terminal() {
		args = append(args, string(r.Status), r.UpdatedAt.UnixMicro(), unlessEmpty(r.CurrentStep), unlessEmpty(r.ErrorCode))
	} else {
		args = append(args, nil, nil, nil, nil)
	}
	if c.Expected > 0 {
		_, err := w.replace.Exec(append(args, old.nr)...)
		return old.nr, err
	}
	result, err := w.insert.Exec(append(args, r.WorkflowID)...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// unlessEmpty is a text, or null.
func unlessEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// metadata keeps nil apart from empty.
func metadata(r *ports.Row) any {
	if r.Metadata == nil {
		return nil
	}
	return []byte(r.Metadata)
}

// micros is a time as it is stored; the zero time is null.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// ageMillis is what a row adds to the age of its total.
func ageMillis(started int64, ended *int64) int64 {
	if ended == nil {
		return started / 1000
	}
	return (*ended - started) / 1000
}

// sums are what a batch adds to counts and totals.
type sums struct {
	counts map[sqlrow.Counter]ports.Count
	totals map[sqlrow.Kind]total
}

type total struct{ n, age int64 }

// change adds what a change counts, and moves its workflow from one total to another.
func (s *sums) change(old *stored, c *ports.Change) {
	for i := range c.Counts {
		if s.counts == nil {
			s.counts = map[sqlrow.Counter]ports.Count{}
		}
		counter := sqlrow.CounterOf(&c.Counts[i])
		sum := s.counts[counter]
		sum.N += c.Counts[i].N
		sum.Total += c.Counts[i].Total
		s.counts[counter] = sum
	}
	kind := sqlrow.Kind{Type: c.Row.Type, Status: string(c.Row.Status), Priority: c.Row.Priority}
	var ended *int64
	if !c.Row.EndedAt.IsZero() {
		at := c.Row.EndedAt.UnixMicro()
		ended = &at
	}
	age := ageMillis(c.Row.StartedAt.UnixMicro(), ended)
	if c.Expected > 0 && old.kind == kind && old.age == age {
		return
	}
	s.add(kind, 1, age)
	if c.Expected > 0 {
		s.add(old.kind, -1, -old.age)
	}
}

func (s *sums) add(k sqlrow.Kind, n, age int64) {
	if s.totals == nil {
		s.totals = map[sqlrow.Kind]total{}
	}
	t := s.totals[k]
	s.totals[k] = total{t.n + n, t.age + age}
}

// add writes the sums.
func (w *writer) add(s *sums) error {
	for counter, sum := range s.counts {
		_, err := w.addCount.Exec(counter.Bucket.UnixMicro(), counter.Type, string(counter.Name), counter.Label, sum.N, sum.Total.Microseconds())
		if err != nil {
			return err
		}
	}
	for kind, t := range s.totals {
		if _, err := w.addTotal.Exec(kind.Type, kind.Status, kind.Priority, t.n, t.age); err != nil {
			return err
		}
	}
	return nil
}
