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
		{fault: "no version check", promise: "Commit: refused with ErrConflict unless the stored version is Expected", breaks: eachChange(noVersionCheck)},
		{fault: "no holder check", promise: "Commit: refused with ErrConflict unless the stored owner is Holder", breaks: eachChange(noHolderCheck)},
		{fault: "a start overwrites", promise: "Commit: a start is refused with ErrConflict if its workflow exists", breaks: eachChange(startOverwrites)},
		{fault: "a change of nothing starts", promise: "Commit: a change of a workflow that does not exist is refused with ErrConflict", breaks: eachChange(startsFromNothing)},
		{fault: "version checked before the write", promise: "Commit: of concurrent changes with one Expected exactly one is committed", breaks: checksTooEarly},
		{fault: "a conflict leaves its counts", promise: "Commit: no part is visible when the error is ErrConflict", breaks: leaves(ports.ErrConflict, onlyCounts)},
		{fault: "a taken business key leaves the idempotency record", promise: "Commit: no part is visible when the error is ErrBusinessKeyTaken", breaks: leaves(ports.ErrBusinessKeyTaken, onlyRecord)},
		{fault: "a taken idempotency key leaves the row", promise: "Commit: no part is visible when the error is ErrIdempotencyKeyTaken", breaks: eachChange(writesTheRowAnyway)},
		{fault: "a batch ends with its first refusal", promise: "Commit: a refusal leaves the others of the batch committed", breaks: endsWithRefusal},
		{fault: "errors in another order", promise: "Commit: returns one error per change, in order", breaks: alters(func(_ []ports.Change, errs []error) { slices.Reverse(errs) })},
		{fault: "acknowledged and dropped", promise: "Commit: what was acknowledged stays, change after change", breaks: dropsSome},
		{fault: "events lost", promise: "Record: the encoded event lists in order", breaks: losesEvents},
		{fault: "idempotency record lost", promise: "Commit: all parts of a change are durable when its error is nil", breaks: without(func(c *ports.Change) { c.Idempotency = nil })},
		{fault: "idempotency record ignored", promise: "Commit: ErrIdempotencyKeyTaken when a record with the scope exists", breaks: retries(ports.ErrIdempotencyKeyTaken, onlyRow)},
		{fault: "business key ignored", promise: "Commit: ErrBusinessKeyTaken while an active workflow of the type has the key", breaks: retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{fault: "COMPLETED frees the business key", promise: "Commit: ErrBusinessKeyTaken once a COMPLETED workflow of the type has the key", breaks: retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{fault: "FAILED keeps the business key", promise: "Commit: a FAILED or CANCELLED workflow frees its business key", breaks: keepsKeys},
		{fault: "business key unchecked when reopening", promise: "Commit: reopening is refused with ErrBusinessKeyTaken while another has the key", breaks: retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{fault: "business keys shared by types", promise: "Commit: business keys of different types are different", breaks: keepsKeys},
		{fault: "counts lost", promise: "Counts: counts written with changes add up by bucket, type, name and label", breaks: without(func(c *ports.Change) { c.Counts = nil })},
		{fault: "one count per change", promise: "Counts: several counts of one change, and of one batch, add up", breaks: without(func(c *ports.Change) { c.Counts = c.Counts[:min(1, len(c.Counts))] })},
		{fault: "negative counts ignored", promise: "Counts: a negative increment takes away", breaks: without(noNegatives)},
		{fault: "follows the caller's slices", promise: "Change: what the caller alters after Commit does not change the store", breaks: aliases},
		{fault: "a template is overwritten", promise: "TemplateStore: saving a template again changes nothing", breaks: overwritesTemplates},
		{fault: "purges too much", promise: "Loader: PurgeIdempotency removes records made before t whose workflows have ended", breaks: purges(time.Hour, 1)},
		{fault: "an empty batch has an error", promise: "Commit: an empty batch has no errors", breaks: emptyHasError},
		{fault: "batches limited further", promise: "Commit: takes MaxBatch changes at once", breaks: refusesFull},
		{fault: "an ended context is an acknowledgement", promise: "Commit: an ended context leaves each change either written or not", breaks: acknowledgesEnded},
		{fault: "a member never updated", promise: "Change: Row replaces the stored row", breaks: eachChange(keepsStep)},
		{fault: "an event list for no events", promise: "Change: Events is empty if there are none", breaks: without(func(c *ports.Change) { c.Events = append(c.Events, ' ') })},
		{fault: "large events cut", promise: "Change: large lists of events are kept", breaks: without(func(c *ports.Change) { c.Events = c.Events[:min(len(c.Events), 64<<10)] })},
		{fault: "reopening claims no business key", promise: "Commit: a reopened workflow claims its business key again", breaks: eachChange(reopensWithoutKey)},
		{fault: "an empty business key is one", promise: "Row: an empty BusinessKey claims none", breaks: keepsKeys},
		{fault: "business keys unchecked within a batch", promise: "Commit: one of two starts with one business key in a batch wins", breaks: retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{fault: "idempotency scopes unchecked within a batch", promise: "Commit: one of two changes with one idempotency scope in a batch wins", breaks: retries(ports.ErrIdempotencyKeyTaken, onlyRow)},
		{fault: "a repeated start is taken", promise: "Commit: a repeated start is refused, and its record tells what it did", breaks: retries(ports.ErrIdempotencyKeyTaken, func(c ports.Change) ports.Change { return withoutKey(onlyRow(c)) })},
		{fault: "concurrent starts overwrite", promise: "Commit: of concurrent starts of one workflow exactly one is committed", breaks: eachChange(startOverwrites)},
		{fault: "concurrent starts share a business key", promise: "Commit: of concurrent starts with one business key exactly one is committed", breaks: retries(ports.ErrBusinessKeyTaken, withoutKey)},
		{fault: "concurrent changes share an idempotency scope", promise: "Commit: of concurrent changes with one idempotency scope exactly one is committed", breaks: retries(ports.ErrIdempotencyKeyTaken, onlyRow)},
		{fault: "concurrent batches deadlock", promise: "Commit: concurrent batches over the same workflows, in any order, each have one winner per change", breaks: deadlocks},
		{fault: "concurrent counts overwrite each other", promise: "Counts: concurrent changes add up", breaks: losesConcurrentCounts},
		{fault: "labels cut", promise: "Counts: names, labels and buckets are kept as they are", breaks: without(cutLabels)},
		{fault: "purges beyond the limit", promise: "Loader: PurgeIdempotency removes up to limit and returns how many", breaks: purges(0, 2)},
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
	both := meet()
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		c := batch[0]
		rec, err := f.Store.Load(ctx, c.Row.WorkflowID)
		if err != nil {
			return f.Store.Commit(ctx, batch) // the start
		}
		if rec.Row.Version != c.Expected {
			return []error{ports.ErrConflict}
		}
		both()
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

func emptyHasError(f *faulty) {
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if len(batch) == 0 {
			return []error{nil}
		}
		return f.Store.Commit(ctx, batch)
	}
}

func refusesFull(f *faulty) {
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if len(batch) == ports.MaxBatch {
			return slices.Repeat([]error{ports.ErrOverloaded}, len(batch))
		}
		return f.Store.Commit(ctx, batch)
	}
}

func acknowledgesEnded(f *faulty) {
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if ctx.Err() != nil {
			return make([]error, len(batch))
		}
		return f.Store.Commit(ctx, batch)
	}
}

func keepsStep(ctx context.Context, s ports.Store, c ports.Change) error {
	if rec, err := s.Load(ctx, c.Row.WorkflowID); err == nil {
		c.Row.CurrentStep = rec.Row.CurrentStep
	}
	return commitOne(ctx, s, c)
}

func reopensWithoutKey(ctx context.Context, s ports.Store, c ports.Change) error {
	if rec, err := s.Load(ctx, c.Row.WorkflowID); err == nil && rec.Row.Status.Terminal() {
		c = withoutKey(c)
	}
	return commitOne(ctx, s, c)
}

// meet tells each of the first two callers, once both are there, whether it
// was the second; later callers pass.
func meet() func() (second bool) {
	var entrants atomic.Int32
	both := make(chan struct{})
	return func() bool {
		switch entrants.Add(1) {
		case 1:
			<-both
		case 2:
			close(both)
			return true
		}
		return false
	}
}

// deadlocks fails the second of two batches that meet.
func deadlocks(f *faulty) {
	second := meet()
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if batch[0].Expected > 0 && second() {
			return slices.Repeat([]error{errors.New("deadlock detected")}, len(batch))
		}
		return f.Store.Commit(ctx, batch)
	}
}

// losesConcurrentCounts forgets what the second of two batches that meet counted.
func losesConcurrentCounts(f *faulty) {
	second := meet()
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		if second() {
			batch[0].Counts = nil
		}
		return f.Store.Commit(ctx, batch)
	}
}

func cutLabels(c *ports.Change) {
	for i := range c.Counts {
		c.Counts[i].Label = c.Counts[i].Label[:min(10, len(c.Counts[i].Label))]
	}
}
