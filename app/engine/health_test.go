package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestAStoreThatTakesNoWritesIsDown, although it answers, until it writes again
// or so long after that it is worth a try.
func TestAStoreThatTakesNoWritesIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Config{})
		var full atomic.Bool
		var log bytes.Buffer
		e := newEngine(t, &unruly{Store: store, commit: func(ctx context.Context, batch []ports.Change) []error {
			if full.Load() {
				return all(len(batch), fmt.Errorf("%w: no space left", ports.ErrUnavailable))
			}
			return store.Commit(ctx, batch)
		}}, &script{}, func(_ *engine.Config, d *engine.Deps) { d.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
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
			log.Reset()
			for range 3 {
				if err := begin("refused"); !errors.Is(err, ports.ErrUnavailable) {
					t.Fatalf("got %v", err)
				}
			}
			is(false, "it refused")
			if n := strings.Count(log.String(), "changes not written"); n != 1 || !strings.Contains(log.String(), "no space left") {
				t.Errorf("the log tells %d times why:\n%s", n, log.String())
			}
			full.Store(false)
			if then == "it writes" {
				if err := begin("taken"); err != nil {
					t.Fatal(err)
				}
			} else {
				time.Sleep(10 * time.Second)
			}
			is(true, then)
			time.Sleep(10 * time.Second) // so that the log may tell again
		}
	})
}
