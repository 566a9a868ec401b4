// Package bus is the message bus: ports.Bus over a broker, by Watermill.
//
//	memory                      in this process; lost with it
//	nats://host:4222            NATS with JetStream
//	kafka://host:9092,…         Kafka
//	amqp://user:pass@host:5672  RabbitMQ
//	postgres://…                PostgreSQL
//
// A message that no repetition will make good goes to the topic of quarantine
// with the reason in its headers; any other failure lets it come again, after a
// pause, while the others go on.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Config says which broker a bus is on.
type Config struct {
	// URL names the broker; see the package.
	URL string
	// Logger hears of what goes wrong; the default logger if nil. It never gets
	// the body of a message.
	Logger *slog.Logger
	// Quarantined is told of each message that was put into quarantine. Optional.
	Quarantined func(topic, group string)
}

// errClosed: the bus was closed.
var errClosed = fmt.Errorf("%w: the bus is closed", ports.ErrBusDown)

// messageBus is a ports.Bus over one transport.
type messageBus struct {
	transport   broker.Transport
	publisher   message.Publisher
	logger      *slog.Logger
	quarantined func(topic, group string)

	mu            sync.Mutex
	closed        bool
	subscriptions map[*subscription]context.CancelFunc
	running       sync.WaitGroup // subscriptions
}

var _ ports.Bus = (*messageBus)(nil)

// New makes a bus on a transport, which is the bus's to close.
func New(t broker.Transport, cfg Config) ports.Bus {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Quarantined == nil {
		cfg.Quarantined = func(string, string) {}
	}
	return &messageBus{transport: t, publisher: t.Publisher(), logger: cfg.Logger, quarantined: cfg.Quarantined,
		subscriptions: map[*subscription]context.CancelFunc{}}
}

// enter counts a subscription in, unless the bus is closed.
func (b *messageBus) enter(s *subscription, end context.CancelFunc) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.subscriptions[s] = end
	b.running.Add(1)
	return nil
}

// leave counts a subscription out and frees what it held.
func (b *messageBus) leave(s *subscription) {
	b.mu.Lock()
	end := b.subscriptions[s]
	delete(b.subscriptions, s)
	b.mu.Unlock()
	end()
	b.running.Done()
}

func (b *messageBus) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// Ping reports whether the broker can be reached; ports.ErrBusDown if not.
func (b *messageBus) Ping(ctx context.Context) error {
	if b.isClosed() {
		return errClosed
	}
	return b.transport.Ping(ctx)
}

// Close ends all subscriptions, waits for the handlers that run and frees what
// the bus holds. It may be called twice.
func (b *messageBus) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	for _, end := range b.subscriptions {
		end()
	}
	b.mu.Unlock()
	b.running.Wait()
	if again {
		return nil
	}
	return errors.Join(b.publisher.Close(), b.transport.Close())
}
