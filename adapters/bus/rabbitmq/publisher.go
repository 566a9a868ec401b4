package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/firstviscount/platform-coordination/ports"
)

// errNack: the server says that not every queue took a message.
var errNack = errors.New("RabbitMQ: a queue is full or lost, so that some group may not get the message")

type publisher struct{ *Transport }

// Close does nothing: the transport is closed as a whole.
func (publisher) Close() error { return nil }

// Publish publishes messages one by one.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := p.publish(topic, m); err != nil {
			return err
		}
	}
	return nil
}

// outgoing is a message on its way to a channel.
type outgoing struct {
	ctx   context.Context
	topic string
	body  amqp.Publishing
	sent  chan sent // buffered: whoever waits may have left
}

// sent is what became of an outgoing message.
type sent struct {
	confirm *amqp.DeferredConfirmation
	err     error
}

func (p publisher) publish(topic string, m *message.Message) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	s, ctx := p.out.current(), m.Context()
	switch {
	case s == nil:
		return errNotConnected
	case s.blocked.Load():
		return fmt.Errorf("%w: RabbitMQ is short of memory or disk", ports.ErrBusDown)
	}
	o := &outgoing{ctx: ctx, topic: topic, body: publishing(m), sent: make(chan sent, 1)}
	select {
	case s.wanted <- o:
	case <-s.lost:
		return errNotConnected
	case <-ctx.Done():
		return fmt.Errorf("%w: nothing was sent: %w", ports.ErrBusDown, ctx.Err())
	}
	return o.confirmed(ctx)
}

// confirmed waits for the server's word on a message that a lane has.
func (o *outgoing) confirmed(ctx context.Context) error {
	var s sent
	select {
	case s = <-o.sent:
	case <-ctx.Done():
		return fmt.Errorf("RabbitMQ did not confirm: %w", ctx.Err())
	}
	if s.err != nil {
		return s.err
	}
	acked, err := s.confirm.WaitContext(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("RabbitMQ did not confirm: %w", err)
	case !acked:
		return errNack
	}
	return nil
}

// lane publishes what is wanted on a channel of its own, and on another one
// after an error, which closes a channel, until the connection is lost.
func (s *session) lane() {
	for {
		ch, err := s.conn.Channel()
		if err == nil {
			err = ch.Confirm(false)
		}
		if err != nil { // only a connection that is lost, or about to be, has no more channels
			<-s.lost
			return
		}
		if !s.publishOn(ch) {
			return
		}
	}
}

// publishOn publishes until the channel or the connection is closed; false: the
// connection is.
func (s *session) publishOn(ch *amqp.Channel) bool {
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	declared := map[string]bool{} // known to this channel
	for {
		select {
		case o := <-s.wanted:
			o.sent <- o.send(ch, declared)
		case <-closed:
			return true
		case <-s.lost:
			return false
		}
	}
}

// send publishes a message. An exchange that is not there would close the
// channel, so it is declared first.
func (o *outgoing) send(ch *amqp.Channel, declared map[string]bool) sent {
	if err := o.ctx.Err(); err != nil {
		return sent{err: fmt.Errorf("%w: nothing was sent: %w", ports.ErrBusDown, err)}
	}
	if !declared[o.topic] {
		if err := declareExchange(ch, o.topic); err != nil {
			return sent{err: down(err)}
		}
		declared[o.topic] = true
	}
	confirm, err := ch.PublishWithDeferredConfirmWithContext(o.ctx, o.topic, "", false, false, o.body)
	if errors.Is(err, amqp.ErrClosed) {
		return sent{err: errNotConnected}
	}
	if err != nil {
		err = fmt.Errorf("RabbitMQ: %w", err)
	}
	return sent{confirm, err}
}
