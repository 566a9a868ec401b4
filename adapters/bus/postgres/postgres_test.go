package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus/bustest"
	"github.com/firstviscount/platform-coordination/adapters/bus/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func open(t testing.TB, url string) ports.Bus {
	t.Helper()
	transport, err := postgres.Open(t.Context(), url, postgres.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return bustest.Bus(t, transport)
}

func TestContract(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	contracttests.Bus(t, func(t *testing.T) ports.Bus { return open(t, url) })
}

func TestDurable(t *testing.T) {
	t.Parallel()
	server := pgtest.StartFor(t)
	contracttests.DurableBus(t, server, func(t *testing.T) ports.Bus { return open(t, server.URL()) })
}

func TestErrorsDoNotQuoteThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://me:geheim@127.0.0.1:1/db", "postgres://me:geheim@:x/%zz"} {
		_, err := postgres.Open(t.Context(), url, postgres.Config{})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}

// TestOrderOverProcesses has the messages of a few keys handled by several
// processes: of each key, the first deliveries are in order.
func TestOrderOverProcesses(t *testing.T) {
	t.Parallel()
	const keys, each, processes = 5, 40, 3
	url := pgtest.Empty(t)
	var mu sync.Mutex
	last := map[string]int{}
	var all sync.WaitGroup
	all.Add(keys * each)
	for range processes {
		err := open(t, url).Subscribe(t.Context(), ports.Subscription{Topic: "t", Group: "g", Concurrency: 4, Handle: func(_ context.Context, m ports.Message) error {
			mu.Lock()
			defer mu.Unlock()
			var n int
			if _, err := fmt.Sscan(string(m.Body), &n); err != nil {
				return err
			}
			if n > last[m.Key] {
				if n != last[m.Key]+1 {
					t.Errorf("key %s: %d after %d", m.Key, n, last[m.Key])
				}
				last[m.Key] = n
				if n%7 == 3 {
					return errors.New("once more")
				}
				all.Done()
			} else if n%7 == 3 {
				all.Done()
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, url)
	for n := 1; n <= each; n++ {
		for key := range keys {
			m := ports.Message{ID: fmt.Sprint(key, "-", n), Key: fmt.Sprint(key), Body: fmt.Append(nil, n)}
			if err := b.Publish(t.Context(), "t", m); err != nil {
				t.Fatal(err)
			}
		}
	}
	all.Wait()
}

// BenchmarkPublish measures confirmed messages, published by many at once.
func BenchmarkPublish(b *testing.B) {
	bustest.Publish(b, open(b, pgtest.Empty(b)))
}
