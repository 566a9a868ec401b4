package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	idHeader = "message-id"
	// confirmTimeout bounds how long a confirmation is waited for.
	confirmTimeout = 10 * time.Second
	// suspectTimeout bounds how long a cluster under suspicion may take to answer.
	suspectTimeout = time.Second
)

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

func (p publisher) publish(topic string, m *message.Message) error {
	ctx, cancel := context.WithTimeout(m.Context(), confirmTimeout)
	defer cancel()
	if err := p.suspicion.check(ctx, p.Ping); err != nil {
		return err
	}
	known, err := p.known(ctx, topic)
	if err != nil {
		p.suspicion.raise()
		return down(err)
	}
	if !known { // and so nobody reads it
		return nil
	}
	done := make(chan error, 1)
	client, _ := p.clients()
	client.TryProduce(ctx, record(topic, m), func(_ *kgo.Record, err error) { done <- err })
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return p.judge(err)
}

// judge finds out what an error of publishing means.
func (p publisher) judge(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%w: Body: larger than this Kafka cluster takes", ports.ErrMessageRefused)
	case errors.Is(err, kgo.ErrMaxBuffered):
		return down(err)
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		select {
		case p.alarm <- struct{}{}:
		default:
		}
		return down(err)
	}
	p.suspicion.raise()
	return fmt.Errorf("not confirmed by Kafka: %w", err)
}

// record is a message as Kafka has it, with a body of its own: the caller's
// may change while it is sent.
func record(topic string, m *message.Message) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: slices.Clone(m.Payload), Headers: []kgo.RecordHeader{{Key: idHeader, Value: []byte(m.UUID)}}}
	for name, value := range m.Metadata {
		if name == broker.KeyMetadata {
			r.Key = []byte(value)
		} else {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	return r
}

// received is a record as Watermill wants it.
func received(ctx context.Context, r *kgo.Record) *message.Message {
	msg := message.NewMessageWithContext(ctx, "", slices.Clone(r.Value))
	for _, h := range r.Headers {
		if h.Key == idHeader {
			msg.UUID = string(h.Value)
		} else {
			msg.Metadata[h.Key] = string(h.Value)
		}
	}
	if len(r.Key) > 0 {
		msg.Metadata[broker.KeyMetadata] = string(r.Key)
	}
	return msg
}

// suspicion is the question whether the cluster can be reached, which is asked
// before publishing once something spoke against it: what is given to a client
// without a cluster waits for one, and nobody can tell what becomes of it.
type suspicion struct {
	raised atomic.Bool
	asking sync.Mutex
}

func (s *suspicion) raise() { s.raised.Store(true) }

// check returns nil at once if nothing is suspected, or else if a ping says so.
func (s *suspicion) check(ctx context.Context, ping func(context.Context) error) error {
	if !s.raised.Load() {
		return nil
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	if !s.raised.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, suspectTimeout)
	defer cancel()
	if err := ping(ctx); err != nil {
		return err
	}
	s.raised.Store(false)
	return nil
}

// OnBrokerConnect is called by the client.
func (s *suspicion) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		s.raise()
	}
}

// OnBrokerDisconnect is called by the client.
func (s *suspicion) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { s.raise() }
