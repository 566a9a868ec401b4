package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/ratelimit"
	"github.com/firstviscount/platform-coordination/ports"
)

// movingClock tells the time that a test has moved it to.
type movingClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *movingClock {
	return &movingClock{at: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
}

func (c *movingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *movingClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// watchedStore counts the leases and can fail.
type watchedStore struct {
	ports.Quotas
	leases atomic.Int64
	fails  atomic.Bool
	keys   sync.Map
}

func (s *watchedStore) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
	s.leases.Add(1)
	s.keys.Store(key, true)
	if s.fails.Load() {
		return ports.QuotaLease{}, ports.ErrUnavailable
	}
	return s.Quotas.LeaseQuota(ctx, key, limit, n, window)
}

// scene is replicas over one store.
type scene struct {
	clock    *movingClock
	store    *watchedStore
	replicas []*ratelimit.Limiter
}

func newScene(t *testing.T, replicas int, config ratelimit.Config) *scene {
	t.Helper()
	s := &scene{clock: newClock()}
	store := memory.New(memory.Config{Clock: s.clock})
	t.Cleanup(func() { _ = store.Close() })
	s.store = &watchedStore{Quotas: store}
	config.Clock = s.clock
	for range replicas {
		l, err := ratelimit.New(config, s.store)
		if err != nil {
			t.Fatal(err)
		}
		s.replicas = append(s.replicas, l)
	}
	return s
}

func caller(role string) ratelimit.Subject { return ratelimit.Subject{Role: role, Name: "shop"} }

func (s *scene) take(t *testing.T, replica int, who ratelimit.Subject) ratelimit.Verdict {
	t.Helper()
	v, err := s.replicas[replica].Take(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// passes is how many of n requests pass.
func (s *scene) passes(t *testing.T, replica, n int, who ratelimit.Subject) int {
	t.Helper()
	passed := 0
	for range n {
		if s.take(t, replica, who).Allowed {
			passed++
		}
	}
	return passed
}

func TestOneReplicaLetsTheQuotaPassAndNoMore(t *testing.T) {
	t.Parallel()
	for role, quota := range map[string]int{"external": 1000, "admin": 5000, "service": 10000} {
		s := newScene(t, 1, ratelimit.Config{})
		if n := s.passes(t, 0, quota+50, caller(role)); n != quota {
			t.Errorf("%s: %d of %d requests passed", role, n, quota)
		}
		if n := s.store.leases.Load(); n > 210 {
			t.Errorf("%s: the store was asked %d times", role, n)
		}
	}
}

// The whole quota passes wherever the requests go, and at most the reserve more.
func TestReplicasShareAQuota(t *testing.T) {
	t.Parallel()
	for replicas := 2; replicas <= 5; replicas++ {
		for seed := range uint64(20) {
			s := newScene(t, replicas, ratelimit.Config{})
			random := rand.New(rand.NewPCG(seed, uint64(replicas)))
			passed := 0
			for range random.IntN(1000) { // anywhere
				passed += s.passes(t, random.IntN(replicas), 1, caller("external"))
			}
			passed += s.passes(t, random.IntN(replicas), 1100, caller("external")) // the others fall silent
			if passed < 1000 {
				t.Errorf("%d replicas, seed %d: only %d passed", replicas, seed, passed)
			}
			for i := range replicas {
				passed += s.passes(t, i, 1100, caller("external"))
			}
			if passed > 1020 {
				t.Errorf("%d replicas, seed %d: %d passed", replicas, seed, passed)
			}
		}
	}
}

func TestConcurrentRequestsShareAQuota(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2, ratelimit.Config{})
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 200 {
				v, err := s.replicas[i%2].Take(context.Background(), caller("external"))
				if err != nil {
					t.Error(err)
				}
				if v.Allowed {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n < 1000 || n > 1020 {
		t.Errorf("%d passed", n)
	}
}

func TestAWindowBeginsWithTheFirstUse(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2, ratelimit.Config{})
	s.passes(t, 0, 1000, caller("external"))
	s.clock.advance(time.Hour - time.Second)
	v := s.take(t, 0, caller("external"))
	if v.Allowed || v.Reset != time.Second || v.Remaining != 0 {
		t.Errorf("a second before the end: %+v", v)
	}
	before := s.store.leases.Load()
	s.passes(t, 0, 100, caller("external"))
	if s.store.leases.Load() != before {
		t.Error("the store is asked for what is known to be spent")
	}
	s.clock.advance(time.Second)
	v = s.take(t, 0, caller("external"))
	if !v.Allowed || v.Reset != time.Hour || v.Remaining != 999 {
		t.Errorf("in the next window: %+v", v)
	}
	s.clock.advance(time.Minute)
	if v = s.take(t, 1, caller("external")); v.Reset != time.Hour-time.Minute {
		t.Errorf("the other replica, a minute later: %+v", v)
	}
}

func TestUnusedChunksEndWithTheirWindow(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2, ratelimit.Config{})
	s.take(t, 0, caller("external")) // and four are left in hand
	s.clock.advance(time.Hour)
	passed := s.passes(t, 1, 1100, caller("external"))
	if passed += s.passes(t, 0, 1100, caller("external")); passed != 1020 { // quota and reserve
		t.Errorf("%d passed in the next window", passed)
	}
}

func TestRemainingCountsDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, 1, ratelimit.Config{})
	for want := 999; want >= 0; want-- {
		v := s.take(t, 0, caller("external"))
		if v.Remaining != want || v.Quota != 1000 || v.Class != "external" || v.Window != time.Hour {
			t.Fatalf("%+v, want %d remaining", v, want)
		}
	}
}

