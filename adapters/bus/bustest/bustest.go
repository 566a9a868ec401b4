// Package bustest is what the tests of all brokers share.
package bustest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Bus is a bus over a transport, closed when the test ends.
func Bus(tb testing.TB, transport broker.Transport) ports.Bus {
	tb.Helper()
	b := bus.New(transport, bus.Config{Logger: slog.New(slog.DiscardHandler)})
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// The load of Publish.
const (
	topic      = "coordination.commands.some-service"
	publishers = 256
	keys       = 500
	bodySize   = 800
)

// Publish measures confirmed messages, published by many at once, until they
// have been handled.
func Publish(b *testing.B, bus ports.Bus) {
	b.Helper()
	var arrived sync.WaitGroup
	arrived.Add(b.N)
	err := bus.Subscribe(b.Context(), ports.Subscription{Topic: topic, Group: "g", Concurrency: publishers, Handle: func(context.Context, ports.Message) error {
		arrived.Done()
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, bodySize)
	b.ResetTimer()
	var next atomic.Int64
	for range publishers {
		go func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := bus.Publish(b.Context(), topic, ports.Message{ID: fmt.Sprint(i), Key: fmt.Sprint(i % keys), Body: body}); err != nil {
					b.Error(err)
					arrived.Done()
				}
			}
		}()
	}
	arrived.Wait()
}
