package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestAStoreThatTakesNoWritesIsDown, although it answers, until it writes again
// or so long after that it is worth a try.
func TestAStoreThatTakesNoWritesIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Config{})
		var full atomic.Bool
		e := newEngine(t, &unruly{Store: store, commit: func(ctx context.Context, batch []ports.Change) []error {
			if full.Load() {
				return all(len(batch), ports.ErrUnavailable)
			}
			return store.Commit(ctx, batch)
		}}, &script{})
		begin := func(key string) error {
			_, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: key, Input: json.RawMessage(`{"id":"` + key + `"}`)})
			return err
		}
		is := func(up bool, when string) {
			t.Helper()
			time.Sleep(5 * time.Second) // nothing is answered from before
			if h := e.Health(t.Context()); h.StoreUp != up || h.StoreReadOnly == up {
				t.Errorf("%s: up %t, read only %t", when, h.StoreUp, h.StoreReadOnly)
			}
		}
		is(true, "at first")
		for _, then := range []string{"it writes", "it was long ago"} {
			full.Store(true)
			if err := begin("refused"); !errors.Is(err, ports.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			is(false, "it refused")
			full.Store(false)
			if then == "it writes" {
				if err := begin("taken"); err != nil {
					t.Fatal(err)
				}
			} else {
				time.Sleep(10 * time.Second)
			}
			is(true, then)
		}
	})
}
