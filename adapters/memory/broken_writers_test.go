package memory_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenWriters are stores that write what they should not, or not what they should.
func brokenWriters() []brokenStore {
	return []brokenStore{
		{"no version check", "Commit: refused with ErrConflict unless the stored version is Expected", eachChange(noVersionCheck)},
		{"no holder check", "Commit: refused with ErrConflict unless the stored owner is Holder", eachChange(noHolderCheck)},
		{"a start overwrites", "Commit: a start is refused with ErrConflict if its workflow exists", eachChange(startOverwrites)},
		{"a change of nothing starts", "Commit: a change of a workflow that does not exist is refused with ErrConflict", eachChange(startsFromNothing)},
		{"version checked before the write", "Commit: of concurrent changes with one Expected exactly one is committed", checksTooEarly},
		{"a conflict leaves its counts", "Commit: no part is visible when the error is ErrConflict", leaves(ports.ErrConflict, onlyCounts)},
		{"a taken business key leaves the idempotency record", "Commit: no part is visible when the error is ErrBusinessKeyTaken", leaves(ports.ErrBusinessKeyTaken, onlyRecord)},
		{"a taken idempotency key leaves the row", "Commit: no part is visible when the error is ErrIdempotencyKeyTaken", eachChange(writesTheRowAnyway)},
		{"a batch ends with its first refusal", "Commit: a refusal leaves the others of the batch committed", endsWithRefusal},
		{"errors in another order", "Commit: returns one error per change, in order", alters(func(_ []ports.Change, errs []error) { slices.Reverse(errs) })},
		{"acknowledged and dropped", "Commit: what was acknowledged stays, change after change", dropsSome},
		{"events lost", "Record: the encoded event lists in order", losesEvents},
		{"idempotency record lost", "Commit: all parts of a change are durable when its error is nil", without(func(c *ports.Change) { c.Idempotency = nil })},
		{"idempotency record ignored", "Commit: ErrIdempotencyKeyTaken when a record with the scope exists", retries(ports.ErrIdempotencyKeyTaken, onlyRow)},
		{"business key ignored", "Commit: ErrBusinessKeyTaken while an active workflow of the type has the key", retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{"COMPLETED frees the business key", "Commit: ErrBusinessKeyTaken once a COMPLETED workflow of the type has the key", retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{"FAILED keeps the business key", "Commit: a FAILED or CANCELLED workflow frees its business key", keepsKeys},
		{"business key unchecked when reopening", "Commit: reopening is refused with ErrBusinessKeyTaken while another has the key", retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{"business keys shared by types", "Commit: business keys of different types are different", keepsKeys},
		{"counts lost", "Counts: counts written with changes add up by bucket, type, name and label", without(func(c *ports.Change) { c.Counts = nil })},
		{"one count per change", "Counts: several counts of one change, and of one batch, add up", without(func(c *ports.Change) { c.Counts = c.Counts[:min(1, len(c.Counts))] })},
		{"negative counts ignored", "Counts: a negative increment takes away", without(noNegatives)},
		{"follows the caller's slices", "Change: what the caller alters after Commit does not change the store", aliases},
		{"a template is overwritten", "TemplateStore: saving a template again changes nothing", overwritesTemplates},
		{"purges too much", "Loader: PurgeIdempotency removes records made before t whose workflows have ended", purges(time.Hour, 1)},
		{"purges beyond the limit", "Loader: PurgeIdempotency removes up to limit and returns how many", purges(0, 2)},
	}
}

// eachChange commits changes one by one, each by a faulty way.
func eachChange(one func(ctx context.Context, s ports.Store, c ports.Change) error) func(*faulty) {
	return func(f *faulty) {
		f.commit = func(ctx context.Context, batch []ports.Change) []error {
			errs := make([]error, len(batch))
			for i, c := range batch {
				errs[i] = one(ctx, f.Store, c)
			}
			return errs
		}
	}
}

func commitOne(ctx context.Context, s ports.Store, c ports.Change) error {
	return s.Commit(ctx, []ports.Change{c})[0]
}

// forced makes a change fit the stored version.
func forced(ctx context.Context, s ports.Store, c ports.Change) ports.Change {
	if rec, err := s.Load(ctx, c.Row.WorkflowID); err == nil && c.Expected > 0 {
		c.Expected = rec.Row.Version
	}
	return c
}

func noVersionCheck(ctx context.Context, s ports.Store, c ports.Change) error {
	return commitOne(ctx, s, forced(ctx, s, c))
}

func noHolderCheck(ctx context.Context, s ports.Store, c ports.Change) error {
	if rec, err := s.Load(ctx, c.Row.WorkflowID); err == nil {
		c.Holder = rec.Row.Owner
	}
	return commitOne(ctx, s, c)
}

func startOverwrites(ctx context.Context, s ports.Store, c ports.Change) error {
	if rec, err := s.Load(ctx, c.Row.WorkflowID); err == nil && c.Expected == 0 {
		c.Expected, c.Holder = rec.Row.Version, rec.Row.Owner
	}
	return commitOne(ctx, s, c)
}

func startsFromNothing(ctx context.Context, s ports.Store, c ports.Change) error {
	if _, err := s.Load(ctx, c.Row.WorkflowID); errors.Is(err, ports.ErrNotFound) {
		c.Expected = 0
	}
	return commitOne(ctx, s, c)
}

func writesTheRowAnyway(ctx context.Context, s ports.Store, c ports.Change) error {
	err := commitOne(ctx, s, c)
	if errors.Is(err, ports.ErrIdempotencyKeyTaken) {
		_ = commitOne(ctx, s, onlyRow(c))
	}
	return err
}

// checksTooEarly compares the version, lets another do the same, then writes.
func checksTooEarly(f *faulty) {
	var entrants atomic.Int32
	second := make(chan struct{})
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		c := batch[0]
		rec, err := f.Store.Load(ctx, c.Row.WorkflowID)
		if err != nil {
			return f.Store.Commit(ctx, batch) // the start
		}
		if rec.Row.Version != c.Expected {
			return []error{ports.ErrConflict}
		}
		switch entrants.Add(1) {
		case 1:
			<-second
		case 2:
			close(second)
		}
		return []error{noVersionCheck(ctx, f.Store, c)}
	}
}

// leaves writes a part of each refused change, in the name of another workflow.
func leaves(refusal error, part func(c ports.Change) ports.Change) func(*faulty) {
	return eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		err := commitOne(ctx, s, c)
		if errors.Is(err, refusal) {
			_ = commitOne(ctx, s, part(c))
		}
		return err
	})
}

