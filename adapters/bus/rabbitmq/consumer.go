package rabbitmq

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
)

// consumerTag names a channel's only consumer.
const consumerTag = "coordination"

// consumer is a channel that messages come from. When it is lost the server
// gives all that was not acknowledged to somebody else.
type consumer struct {
	ch         *amqp.Channel
	deliveries <-chan amqp.Delivery
	prefetch   int
	queue      *keyed.Queue[*amqp.Delivery]

	mu   sync.Mutex
	held map[uint64]struct{} // tags of what was fetched and is not out
}

func newConsumer(conn *amqp.Connection, queue string, prefetch int) (*consumer, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	c := &consumer{ch: ch, prefetch: prefetch, queue: keyed.New[*amqp.Delivery](), held: map[uint64]struct{}{}}
	if err = ch.Qos(prefetch, 0, false); err == nil {
		c.deliveries, err = ch.Consume(queue, consumerTag, false, false, false, false, nil)
	}
	if err != nil {
		_ = ch.Close()
		return nil, err
	}
	return c, nil
}

// fetch queues what comes until ctx ends or the consumer is lost.
func (c *consumer) fetch(ctx context.Context) {
	for {
		select {
		case d, ok := <-c.deliveries:
			if !ok {
				return
			}
			c.mu.Lock()
			c.held[d.DeliveryTag] = struct{}{}
			c.mu.Unlock()
			c.queue.Put(key(&d), &d)
		case <-ctx.Done():
			return
		}
	}
}

// leaves says that a message is out.
func (c *consumer) leaves(d *amqp.Delivery) {
	c.mu.Lock()
	delete(c.held, d.DeliveryTag)
	c.mu.Unlock()
}

// giveBack ends fetching and lets others have, in their order, the messages
// that are not out. When it returns the server has them.
func (c *consumer) giveBack() {
	if c.ch.Cancel(consumerTag, false) != nil {
		return // the channel is gone, and all its messages are given back
	}
	for d := range c.deliveries {
		c.held[d.DeliveryTag] = struct{}{}
	}
	for _, tag := range slices.Sorted(maps.Keys(c.held)) {
		_ = c.ch.Nack(tag, false, true)
	}
	_ = c.ch.Qos(c.prefetch, 0, false) // its answer comes after they were taken back
}

// settle waits for what becomes of a message that is out; whoever got it says
// so in any case, also when the subscription has ended. If the answer does not
// reach the server, the message comes again.
func settle(d *amqp.Delivery, msg *message.Message) {
	select {
	case <-msg.Acked():
		_ = d.Ack(false)
	case <-msg.Nacked():
		_ = d.Nack(false, true)
	}
}
