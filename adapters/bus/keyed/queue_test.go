package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
)

func take(t *testing.T, q *keyed.Queue[int], want int) string {
	t.Helper()
	key, got, err := q.Take(t.Context())
	if err != nil || got != want {
		t.Fatalf("took %d (error %v), want %d", got, err, want)
	}
	return key
}

func TestOneOfAKeyAtATime(t *testing.T) {
	t.Parallel()
	q := keyed.New[int]()
	q.Put("a", 1)
	q.Put("a", 2)
	q.Put("b", 3)
	q.Put("", 4)
	q.Put("", 5)
	take(t, q, 1)
	take(t, q, 3)
	take(t, q, 4)
	take(t, q, 5)
	q.Put("c", 6)
	take(t, q, 6)
	q.Done("a")
	take(t, q, 2)
}

func TestWhatIsReturnedComesBehindTheOthers(t *testing.T) {
	t.Parallel()
	q := keyed.New[int]()
	q.Put("a", 1)
	q.Put("a", 2)
	q.Put("b", 3)
	key := take(t, q, 1)
	q.Return(key, 1)
	take(t, q, 3)
	q.Done(take(t, q, 2))
	take(t, q, 1)
}

func TestTakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := keyed.New[int]()
		ctx, cancel := context.WithCancel(t.Context())
		var took sync.WaitGroup
		took.Go(func() {
			if _, _, err := q.Take(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		cancel()
		took.Wait()
		q.Put("", 1)
		take(t, q, 1)
	})
}

// TestOrderUnderConcurrency has many takers, some of whose contexts end, take
// many items, some of which they return once.
func TestOrderUnderConcurrency(t *testing.T) {
	t.Parallel()
	const keys, each = 20, 200
	type item struct{ key, n int }
	q := keyed.New[item]()
	var mu sync.Mutex
	last := make([]int, keys)
	left := keys * each
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var takers sync.WaitGroup
	for taker := range uint64(8) {
		random := rand.New(rand.NewPCG(1, taker))
		takers.Go(func() {
			for ctx.Err() == nil {
				key, got, err := q.Take(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				if got.n > last[got.key]+1 {
					t.Errorf("key %s: %d after %d", key, got.n, last[got.key])
				}
				again := got.n > last[got.key] && random.IntN(10) == 0
				last[got.key] = max(last[got.key], got.n)
				if !again {
					left--
				}
				if left == 0 {
					cancel()
				}
				mu.Unlock()
				if again {
					q.Return(key, got)
				} else {
					q.Done(key)
				}
			}
		})
	}
	for n := range each {
		for key := range keys {
			q.Put(fmt.Sprint(key), item{key, n + 1})
		}
	}
	takers.Wait()
	if left != 0 {
		t.Errorf("%d items were not taken", left)
	}
}
