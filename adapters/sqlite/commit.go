package sqlite

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// Statements of a commit.
const (
	findSQL = `SELECT nr, version, owner, blocks, type, status, priority, started_at, ended_at FROM workflows WHERE workflow_id = ?1`

	insertSQL = `
INSERT INTO workflows (saga_id, type, template_hash, business_key, customer_id, priority, status, saga, current_step,
	settled_steps, total_steps, error_code, metadata, version, run, started_at, updated_at, ended_at, owner, due_at, wake_at,
	active, blocks, workflow_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)`

	updateSQL = `
UPDATE workflows SET saga_id = ?1, type = ?2, template_hash = ?3, business_key = ?4, customer_id = ?5, priority = ?6,
	status = ?7, saga = ?8, current_step = ?9, settled_steps = ?10, total_steps = ?11, error_code = ?12, metadata = ?13,
	version = ?14, run = ?15, started_at = ?16, updated_at = ?17, ended_at = ?18, owner = ?19, due_at = ?20, wake_at = ?21,
	active = ?22, blocks = ?23
WHERE nr = ?24`

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
	nr     int64
	blocks bool
	total  sqlrow.Kind
	age    int64

	obstacles sqlrow.Obstacles
}

// change checks and writes one change; nothing is written if it is refused.
func (w *writer) change(c *ports.Change, sums *sums) error {
	old, err := w.find1(c)
	if err != nil {
		return err
	}
	if err := old.obstacles.Refusal(c); err != nil {
		return err
	}
	nr, err := w.put(c, old.nr)
	if err != nil {
		return err
	}
	if len(c.Events) > 0 {
		if _, err := w.insertEvents.Exec(nr, c.Expected+1, c.Row.Version, c.Events); err != nil {
			return err
		}
	}
	if k := c.Idempotency; k != nil {
		if _, err := w.insertKey.Exec(k.Scope, k.Fingerprint, k.WorkflowID, k.Version, k.CreatedAt.UnixMicro()); err != nil {
			return err
		}
	}
	sums.change(&old, c)
	return nil
}

// find1 reads what stands in the way of a change.
func (w *writer) find1(c *ports.Change) (stored, error) {
	var old stored
	var started int64
	var ended *int64
	_, err := one(w.find, []any{c.Row.WorkflowID}, &old.nr, &old.obstacles.Version, &old.obstacles.Owner, &old.blocks,
		&old.total.Type, &old.total.Status, &old.total.Priority, &started, &ended)
	if err != nil {
		return old, err
	}
	old.age = ageMillis(started, ended)
	if c.Idempotency != nil {
		var is bool
		if old.obstacles.ScopeTaken, err = one(w.keyExists, []any{c.Idempotency.Scope}, &is); err != nil {
			return old, err
		}
	}
	if sqlrow.Blocks(&c.Row) && !old.blocks {
		_, err = one(w.businessKey, []any{c.Row.BusinessKey, c.Row.Type}, &old.obstacles.KeyHolder)
	}
	return old, err
}

// put inserts a row, or replaces the one numbered nr.
func (w *writer) put(c *ports.Change, nr int64) (int64, error) {
	r := &c.Row
	args := []any{
		r.SagaID, r.Type, r.TemplateHash, r.BusinessKey, r.CustomerID, r.Priority, string(r.Status), string(r.Saga), r.CurrentStep,
		r.SettledSteps, r.TotalSteps, r.ErrorCode, metadata(r), r.Version, r.Run,
		r.StartedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), micros(r.EndedAt), r.Owner, micros(r.DueAt), micros(r.WakeAt),
		!r.Status.Terminal(), sqlrow.Blocks(r),
	}
	if c.Expected == 0 {
		result, err := w.insert.Exec(append(args, r.WorkflowID)...)
		if err != nil {
			return 0, err
		}
		return result.LastInsertId()
	}
	_, err := w.update.Exec(append(args, nr)...)
	return nr, err
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
	if c.Expected > 0 && old.total == kind && old.age == age {
		return
	}
	s.add(kind, 1, age)
	if c.Expected > 0 {
		s.add(old.total, -1, -old.age)
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