func TestSubjectsAreNotConfused(t *testing.T) {
	t.Parallel()
	s := newScene(t, 1, ratelimit.Config{Quotas: map[string]int{"external": 1, "service": 2}})
	all := []ratelimit.Subject{
		{Issuer: "a", Role: "external", Name: "bc"}, {Issuer: "ab", Role: "external", Name: "c"}, {Role: "external", Name: "abc"},
		{Issuer: "a", Role: "service", Name: "bc"}, {Issuer: "1:a", Role: "external"}, {Role: "external", Name: "1:a"},
	}
	for _, who := range all {
		if v := s.take(t, 0, who); !v.Allowed {
			t.Errorf("%+v has no quota of its own", who)
		}
	}
	n := 0
	s.store.keys.Range(func(key, _ any) bool {
		if n++; strings.Contains(key.(string), "abc") {
			t.Errorf("the key %q tells who calls", key)
		}
		return true
	})
	if n != len(all) {
		t.Errorf("%d subjects have %d keys", len(all), n)
	}
	if v := s.take(t, 0, ratelimit.Subject{Role: "superuser", Name: "x"}); v.Quota != 1 || v.Class != "external" {
		t.Errorf("an unknown role has %+v", v)
	}
}

func TestWithoutTheStoreSomePass(t *testing.T) {
	t.Parallel()
	s := newScene(t, 1, ratelimit.Config{})
	s.store.fails.Store(true)
	passed := 0
	var err error
	for range 150 {
		var v ratelimit.Verdict
		if v, err = s.replicas[0].Take(t.Context(), caller("external")); err == nil && v.Allowed {
			passed++
		}
	}
	if passed != 100 || !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("%d passed, then %v", passed, err)
	}
	if n := s.store.leases.Load(); n != 1 {
		t.Errorf("a store that does not answer was asked %d times at once", n)
	}
	s.store.fails.Store(false)
	s.clock.advance(time.Second)
	if n := s.passes(t, 0, 1100, caller("external")); n != 1000 {
		t.Errorf("%d passed when the store answered again", n)
	}
}

func TestManySubjectsNeedLittleMemory(t *testing.T) {
	t.Parallel()
	s := newScene(t, 1, ratelimit.Config{MaxSubjects: 32})
	s.passes(t, 0, 1000, caller("external"))
	for i := range 1000 {
		s.take(t, 0, ratelimit.Subject{Role: "external", Name: fmt.Sprint(i)})
	}
	if n := s.passes(t, 0, 10, caller("external")); n > 10 || s.take(t, 0, caller("external")).Quota != 1000 {
		t.Errorf("%d passed", n)
	}
	if n := s.passes(t, 0, 100, caller("external")); n > 20 {
		t.Errorf("who was forgotten has a new quota: %d passed", n)
	}
}

func TestARequestThatIsGoneDoesNotEndTheLeaseOfOthers(t *testing.T) {
	t.Parallel()
	s := newScene(t, 1, ratelimit.Config{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = s.replicas[0].Take(gone, caller("external"))
	if n := s.passes(t, 0, 10, caller("external")); n != 10 {
		t.Errorf("%d of 10 passed", n)
	}
}

func TestNewRefusesWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]ratelimit.Config{
		"no quota":        {Quotas: map[string]int{"external": 0}},
		"negative window": {Window: -1},
		"negative size":   {MaxSubjects: -1},
	} {
		if _, err := ratelimit.New(c, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFailedLoginsAreCountedByAddress(t *testing.T) {
	t.Parallel()
	clock := newClock()
	f := ratelimit.NewFailures(clock)
	for i := range ratelimit.MaxFailures {
		if wait := f.Failed("192.0.2.1:" + fmt.Sprint(1000+i)); wait != 0 {
			t.Fatalf("failure %d is one too many", i)
		}
	}
	clock.advance(10 * time.Second)
	for _, same := range []string{"192.0.2.1:1", "[::ffff:192.0.2.1]:1"} {
		if wait := f.Failed(same); wait != ratelimit.FailureWindow-10*time.Second {
			t.Errorf("%s: wait %v", same, wait)
		}
	}
	for _, other := range []string{"192.0.2.2:1", "[2001:db8::1]:1", "nonsense", ""} {
		if wait := f.Failed(other); wait != 0 {
			t.Errorf("%s waits for another address", other)
		}
	}
	clock.advance(ratelimit.FailureWindow)
	if wait := f.Failed("192.0.2.1:1"); wait != 0 {
		t.Errorf("after the window: wait %v", wait)
	}
	for i := range ratelimit.MaxFailures {
		f.Failed(fmt.Sprintf("[2001:db8:0:1::%x]:1", i))
	}
	if f.Failed("[2001:db8:0:1:ffff::]:1") == 0 || f.Failed("[2001:db8:0:2::]:1") != 0 {
		t.Error("addresses of one IPv6 network are one subscriber's, those of another are not")
	}
}

func BenchmarkTake(b *testing.B) {
	store := memory.New(memory.Config{})
	defer store.Close()
	l, err := ratelimit.New(ratelimit.Config{Quotas: map[string]int{"external": 1 << 40}}, store)
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			_, _ = l.Take(context.Background(), caller("external"))
		}
	})
}
