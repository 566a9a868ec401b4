package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/kafka"
	"github.com/firstviscount/platform-coordination/adapters/bus/kafka/kafkatest"
	"github.com/firstviscount/platform-coordination/adapters/testserver"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(testserver.Spawner))
}

func open(t testing.TB, server *kafkatest.Server) ports.Bus {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	transport, err := kafka.Open(t.Context(), server.URL(), kafka.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	b := bus.New(transport, bus.Config{Logger: quiet})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestContract(t *testing.T) {
	t.Parallel()
	server := kafkatest.Start(t)
	contracttests.Bus(t, func(t *testing.T) ports.Bus { return open(t, server) })
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	server := kafkatest.Start(t)
	server.Kill()
	if _, err := kafka.Open(t.Context(), server.URL(), kafka.Config{}); !errors.Is(err, ports.ErrBusDown) {
		t.Errorf("got %v", err)
	}
}

func TestDurable(t *testing.T) {
	t.Parallel()
	server := kafkatest.Start(t)
	contracttests.DurableBus(t, server, func(t *testing.T) ports.Bus { return open(t, server) })
}

const topic = "coordination.commands.some-service"

// BenchmarkPublish measures confirmed messages, published by many at once.
func BenchmarkPublish(b *testing.B) {
	dir, err := os.MkdirTemp("", "kafkabench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := kafkatest.Run(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Stop)
	bus := open(b, server)
	var arrived sync.WaitGroup
	arrived.Add(b.N)
	err = bus.Subscribe(b.Context(), ports.Subscription{Topic: topic, Group: "g", Concurrency: 256, Handle: func(context.Context, ports.Message) error {
		arrived.Done()
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 800)
	b.ResetTimer()
	var next atomic.Int64
	for range 256 {
		go func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := bus.Publish(b.Context(), topic, ports.Message{ID: fmt.Sprint(i), Key: fmt.Sprint(i % 500), Body: body}); err != nil {
					b.Error(err)
					arrived.Done()
				}
			}
		}()
	}
	arrived.Wait()
}
