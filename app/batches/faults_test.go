package batches_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/ports"
)

// broken is a store that can be away for one runner.
type broken struct {
	batches.RunnerStore
	down   atomic.Bool // nothing answers
	mute   atomic.Bool // results are lost
	losing atomic.Bool // the next claim has its effect, and its answer is lost
}

func (b *broken) err() error {
	if b.down.Load() {
		return ports.ErrUnavailable
	}
	return nil
}

func (b *broken) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	if err := b.err(); err != nil {
		return err
	}
	return b.RunnerStore.Renew(ctx, replica, ttl)
}

func (b *broken) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	if err := b.err(); err != nil {
		return ports.Batch{}, err
	}
	batch, err := b.RunnerStore.ClaimBatch(ctx, replica)
	if err == nil && b.losing.CompareAndSwap(true, false) {
		return ports.Batch{}, ports.ErrUnavailable
	}
	return batch, err
}

func (b *broken) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return b.RunnerStore.NextItems(ctx, id, replica, limit)
}

func (b *broken) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	if b.mute.Load() || b.down.Load() {
		return ports.ErrUnavailable
	}
	return b.RunnerStore.SettleItems(ctx, id, replica, items)
}

// TestTheNextHolderAsksAgainWithTheSameKey: a runner dies after it has asked and
// before it could record what came of it.
func TestTheNextHolderAsksAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		id := c.batch(100, 40)
		dying := &broken{RunnerStore: c.store}
		first := c.runner(dying)
		time.Sleep(600 * time.Millisecond)
		dying.mute.Store(true)
		time.Sleep(300 * time.Millisecond)
		dying.down.Store(true)
		time.Sleep(300 * time.Millisecond) // what is under way ends
		asked := len(c.workflows.requests())
		second := c.runner(c.store)
		time.Sleep(5 * time.Second)
		if n := len(c.workflows.requests()); n != asked {
			t.Errorf("%d were asked before the lease of the first had run out", n-asked)
		}
		time.Sleep(15 * time.Second)
		c.close(second)
		dying.down.Store(false)
		c.close(first)
		c.workflows.once(t, 100)
		keys := map[string]string{}
		again := 0
		for _, one := range c.workflows.requests() {
			if key, before := keys[one.workflow]; before {
				again++
				if key != one.key {
					t.Errorf("%s was asked with two keys", one.workflow)
				}
			}
			keys[one.workflow] = one.key
		}
		if b := c.stored(id); again == 0 || b.Status != ports.BatchCompleted || b.Succeeded != 100 {
			t.Errorf("%d were asked again: %+v", again, b)
		}
	})
}

// TestAStoreThatIsAway: results that cannot be recorded, and items that cannot
// be read, are for later; nothing is asked without end.
func TestAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		id := c.batch(50, 20)
		store := &broken{RunnerStore: c.store}
		r := c.runner(store)
		time.Sleep(time.Second)
		store.mute.Store(true)
		time.Sleep(30 * time.Second)
		store.mute.Store(false)
		store.down.Store(true)
		time.Sleep(time.Minute)
		if n := len(c.workflows.requests()); n > 200 {
			t.Errorf("asked %d times", n)
		}
		store.down.Store(false)
		time.Sleep(15 * time.Second)
		c.close(r)
		c.workflows.once(t, 50)
		if b := c.stored(id); b.Status != ports.BatchCompleted || b.Succeeded != 50 {
			t.Errorf("%+v", b)
		}
	})
}

// TestAClaimWhoseAnswerIsLost: the store says that this replica has a batch, and
// the replica does not know of it.
func TestAClaimWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		store := &broken{RunnerStore: c.store}
		store.losing.Store(true)
		id := c.batch(5, 10)
		r := c.runner(store)
		time.Sleep(15 * time.Second)
		c.close(r)
		if b := c.stored(id); b.Status != ports.BatchCompleted {
			t.Errorf("%+v", b)
		}
		c.workflows.once(t, 5)
	})
}

// TestABatchUnderWayOutlivesADoubt: what is given up because of another claim,
// and claimed again at once, goes on as one.
func TestABatchUnderWayOutlivesADoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		store := &broken{RunnerStore: c.store}
		id := c.batch(60, 1)
		r := c.runner(store)
		time.Sleep(5 * time.Second)
		store.losing.Store(true)
		other := c.make(ports.Batch{ID: "bat-2", Action: ports.BatchRetry, PerSecond: 1, Request: []byte(`{}`), CreatedAt: time.Now()}, 1)
		time.Sleep(56 * time.Second)
		synctest.Wait()
		c.close(r)
		for _, id := range []string{id, other} {
			if b := c.stored(id); b.Status != ports.BatchCompleted {
				t.Errorf("%+v", b)
			}
		}
		if n := len(c.workflows.requests()); n > 63 { // each once, but for what was under way at the doubt
			t.Errorf("asked %d times", n)
		}
	})
}

func TestCloseRecordsWhatIsUnderWayAndLeavesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.workflows.answer = func(context.Context, int, string) error { time.Sleep(3 * time.Second); return nil }
		id := c.batch(40, 20)
		r := c.runner(c.store)
		time.Sleep(time.Second)
		begun := time.Now()
		c.close(r)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the end took %s", took)
		}
		asked := len(c.workflows.requests())
		if b := c.stored(id); b.Succeeded != asked || asked == 0 || b.Status != ports.BatchRunning {
			t.Errorf("%d were asked: %+v", asked, b)
		}
		// Nobody waits for the lease of one that has said good-bye.
		next := c.runner(c.store)
		synctest.Wait()
		if len(c.workflows.requests()) == asked {
			t.Error("the next runner did not begin at once")
		}
		time.Sleep(time.Minute)
		c.close(next)
		c.close(next) // twice does nothing
		c.workflows.once(t, 40)
	})
}

func TestCloseCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.workflows.answer = func(ctx context.Context, _ int, _ string) error { <-ctx.Done(); return ctx.Err() }
		id := c.batch(3, 10)
		r := c.runner(c.store)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := r.Close(ctx); err != nil || time.Since(begun) > time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		if b := c.stored(id); b.Succeeded+b.Failed > 0 {
			t.Errorf("what was cut off has a result: %+v", b)
		}
	})
}

func TestABatchThatCannotBeReadIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, request := range []string{`"sealed:xyz"`, `{"request":7}`, `{`} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t)
			id := c.make(ports.Batch{ID: "bat-1", Action: ports.BatchRetry, Request: []byte(request), PerSecond: 10}, 2)
			r := c.runner(c.store)
			time.Sleep(time.Minute)
			c.close(r)
			if b := c.stored(id); b.Status != ports.BatchRunning || len(c.workflows.requests()) > 0 || !strings.Contains(c.log.String(), "level=ERROR") {
				t.Errorf("%+v, logged %s", b, c.log.String())
			}
		})
	}
}

func TestARunnerWantsItsDependenciesAndItsStore(t *testing.T) {
	t.Parallel()
	if _, err := batches.NewRunner(batches.RunnerConfig{}, batches.RunnerDeps{}); err == nil {
		t.Error("a runner of nothing was made")
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		r := c.runner(c.store)
		c.close(r)
		store := &broken{RunnerStore: c.store}
		store.down.Store(true)
		deaf, err := batches.NewRunner(batches.RunnerConfig{}, batches.RunnerDeps{Store: store, Workflows: c.workflows, Clock: now{}, Entropy: entropy{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := deaf.Start(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("started: %v", err)
		}
		c.close(deaf)
	})
}
