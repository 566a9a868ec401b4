package participant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Message is a message to be published: a reply for [coordination.TopicReplies].
type Message struct {
	Topic string
	// ID is the same whenever the same reply is sent again; Key keeps order.
	ID, Key     string
	ContentType string
	Body        []byte
}

// ErrMalformed: what came over the bus is not a command; it is no use to ask
// for it again.
var ErrMalformed = errors.New("participant: not a command in a CloudEvent")

// HandleMessage carries out a command that came over a bus and gives the reply
// to publish. The message must be acknowledged after the reply was published,
// not before. ErrMalformed: acknowledge it, or put it aside; nothing was done.
// Any other error: let it come again.
func (p *Participant) HandleMessage(ctx context.Context, body []byte) (Message, error) {
	var e coordination.CloudEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return Message{}, ErrMalformed
	}
	if e.SpecVersion != coordination.CloudEventsVersion || e.Type != coordination.TypeCommand {
		return Message{}, fmt.Errorf("%w: specversion or type", ErrMalformed)
	}
	c, err := decode(e.Data)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c.TraceParent, c.TraceState = e.TraceParent, e.TraceState
	o := p.Do(ctx, c)
	if ctx.Err() != nil { // the subscription is ending: whatever was done will be answered next time
		return Message{}, ctx.Err()
	}
	return p.Reply(c, o)
}

// Reply is the message that answers a command, for an answer that comes after
// ACCEPTED. It is a part of the command's trace.
func (p *Participant) Reply(c *Command, o Outcome) (Message, error) {
	a := p.answerOf(c, o)
	a.CommandID, a.Attempt = c.CommandID, c.Attempt
	data, err := json.Marshal(a)
	if err != nil {
		return Message{}, fmt.Errorf("participant: reply: %w", err)
	}
	e := coordination.CloudEvent{SpecVersion: coordination.CloudEventsVersion,
		ID:     c.CommandID + "/" + strconv.Itoa(c.Attempt) + "/" + string(a.Outcome),
		Source: "/" + p.service, Type: coordination.TypeReply, Subject: c.WorkflowID, PartitionKey: c.SagaID,
		TraceParent: c.TraceParent, TraceState: c.TraceState,
		DataContentType: "application/json", Data: data}
	body, err := json.Marshal(e)
	return Message{Topic: coordination.TopicReplies, ID: e.ID, Key: e.PartitionKey,
		ContentType: coordination.ContentTypeCloudEvent, Body: body}, err
}

// Delivery is a message of a subscription, as Watermill's *message.Message is one.
type Delivery interface {
	Context() context.Context
	Ack() bool
	Nack() bool
}

// Subscriber is a way to get messages, as Watermill's message.Subscriber is one.
type Subscriber[M Delivery] interface {
	Subscribe(ctx context.Context, topic string) (<-chan M, error)
}

// Bus is what ServeBus needs of a bus.
type Bus[M Delivery] struct {
	Subscriber Subscriber[M]
	// Payload is the body of a delivery: func(m *message.Message) []byte { return m.Payload }.
	Payload func(m M) []byte
	// Publish returns nil once the broker has the message.
	Publish func(ctx context.Context, m Message) error
	// Concurrency is how many commands are carried out at once; 0 is 16.
	Concurrency int
}

const (
	defaultConcurrency = 16
	// busPause is how long a command is held back that is to come again: many
	// brokers bring it at once.
	busPause = time.Second
)

// ServeBus takes the service's commands from a bus until ctx ends, and waits for
// those in hand. A command is acknowledged after its reply was published; if
// that fails, it comes again, after a second. What is no command is logged and
// acknowledged, so that it does not stop the others.
//
// All processes of a service must share the work (a consumer group, a queue):
// otherwise each of them carries out every command.
func ServeBus[M Delivery](ctx context.Context, p *Participant, b Bus[M]) error {
	messages, err := b.Subscriber.Subscribe(ctx, coordination.TopicCommands(p.service))
	if err != nil {
		return fmt.Errorf("participant: subscribe: %w", err)
	}
	if b.Concurrency <= 0 {
		b.Concurrency = defaultConcurrency
	}
	places := make(chan struct{}, b.Concurrency)
	var busy sync.WaitGroup
	defer busy.Wait()
	for m := range messages {
		places <- struct{}{}
		busy.Go(func() {
			defer func() { <-places }()
			if take(p, &b, m) {
				m.Ack()
				return
			}
			select {
			case <-time.After(busPause):
			case <-m.Context().Done():
			}
			m.Nack()
		})
	}
	return nil
}

// take reports whether a delivery is done with.
func take[M Delivery](p *Participant, b *Bus[M], m M) bool {
	reply, err := p.HandleMessage(m.Context(), b.Payload(m))
	switch {
	case errors.Is(err, ErrMalformed):
		p.cfg.Logger.Error("a message on the topic of commands is none", "error", err)
		return true
	case err != nil:
		return false
	}
	if err := b.Publish(m.Context(), reply); err != nil {
		p.cfg.Logger.Warn("a reply was not published; the command comes again", "error", err)
		return false
	}
	return true
}