const ghost = 999_999

func onlyCounts(c ports.Change) ports.Change {
	part := contracttests.StartOf(ghost)
	part.Counts = c.Counts
	return part
}

func onlyRecord(c ports.Change) ports.Change {
	part := contracttests.StartOf(ghost)
	part.Idempotency = c.Idempotency
	return part
}

func onlyRow(c ports.Change) ports.Change {
	c.Idempotency, c.Counts = nil, nil
	return c
}

func withoutKey(c ports.Change) ports.Change {
	c.Row.BusinessKey = ""
	return c
}

// retries commits another change in place of a refused one.
func retries(refusal error, instead func(c ports.Change) ports.Change) func(*faulty) {
	return eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		err := commitOne(ctx, s, c)
		if errors.Is(err, refusal) {
			return commitOne(ctx, s, instead(c))
		}
		return err
	})
}

func endsWithRefusal(f *faulty) {
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		errs := make([]error, len(batch))
		var refused error
		for i, c := range batch {
			if refused == nil {
				refused = commitOne(ctx, f.Store, c)
			}
			errs[i] = refused
		}
		return errs
	}
}

// alters changes what a commit answers.
func alters(change func(batch []ports.Change, errs []error)) func(*faulty) {
	return func(f *faulty) {
		f.commit = func(ctx context.Context, batch []ports.Change) []error {
			errs := f.Store.Commit(ctx, batch)
			change(batch, errs)
			return errs
		}
	}
}

// without leaves something out of every change.
func without(part func(c *ports.Change)) func(*faulty) {
	return eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		part(&c)
		return commitOne(ctx, s, c)
	})
}

func noNegatives(c *ports.Change) {
	c.Counts = slices.DeleteFunc(slices.Clone(c.Counts), func(n ports.Count) bool { return n.N < 0 })
}

// dropsSome acknowledges every hundredth start without writing it, and what follows on it.
func dropsSome(f *faulty) {
	commits := 0
	dropped := map[string]bool{}
	eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		commits++
		if dropped[c.Row.WorkflowID] = dropped[c.Row.WorkflowID] || commits%100 == 0; dropped[c.Row.WorkflowID] {
			return nil
		}
		return commitOne(ctx, s, c)
	})(f)
}

func losesEvents(f *faulty) {
	commits := 0
	without(func(c *ports.Change) {
		if commits++; commits%20 == 0 {
			c.Events = nil
		}
	})(f)
}

// keepsKeys refuses every business key that was ever used, whatever the type.
func keepsKeys(f *faulty) {
	used := map[string]string{}
	eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		if by, ok := used[c.Row.BusinessKey]; ok && by != c.Row.WorkflowID {
			return ports.ErrBusinessKeyTaken
		}
		used[c.Row.BusinessKey] = c.Row.WorkflowID
		return commitOne(ctx, s, c)
	})(f)
}

// aliases gives back the slices that were committed.
func aliases(f *faulty) {
	written := map[string][][]byte{}
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		for _, c := range batch {
			written[c.Row.WorkflowID] = append(written[c.Row.WorkflowID], c.Events)
		}
		return f.Store.Commit(ctx, batch)
	}
	f.load = func(ctx context.Context, id string) (ports.Record, error) {
		rec, err := f.Store.Load(ctx, id)
		rec.Events = written[id]
		return rec, err
	}
}

func overwritesTemplates(f *faulty) {
	templates := map[string][]byte{}
	f.save = func(_ context.Context, hash, _ string, data []byte) error {
		templates[hash] = data
		return nil
	}
	f.recall = func(_ context.Context, hash string) ([]byte, error) { return templates[hash], nil }
}

func purges(later time.Duration, factor int) func(*faulty) {
	return func(f *faulty) {
		f.purge = func(ctx context.Context, t time.Time, limit int) (int, error) {
			return f.Store.PurgeIdempotency(ctx, t.Add(later), limit*factor)
		}
	}
}
