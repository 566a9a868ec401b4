package rabbitmq

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
)

const (
	// prefetch is how many messages are fetched for each that may be out.
	prefetch = 2
	// repairPause is how long a consumer that failed waits before the next one.
	repairPause = 200 * time.Millisecond
)

// Subscriber subscribes for a group.
func (t *Transport) Subscriber(group string, concurrency int) (message.Subscriber, error) {
	return &subscriber{broker.NewSubscriptions(t.life), t, group, concurrency}, nil
}

type subscriber struct {
	*broker.Subscriptions
	transport   *Transport
	group       string
	concurrency int
}

// Subscribe makes the group's queue and begins to deliver. ports.ErrBusDown if
// the server is not there.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := checkTopic(topic); err != nil {
		return nil, err
	}
	f := &feed{transport: s.transport, binding: binding{topic, s.group}, concurrency: s.concurrency,
		out: make(chan *message.Message), slots: semaphore.NewWeighted(int64(s.concurrency)), returned: make(chan struct{})}
	ctx, cancel := s.Begin(ctx)
	f.ctx = ctx
	c, err := f.first(ctx)
	if err != nil {
		cancel()
		return nil, down(err)
	}
	s.transport.enter(f)
	s.Go(cancel, func() { f.run(ctx, c) })
	return f.out, nil
}

func (t *Transport) enter(f *feed) {
	t.mu.Lock()
	t.feeds[f] = struct{}{}
	t.mu.Unlock()
}

// leave says that a feed holds no more messages that wait.
func (t *Transport) leave(f *feed) {
	t.mu.Lock()
	delete(t.feeds, f)
	t.mu.Unlock()
	close(f.returned)
}

// ending gives the feeds of a group that have ended and may still hold messages.
func (t *Transport) ending(b binding) (all []*feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.feeds {
		if f.binding == b && f.ctx.Err() != nil {
			all = append(all, f)
		}
	}
	return all
}

// feed is one subscription: of what was fetched, at most slots are out at once,
// and of those with one key one.
type feed struct {
	transport *Transport
	binding
	ctx         context.Context
	concurrency int
	slots       *semaphore.Weighted
	out         chan *message.Message
	returned    chan struct{} // closed when nothing fetched waits any more
	settled     sync.WaitGroup
}

// first makes the first consumer. What an earlier subscription of this process
// had fetched and not handled must be back in the queue by then, lest it comes
// behind what follows it.
func (f *feed) first(ctx context.Context) (*consumer, error) {
	for _, other := range f.transport.ending(f.binding) {
		select {
		case <-other.returned:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := f.transport.in.current()
	if s == nil {
		return nil, errNotConnected
	}
	return f.consume(s)
}

func (f *feed) consume(s *session) (*consumer, error) {
	if err := f.transport.topology.declare(s.conn, f.binding); err != nil {
		return nil, err
	}
	return newConsumer(s.conn, f.queue(), prefetch*f.concurrency+1)
}

// run delivers until ctx ends, with one consumer after the other.
func (f *feed) run(ctx context.Context, c *consumer) {
	for c != nil {
		f.serve(ctx, c)
		c = f.next(ctx)
	}
	f.settled.Wait()
	close(f.out)
}

// next makes another consumer after one was lost; nil: ctx has ended.
func (f *feed) next(ctx context.Context) *consumer {
	for ctx.Err() == nil {
		if s := f.transport.in.await(ctx); s != nil {
			c, err := f.consume(s)
			if err == nil {
				return c
			}
			f.transport.log.Warn("RabbitMQ gives no consumer", "queue", f.queue(), "error", err)
		}
		select {
		case <-time.After(repairPause):
		case <-ctx.Done():
		}
	}
	select {
	case <-f.returned:
	default: // it ended while there was no consumer
		f.transport.leave(f)
	}
	return nil
}

// serve delivers what a consumer gets until that is lost or ctx ends. Then it
// gives back what is not out, and leaves the channel to what is.
func (f *feed) serve(ctx context.Context, c *consumer) {
	serving, stop := context.WithCancel(ctx)
	var outstanding, parts sync.WaitGroup
	parts.Go(func() { f.deliver(serving, c, &outstanding) })
	parts.Go(func() {
		defer stop()
		c.fetch(serving)
	})
	parts.Wait()
	c.giveBack()
	if ctx.Err() != nil {
		f.transport.leave(f)
	}
	f.settled.Go(func() {
		outstanding.Wait()
		_ = c.ch.Close()
	})
}

// deliver brings fetched messages out.
func (f *feed) deliver(ctx context.Context, c *consumer, outstanding *sync.WaitGroup) {
	for f.slots.Acquire(ctx, 1) == nil {
		key, d, err := c.queue.Take(ctx)
		if err != nil {
			f.slots.Release(1)
			return
		}
		msg := received(f.ctx, d)
		select {
		case f.out <- msg:
		case <-ctx.Done():
			f.slots.Release(1)
			return
		}
		c.leaves(d)
		outstanding.Go(func() {
			settle(d, msg)
			c.queue.Done(key)
			f.slots.Release(1)
		})
	}
}
