package kafka_test

import (
	"errors"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/bus/bustest"
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
	transport, err := kafka.Open(t.Context(), server.URL(), kafka.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return bustest.Bus(t, transport)
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
	bustest.Publish(b, open(b, server))
}
