package memory_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// handClock is moved by the test.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func commit(t testing.TB, s ports.Store, batch ...ports.Change) {
	t.Helper()
	if err := errors.Join(s.Commit(t.Context(), batch)...); err != nil {
		t.Fatal(err)
	}
}

func claimed(t *testing.T, s ports.Store, replica string) []ports.Record {
	t.Helper()
	recs, err := s.Claim(t.Context(), replica, 10)
	if err != nil {
		t.Fatal(err)
	}
	return recs
}

// TestLeaseEndsToTheInstant uses a clock that stands still, as the contract cannot.
func TestLeaseEndsToTheInstant(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: contracttests.Epoch}
	s := memory.New(memory.Config{Clock: clock})
	for replica, ttl := range map[string]time.Duration{"r1": 10 * time.Second, "r2": time.Hour} {
		if err := s.Renew(t.Context(), replica, ttl); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, contracttests.StartOf(1, contracttests.HeldBy("r1")),
		contracttests.StartOf(2, contracttests.Due(clock.Now().Add(5*time.Second))))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {4999 * time.Millisecond, 0}, {time.Millisecond, 1}, {4999 * time.Millisecond, 0}, {time.Millisecond, 1}} {
		clock.advance(step.after)
		if got := claimed(t, s, "r2"); len(got) != step.want {
			t.Errorf("at %v claim returned %d workflows, want %d", clock.Now().Sub(contracttests.Epoch), len(got), step.want)
		}
	}
}

// TestReleaseIsDueByTheClock: released work is due when it was released.
func TestReleaseIsDueByTheClock(t *testing.T) {
	t.Parallel()
	clock := &handClock{now: contracttests.Epoch}
	s := memory.New(memory.Config{Clock: clock})
	commit(t, s, contracttests.StartOf(1, contracttests.HeldBy("r1")))
	if err := s.Release(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	rec, err := s.Load(t.Context(), contracttests.WorkflowID(1))
	if err != nil || !rec.Row.DueAt.Equal(clock.Now()) || rec.Row.Owner != "" {
		t.Errorf("released row is held by %q, due %v, %v", rec.Row.Owner, rec.Row.DueAt, err)
	}
}

func TestEndedLimit(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{EndedLimit: 3})
	for n := range 6 {
		commit(t, s, contracttests.StartOf(n, contracttests.Keyed(contracttests.OrderID(n))))
	}
	for n := range 5 {
		commit(t, s, contracttests.NextOf(contracttests.StartOf(n).Row, contracttests.Ends(domain.Completed)))
	}
	for n := range 6 {
		forgotten := n < 2
		_, err := s.Load(t.Context(), contracttests.WorkflowID(n))
		if errors.Is(err, ports.ErrNotFound) != forgotten {
			t.Errorf("workflow %d: got error %v, forgotten should be %t", n, err, forgotten)
		}
		_, err = s.Idempotency(t.Context(), contracttests.OrderID(n))
		if errors.Is(err, ports.ErrNotFound) != forgotten {
			t.Errorf("record %d: got error %v, forgotten should be %t", n, err, forgotten)
		}
		_, err = s.BusinessKeyHolder(t.Context(), contracttests.FixtureType, contracttests.OrderID(n))
		if errors.Is(err, ports.ErrNotFound) != forgotten {
			t.Errorf("business key %d: got error %v, forgotten should be %t", n, err, forgotten)
		}
	}
	page, err := s.List(t.Context(), ports.ListQuery{Limit: 10})
	if err != nil || page.Total != 4 {
		t.Errorf("list has %d workflows of 4, %v", page.Total, err)
	}
}

func TestCallersMistakesAreRefused(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{})
	large := make([]ports.Change, ports.MaxBatch+1)
	for n := range large {
		large[n] = contracttests.StartOf(n)
	}
	for i, err := range s.Commit(t.Context(), large) {
		if err == nil {
			t.Fatalf("change %d of a batch that is too large was taken", i)
		}
	}
	first := contracttests.StartOf(1)
	errs := s.Commit(t.Context(), []ports.Change{first, contracttests.NextOf(first.Row)})
	if errs[0] != nil || errs[1] == nil || errors.Is(errs[1], ports.ErrConflict) {
		t.Errorf("two changes of one workflow in a batch gave %v", errs)
	}
	for _, q := range []ports.ListQuery{
		{}, {Limit: 101}, {Limit: -1}, {Limit: 1, Offset: -1}, {Limit: 1, Sort: "color"}, {Limit: 1, Offset: 1, Cursor: "x"},
	} {
		if _, err := s.List(t.Context(), q); err == nil {
			t.Errorf("list %+v was answered", q)
		}
	}
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{})
	commit(t, s, contracttests.StartOf(1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, loadErr := s.Load(ctx, contracttests.WorkflowID(1))
	_, claimErr := s.Claim(ctx, "r1", 1)
	_, listErr := s.List(ctx, ports.ListQuery{Limit: 1})
	_, countErr := s.Counts(ctx, time.Time{}, time.Now(), "")
	_, _, liveErr := s.Live(ctx, 0)
	_, purgeErr := s.PurgeIdempotency(ctx, time.Now(), 1)
	for i, err := range []error{
		s.Commit(ctx, []ports.Change{contracttests.StartOf(2)})[0], loadErr, claimErr, listErr, countErr, liveErr, purgeErr,
		s.Ping(ctx), s.Renew(ctx, "r1", time.Second), s.Release(ctx, "r1"), s.SaveTemplate(ctx, "h", "t", nil),
	} {
		if !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("call %d on a closed store: got error %v", i, err)
		}
	}
}
