package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenStore is a store with one fault, and the promise that the fault breaks.
type brokenStore struct {
	fault   string
	promise string // the name of the rule that must notice
	breaks  func(s *faulty)
}

// noticeWithin bounds rules that wait in vain for what a broken store never does.
const noticeWithin = 500 * time.Millisecond

// TestBrokenStoresAreCaught shows that the contract notices what it promises to
// notice: each deliberate fault fails the rule it breaks.
func TestBrokenStoresAreCaught(t *testing.T) {
	t.Parallel()
	rules := map[string]contracttests.StoreRule{}
	for _, r := range contracttests.StoreRules() {
		if _, twice := rules[r.Name]; twice {
			t.Errorf("two rules are called %q", r.Name)
		}
		rules[r.Name] = r
	}
	for _, b := range append(brokenWriters(), brokenReaders()...) {
		t.Run(b.fault, func(t *testing.T) {
			t.Parallel()
			rule, ok := rules[b.promise]
			if !ok {
				t.Fatalf("no rule is called %q", b.promise)
			}
			ctx, cancel := context.WithTimeout(t.Context(), noticeWithin)
			defer cancel()
			s := &faulty{Store: memory.New(memory.Config{})}
			b.breaks(s)
			err := rule.Check(ctx, s)
			if err == nil {
				t.Fatalf("not noticed by %q", b.promise)
			}
			t.Log(err)
		})
	}
}

// TestForgetfulStoreIsCaught: a store that acknowledges before it is durable.
func TestForgetfulStoreIsCaught(t *testing.T) {
	t.Parallel()
	forgetful := func() (ports.Store, error) { return memory.New(memory.Config{}), nil }
	kept := memory.New(memory.Config{})
	durable := func() (ports.Store, error) {
		return &faulty{Store: kept, close: func() error { return nil }}, nil
	}
	for _, r := range contracttests.DurableRules() {
		if r.Name == "Commit: what was acknowledged is there when the store is opened again" {
			if err := r.Check(t.Context(), forgetful); err == nil {
				t.Error("a store that forgets when it is closed was not noticed")
			}
			if err := r.Check(t.Context(), durable); err != nil {
				t.Errorf("a store that keeps everything was blamed: %v", err)
			}
			return
		}
	}
	t.Error("the rule is gone")
}

// TestSpreadIsOneStore: several openings of one storage are one store.
func TestSpreadIsOneStore(t *testing.T) {
	t.Parallel()
	contracttests.Store(t, func(t *testing.T) ports.Store {
		s := open(t)
		return contracttests.Spread(s, s, s)
	})
}

// TestSpreadStoresThatShareNothingAreCaught: replicas must see each other's commits.
func TestSpreadStoresThatShareNothingAreCaught(t *testing.T) {
	t.Parallel()
	for _, r := range contracttests.StoreRules() {
		if r.Name == "Commit: all parts of a change are durable when its error is nil" {
			if r.Check(t.Context(), contracttests.Spread(open(t), open(t))) == nil {
				t.Error("stores that share nothing were not noticed")
			}
			return
		}
	}
	t.Error("the rule is gone")
}

// faulty is a store some of whose methods are replaced; nil means unchanged.
type faulty struct {
	ports.Store
	commit  func(ctx context.Context, batch []ports.Change) []error
	load    func(ctx context.Context, id string) (ports.Record, error)
	purge   func(ctx context.Context, t time.Time, limit int) (int, error)
	renew   func(ctx context.Context, replica string, ttl time.Duration) error
	claim   func(ctx context.Context, replica string, limit int) ([]ports.Record, error)
	release func(ctx context.Context, replica string) error
	list    func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error)
	counts  func(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error)
	save    func(ctx context.Context, hash, templateID string, data []byte) error
	recall  func(ctx context.Context, hash string) ([]byte, error)
	live    func(ctx context.Context, grace time.Duration) (int, int, error)
	close   func() error
}

func (f *faulty) Commit(ctx context.Context, batch []ports.Change) []error {
	if f.commit == nil {
		return f.Store.Commit(ctx, batch)
	}
	return f.commit(ctx, batch)
}

func (f *faulty) Load(ctx context.Context, id string) (ports.Record, error) {
	if f.load == nil {
		return f.Store.Load(ctx, id)
	}
	return f.load(ctx, id)
}

func (f *faulty) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	if f.purge == nil {
		return f.Store.PurgeIdempotency(ctx, t, limit)
	}
	return f.purge(ctx, t, limit)
}

func (f *faulty) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	if f.renew == nil {
		return f.Store.Renew(ctx, replica, ttl)
	}
	return f.renew(ctx, replica, ttl)
}

func (f *faulty) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	if f.claim == nil {
		return f.Store.Claim(ctx, replica, limit)
	}
	return f.claim(ctx, replica, limit)
}

func (f *faulty) Release(ctx context.Context, replica string) error {
	if f.release == nil {
		return f.Store.Release(ctx, replica)
	}
	return f.release(ctx, replica)
}

func (f *faulty) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	if f.list == nil {
		return f.Store.List(ctx, q)
	}
	return f.list(ctx, q)
}

func (f *faulty) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	if f.counts == nil {
		return f.Store.Counts(ctx, from, to, workflowType)
	}
	return f.counts(ctx, from, to, workflowType)
}

func (f *faulty) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	if f.save == nil {
		return f.Store.SaveTemplate(ctx, hash, templateID, data)
	}
	return f.save(ctx, hash, templateID, data)
}

func (f *faulty) LoadTemplate(ctx context.Context, hash string) ([]byte, error) {
	if f.recall == nil {
		return f.Store.LoadTemplate(ctx, hash)
	}
	return f.recall(ctx, hash)
}

func (f *faulty) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	if f.live == nil {
		return f.Store.Live(ctx, grace)
	}
	return f.live(ctx, grace)
}

func (f *faulty) Close() error {
	if f.close == nil {
		return f.Store.Close()
	}
	return f.close()
}
