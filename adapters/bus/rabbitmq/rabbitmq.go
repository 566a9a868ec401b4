// Package rabbitmq is the message bus on RabbitMQ, 3.10 or later.
//
// Each topic is a fanout exchange of its name, each group of a topic a durable
// queue "<topic>/<group>" bound to it, so that a message waits for every group
// that ever subscribed, whoever publishes it. Messages are persistent and
// confirmed; a queue that is full refuses more, and the publisher hears of it.
// A message that is not acknowledged is given to a consumer again for ever.
//
// A lost connection is made again by itself. A server that came back empty gets
// what this process knows of, exchanges, queues and bindings, before anything is
// published to it; what it had is lost, which is what the database is for.
//
// Messages with one key are handled in order within a process. With several
// subscribers in a group the server hands messages to whoever has room, so that
// order then holds only for those published after the one before was
// acknowledged.
package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the transport and its queues.
const (
	// MaxQueueMessages and MaxQueueBytes bound what waits for a group; a queue
	// that is full refuses more.
	MaxQueueMessages = 5_000_000
	MaxQueueBytes    = 16 << 30

	// publishingChannels is how many channels publish at the same time. Each
	// has any number of messages out that are not confirmed yet.
	publishingChannels = 4
	connectTimeout     = 5 * time.Second
	// heartbeat bounds how long a dead connection goes unnoticed: three times this.
	heartbeat    = 5 * time.Second
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

const clientName = "platform-coordination"

// Config of a transport. The zero value is usable.
type Config struct {
	// Quorum makes the queues quorum queues, which a cluster replicates; else
	// they are classic ones, which cost less. It is settled by whoever
	// subscribes first: a queue that exists is used as it is.
	Quorum bool
	// Logger hears of what goes wrong; nobody if nil.
	Logger *slog.Logger
}

// Transport is a pair of connections to a RabbitMQ server, one to publish and
// one to consume, so that a server which holds back publishers still takes
// acknowledgements.
type Transport struct {
	log      *slog.Logger
	topology *topology
	out, in  *link
	life     context.Context // ends with Close
	end      context.CancelFunc
	closed   sync.Once

	mu    sync.Mutex
	feeds map[*feed]struct{} // those that may hold messages
}

var _ broker.Transport = (*Transport)(nil)

// Open connects to the server of a URL, amqp://user:password@host:port/vhost or
// amqps://…. ports.ErrBusDown if it cannot be reached or refuses; later losses
// are made good.
func Open(ctx context.Context, url string, cfg Config) (*Transport, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, errors.New("RabbitMQ: the URL cannot be used") // the cause may quote its password
	}
	t := &Transport{log: cfg.Logger, topology: newTopology(cfg.Quorum, cfg.Logger), feeds: map[*feed]struct{}{}}
	t.life, t.end = context.WithCancel(context.Background())
	t.out = &link{url: url, name: clientName + " publisher", log: cfg.Logger, prepare: t.topology.restore, lanes: publishingChannels}
	t.in = &link{url: url, name: clientName + " consumer", log: cfg.Logger}
	for _, l := range []*link{t.out, t.in} {
		if err := l.open(ctx, t.life); err != nil {
			_ = t.Close()
			return nil, down(err)
		}
	}
	return t, nil
}

// down says that a failure left nothing behind.
func down(err error) error {
	if errors.Is(err, ports.ErrBusDown) {
		return err
	}
	return fmt.Errorf("%w: RabbitMQ: %w", ports.ErrBusDown, err)
}

// errNotConnected: the server is not there, or not again yet.
var errNotConnected = fmt.Errorf("%w: RabbitMQ is not connected", ports.ErrBusDown)

// Ping reports whether the server answers; ports.ErrBusDown if not.
func (t *Transport) Ping(ctx context.Context) error {
	s := t.out.current()
	if s == nil {
		return errNotConnected
	}
	answered := make(chan error, 1)
	go func() { // ends with the connection at the latest
		ch, err := s.conn.Channel()
		if err == nil {
			err = ch.Close()
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			return down(err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: RabbitMQ does not answer: %w", ports.ErrBusDown, ctx.Err())
	}
}

// Close ends the connections; what was delivered and not acknowledged is
// delivered to somebody else.
func (t *Transport) Close() error {
	t.closed.Do(func() {
		t.end()
		t.out.running.Wait()
		t.in.running.Wait()
	})
	return nil
}

// Publisher publishes with the server's confirmation.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }
