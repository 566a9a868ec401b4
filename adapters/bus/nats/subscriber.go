package nats

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
	"github.com/firstviscount/platform-coordination/ports"
)

// How messages are taken.
const (
	// ackWait is when the server gives a message to somebody else that was
	// neither acknowledged nor said to be in progress.
	ackWait = 30 * time.Second
	// progressEvery is how often it is told that messages are in progress.
	progressEvery = 10 * time.Second
	// pullExpiry and pullHeartbeat bound how long the loss of a consumer goes
	// unnoticed: after a server came back empty nobody would ever answer a pull.
	pullExpiry    = 5 * time.Second
	pullHeartbeat = time.Second
	repairPause   = 250 * time.Millisecond
	maxRepair     = 5 * time.Second
	// prefetch is how many messages are fetched for each that may be out.
	prefetch = 2
)

// Subscriber subscribes for a group.
func (t *Transport) Subscriber(group string, concurrency int) (message.Subscriber, error) {
	return &subscriber{broker.NewSubscriptions(context.Background()), t, group, concurrency}, nil
}

type subscriber struct {
	*broker.Subscriptions
	transport   *Transport
	group       string
	concurrency int
}

// Subscribe makes the group's consumer and begins to deliver.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	ctx, cancel := s.Begin(ctx)
	f := &feed{subscriber: s, topic: topic, queue: keyed.New[jetstream.Msg](), out: make(chan *message.Message),
		slots: semaphore.NewWeighted(int64(s.concurrency)), fetched: semaphore.NewWeighted(int64(prefetch*s.concurrency + 1)),
		open: map[jetstream.Msg]struct{}{}}
	consumer, err := f.consumer(ctx)
	if err != nil {
		cancel()
		return nil, errors.Join(ports.ErrBusDown, err)
	}
	s.Go(cancel, func() { f.run(ctx, consumer) })
	return f.out, nil
}

// feed is one subscription: what was fetched waits in queue, at most slots are
// out at once, and of those with one key one.
type feed struct {
	*subscriber
	topic   string
	queue   *keyed.Queue[jetstream.Msg]
	slots   *semaphore.Weighted
	fetched *semaphore.Weighted
	out     chan *message.Message
	settled sync.WaitGroup

	mu   sync.Mutex
	open map[jetstream.Msg]struct{} // fetched and not yet settled
}

// consumer makes the group's durable consumer, or finds it.
func (f *feed) consumer(ctx context.Context) (jetstream.Consumer, error) {
	t := f.transport
	if err := t.ensureStream(ctx, f.topic); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	stream, _ := streamOf(f.topic)
	return t.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: f.group + "_" + strings.ReplaceAll(f.topic, ".", "_"), FilterSubject: f.topic,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, DeliverPolicy: jetstream.DeliverAllPolicy,
		MaxAckPending: maxPending,
	})
}

func (f *feed) run(ctx context.Context, consumer jetstream.Consumer) {
	var parts sync.WaitGroup
	parts.Go(func() { f.fetch(ctx, consumer) })
	parts.Go(func() { f.deliver(ctx) })
	parts.Go(func() { f.progress(ctx) })
	parts.Wait()
	f.settled.Wait()
	f.giveBack()
	close(f.out)
}

// fetch takes messages from the server until ctx ends, and makes the consumer
// anew when it is gone.
func (f *feed) fetch(ctx context.Context, consumer jetstream.Consumer) {
	for pause := repairPause; ctx.Err() == nil; {
		if consumer != nil {
			if f.pull(ctx, consumer) {
				pause = repairPause
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		var err error
		if consumer, err = f.consumer(ctx); err != nil {
			consumer = nil
			pause = min(2*pause, maxRepair)
		}
	}
}

// pull takes messages until something is wrong, and reports whether it got any.
func (f *feed) pull(ctx context.Context, consumer jetstream.Consumer) (got bool) {
	messages, err := consumer.Messages(jetstream.PullMaxMessages(max(prefetch*f.concurrency, 2)),
		jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return false
	}
	defer messages.Stop()
	// What the server has sent by then must go back to it, or it would lie with
	// us until ackWait is over.
	defer context.AfterFunc(ctx, messages.Drain)()
	for {
		m, err := messages.Next()
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
			return got
		}
		if err != nil { // the consumer is gone, or the server: take what has arrived, then begin anew
			messages.Drain()
			continue
		}
		got = true
		if f.fetched.Acquire(ctx, 1) != nil {
			_ = m.Nak()
			continue
		}
		f.mu.Lock()
		f.open[m] = struct{}{}
		f.mu.Unlock()
		f.queue.Put(key(m), m)
	}
}

// deliver brings fetched messages out.
func (f *feed) deliver(ctx context.Context) {
	for f.slots.Acquire(ctx, 1) == nil {
		key, m, err := f.queue.Take(ctx)
		if err != nil {
			return
		}
		msg := received(ctx, m)
		select {
		case f.out <- msg:
		case <-ctx.Done():
			return
		}
		f.settled.Go(func() { f.settle(key, m, msg) })
	}
}

// settle waits for what becomes of a message that is out; whoever got it says
// so in any case, also when the subscription has ended.
func (f *feed) settle(key string, m jetstream.Msg, msg *message.Message) {
	select {
	case <-msg.Acked():
		_ = m.Ack() // if that is lost, it comes again
	case <-msg.Nacked():
		_ = m.Nak()
	}
	f.mu.Lock()
	delete(f.open, m)
	f.mu.Unlock()
	f.queue.Done(key)
	f.slots.Release(1)
	f.fetched.Release(1)
}

// progress keeps the server from giving away what is being handled.
func (f *feed) progress(ctx context.Context) {
	every := time.NewTicker(progressEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		f.mu.Lock()
		for m := range f.open {
			_ = m.InProgress()
		}
		f.mu.Unlock()
	}
}

// giveBack lets others have what was fetched and not handled.
func (f *feed) giveBack() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for m := range f.open {
		_ = m.Nak()
	}
	clear(f.open)
	_ = f.transport.conn.FlushTimeout(time.Second) // before the connection may be closed
}

func key(m jetstream.Msg) string {
	return first(m.Headers()[keyHeader])
}
