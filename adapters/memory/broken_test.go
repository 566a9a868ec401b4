package memory_test

import (
	"context"
	"slices"
	"strings"
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
	never   bool // the fault is that something never happens
}

// How long a rule may take to notice: any time, unless it waits in vain.
const (
	noticeWithin = time.Minute
	waitInVain   = 250 * time.Millisecond
)

func brokenStores() []brokenStore {
	return slices.Concat(brokenWriters(), brokenReaders(), brokenLeasers(), brokenOutboxes(), brokenLists(), brokenMany(),
		brokenAudits(), brokenIdleLists(), brokenQuotas(), brokenBatches(), brokenBatchWork(), brokenPurgers(),
		brokenDeliveryPurgers(), brokenWebhookAudits(),
		brokenWebhooks(), brokenNotices(), brokenClaimsOfDeliveries(), brokenSettlers(), brokenRedeliverers(), brokenDeliveryLists())
}

// TestBrokenStoresAreCaught shows that the contract notices what it promises to
// notice: each deliberate fault fails the rule it breaks.
func TestBrokenStoresAreCaught(t *testing.T) {
	t.Parallel()
	rules := map[string]contracttests.StoreRule{}
	for _, r := range contracttests.StoreRules() {
		rules[r.Name] = r
	}
	for _, b := range brokenStores() {
		t.Run(b.fault, func(t *testing.T) {
			t.Parallel()
			rule, ok := rules[b.promise]
			if !ok {
				t.Fatalf("no rule is called %q", b.promise)
			}
			within := noticeWithin
			if b.never {
				within = waitInVain
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			s := &faulty{Store: memory.New(memory.Config{})}
			b.breaks(s)
			err := rule.Check(ctx, s)
			if err == nil {
				t.Fatalf("not noticed by %q", b.promise)
			}
			if !b.never && ctx.Err() != nil {
				t.Fatalf("noticed by nothing but the clock: %v", err)
			}
			t.Log(err)
		})
	}
}

// TestEveryRuleCatchesSomething: a rule that no fault can fail checks nothing.
func TestEveryRuleCatchesSomething(t *testing.T) {
	t.Parallel()
	caught := map[string]bool{}
	for _, b := range brokenStores() {
		caught[b.promise] = true
	}
	seen := map[string]bool{}
	for _, r := range contracttests.StoreRules() {
		if seen[r.Name] {
			t.Errorf("two rules are called %q", r.Name)
		}
		seen[r.Name] = true
		if !caught[r.Name] {
			t.Errorf("no broken store shows what %q catches", r.Name)
		}
	}
}

// TestDurableRules: a memory store that is never really closed keeps them, one
// that forgets when it is closed is caught.
func TestDurableRules(t *testing.T) {
	t.Parallel()
	contracttests.DurableStore(t, func(t *testing.T) contracttests.Opener {
		kept := open(t)
		return func() (ports.Store, error) {
			return &faulty{Store: kept, close: func() error { return nil }}, nil
		}
	})
	forgetful := func() (ports.Store, error) { return memory.New(memory.Config{}), nil }
	for _, r := range contracttests.DurableRules() {
		ctx, cancel := context.WithTimeout(t.Context(), waitInVain)
		err := r.Check(ctx, forgetful)
		cancel()
		if forgets := !strings.HasPrefix(r.Name, "Open:"); (err != nil) != forgets {
			t.Errorf("of a store that forgets, %q says %v", r.Name, err)
		}
	}
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
