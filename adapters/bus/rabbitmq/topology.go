package rabbitmq

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// reservedPrefix begins the names that RabbitMQ keeps for itself.
	reservedPrefix = "amq."
	// shortenedTopic and digestBytes are what is left of a topic in the name of
	// a queue that would be too long.
	shortenedTopic = 120
	digestBytes    = 16
	// unlimitedSince is the first version of RabbitMQ whose quorum queues drop
	// what was delivered often, unless they are told not to.
	unlimitedSince = "4"
)

// binding is a group of a topic.
type binding struct{ topic, group string }

// queue is the name of the group's queue.
func (b binding) queue() string {
	name := b.topic + "/" + b.group
	if len(name) > maxShortString {
		digest := sha256.Sum256([]byte(b.topic))
		name = b.topic[:shortenedTopic] + "~" + hex.EncodeToString(digest[:digestBytes]) + "/" + b.group
	}
	return name
}

// topology is what this process knows to be on the server.
type topology struct {
	quorum bool
	log    *slog.Logger

	mu    sync.Mutex
	known map[binding]struct{}
}

func newTopology(quorum bool, log *slog.Logger) *topology {
	return &topology{quorum: quorum, log: log, known: map[binding]struct{}{}}
}

// checkTopic refuses a topic that cannot be the name of an exchange.
func checkTopic(topic string) error {
	if strings.HasPrefix(topic, reservedPrefix) {
		return fmt.Errorf("%w: RabbitMQ reserves topics that begin with %s", ports.ErrMessageRefused, reservedPrefix)
	}
	return nil
}

func declareExchange(ch *amqp.Channel, topic string) error {
	return ch.ExchangeDeclare(topic, amqp.ExchangeFanout, true, false, false, false, nil)
}

// restore declares all that is known, on a server that may have come back empty.
func (t *topology) restore(conn *amqp.Connection) error {
	t.mu.Lock()
	all := make([]binding, 0, len(t.known))
	for b := range t.known {
		all = append(all, b)
	}
	t.mu.Unlock()
	for _, b := range all {
		if err := t.declare(conn, b); err != nil {
			return err
		}
	}
	return nil
}

// declare makes the queue of a group, bound to its topic's exchange, and
// remembers it.
func (t *topology) declare(conn *amqp.Connection, b binding) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclare(b.queue(), true, false, false, false, t.arguments(conn))
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed {
		// The queue exists with other arguments, which is for its owner to
		// decide. The channel is closed.
		t.log.Warn("RabbitMQ has a queue with other arguments, which is used as it is", "queue", b.queue())
		if ch, err = conn.Channel(); err != nil {
			return err
		}
	}
	defer ch.Close()
	if err == nil {
		err = declareExchange(ch, b.topic)
	}
	if err == nil {
		err = ch.QueueBind(b.queue(), "", b.topic, false, nil)
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.known[b] = struct{}{}
	t.mu.Unlock()
	return nil
}

// arguments of a new queue. No limit on deliveries: whoever consumes decides
// what is poison.
func (t *topology) arguments(conn *amqp.Connection) amqp.Table {
	args := amqp.Table{
		amqp.QueueTypeArg: amqp.QueueTypeClassic, amqp.QueueMaxLenArg: int64(MaxQueueMessages),
		amqp.QueueMaxLenBytesArg: int64(MaxQueueBytes), amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	}
	if t.quorum {
		args[amqp.QueueTypeArg] = amqp.QueueTypeQuorum
		if version, _ := conn.Properties["version"].(string); version >= unlimitedSince {
			args["x-delivery-limit"] = int64(-1)
		}
	}
	return args
}
