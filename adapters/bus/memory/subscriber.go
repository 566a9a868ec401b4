package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
)

// subscriber is Watermill's subscriber for one group.
type subscriber struct {
	transport   *Transport
	group       string
	concurrency int64
}

// Subscribe adds a subscriber to the group and, with the first one, the group
// to the topic. The channel is closed when ctx ends or the transport is closed.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	t := s.transport
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	groups := t.groups[topic]
	if groups == nil {
		groups = make(map[string]*group)
		t.groups[topic] = groups
	}
	g := groups[s.group]
	if g == nil {
		g = &group{queue: keyed.New[*letter](), room: semaphore.NewWeighted(MaxBacklogBytes)}
		groups[s.group] = g
	}
	out := make(chan *message.Message)
	t.active.Go(func() { t.deliver(ctx, g, s.concurrency, out) })
	return out, nil
}

// Close does nothing: a subscription ends with its context.
func (*subscriber) Close() error { return nil }

// deliver hands out a group's messages, until ctx or the transport ends.
func (t *Transport) deliver(ctx context.Context, g *group, concurrency int64, out chan<- *message.Message) {
	defer close(out)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.life, cancel)()
	slots := semaphore.NewWeighted(concurrency)
	for slots.Acquire(ctx, 1) == nil {
		key, l, err := g.queue.Take(ctx)
		if err != nil {
			return
		}
		msg := message.NewMessageWithContext(ctx, l.id, slices.Clone(l.body))
		msg.Metadata = maps.Clone(l.metadata)
		select {
		case out <- msg:
		case <-ctx.Done():
			g.queue.Return(key, l)
			return
		}
		t.active.Go(func() {
			defer slots.Release(1)
			g.settle(key, l, msg)
		})
	}
}

// settle waits for what becomes of a message that is out. Whoever got it says
// so in any case, also when the subscription has ended.
func (g *group) settle(key string, l *letter, msg *message.Message) {
	select {
	case <-msg.Acked():
		g.queue.Done(key)
		g.room.Release(l.weight())
	case <-msg.Nacked():
		g.queue.Return(key, l)
	}
}
