package rabbitmq_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/bustest"
	"github.com/firstviscount/platform-coordination/adapters/bus/rabbitmq"
	"github.com/firstviscount/platform-coordination/adapters/bus/rabbitmq/rabbittest"
	"github.com/firstviscount/platform-coordination/adapters/testserver"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(testserver.Spawner))
}

const (
	patient = 30 * time.Second // how long a test waits for what must happen
	poll    = 10 * time.Millisecond
)

func open(t testing.TB, server *rabbittest.Server, cfg rabbitmq.Config) ports.Bus {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	transport, err := rabbitmq.Open(t.Context(), server.URL(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return bustest.Bus(t, transport)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !is(); time.Sleep(poll) {
		if time.Now().After(deadline) {
			t.Fatalf("never seen: %s", what)
		}
	}
}

// sink collects what arrives.
type sink struct {
	mu  sync.Mutex
	ids map[string]int
}

func (s *sink) handle(_ context.Context, m ports.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[m.ID]++
	return nil
}

func (s *sink) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids[id] > 0
}

func subscribe(t *testing.T, ctx context.Context, b ports.Bus, topic string) *sink {
	t.Helper()
	s := &sink{ids: map[string]int{}}
	if err := b.Subscribe(ctx, ports.Subscription{Topic: topic, Group: "g", Concurrency: 8, Handle: s.handle}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWithoutFailures(t *testing.T) {
	t.Parallel()
	server := rabbittest.Start(t)
	t.Run("contract", func(t *testing.T) {
		t.Parallel()
		contracttests.Bus(t, func(t *testing.T) ports.Bus { return open(t, server, rabbitmq.Config{}) })
	})
	t.Run("quorum queues", func(t *testing.T) {
		t.Parallel()
		b := open(t, server, rabbitmq.Config{Quorum: true})
		s := subscribe(t, t.Context(), b, "coordination.quorum")
		publish(t, b, "coordination.quorum", "1")
		eventually(t, "the message", func() bool { return s.has("1") })
	})
	t.Run("a full queue refuses", func(t *testing.T) {
		t.Parallel()
		full(t, server)
	})
	t.Run("names", func(t *testing.T) {
		t.Parallel()
		names(t, open(t, server, rabbitmq.Config{}))
	})
}

func publish(t *testing.T, b ports.Bus, topic, id string) {
	t.Helper()
	if err := b.Publish(t.Context(), topic, ports.Message{ID: id, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
}

// full subscribes to a queue that somebody made with other arguments, which is
// used as it is, and publishes more than it holds.
func full(t *testing.T, server *rabbittest.Server) {
	const topic, room = "coordination.full", 1
	conn, err := amqp.Dial(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	args := amqp.Table{amqp.QueueMaxLenArg: int64(room), amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish}
	if _, err := ch.QueueDeclare(topic+"/g", true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	b := open(t, server, rabbitmq.Config{})
	ctx, end := context.WithCancel(t.Context())
	s := subscribe(t, ctx, b, topic)
	publish(t, b, topic, "before")
	eventually(t, "the message", func() bool { return s.has("before") })
	end()
	eventually(t, "the end of the subscription", func() bool {
		q, err := ch.QueueDeclarePassive(topic+"/g", true, false, false, false, nil)
		return err == nil && q.Consumers == 0
	})
	publish(t, b, topic, "fits")
	if err := b.Publish(t.Context(), topic, ports.Message{ID: "does-not"}); err == nil || errors.Is(err, ports.ErrBusDown) {
		t.Errorf("a full queue: got %v, want an error that leaves open who got it", err)
	}
	again := subscribe(t, t.Context(), b, topic)
	eventually(t, "the message that was taken", func() bool { return again.has("fits") })
}

func names(t *testing.T, b ports.Bus) {
	if err := b.Publish(t.Context(), "amq.direct", ports.Message{ID: "1"}); !errors.Is(err, ports.ErrMessageRefused) {
		t.Errorf("a reserved name: %v", err)
	}
	long, group := strings.Repeat("x", bus.MaxTopicLength), strings.Repeat("g", 64)
	s := &sink{ids: map[string]int{}}
	if err := b.Subscribe(t.Context(), ports.Subscription{Topic: long, Group: group, Handle: s.handle}); err != nil {
		t.Fatal(err)
	}
	publish(t, b, long, "1")
	eventually(t, "the message of a long topic", func() bool { return s.has("1") })
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"amqp://user:hidden@127.0.0.1:1/", "amqp://user:hidden@:x:/"} {
		_, err := rabbitmq.Open(t.Context(), url, rabbitmq.Config{})
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v, want an error without the password", err)
		}
	}
	if _, err := rabbitmq.Open(t.Context(), "amqp://127.0.0.1:1/", rabbitmq.Config{}); !errors.Is(err, ports.ErrBusDown) {
		t.Errorf("got %v", err)
	}
}

func TestDurable(t *testing.T) {
	t.Parallel()
	server := rabbittest.Start(t)
	contracttests.DurableBus(t, server, func(t *testing.T) ports.Bus { return open(t, server, rabbitmq.Config{}) })
}

// BenchmarkPublish measures confirmed messages, published by many at once.
func BenchmarkPublish(b *testing.B) {
	dir, err := os.MkdirTemp("", "rabbitbench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := rabbittest.Run(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Kill)
	bustest.Publish(b, open(b, server, rabbitmq.Config{}))
}
