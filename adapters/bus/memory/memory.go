// Package memory is the message bus inside one process, for development, tests
// and benchmarks. It keeps every promise of broker.Transport as long as the
// process lives; what is in it is lost with the process.
package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// MaxBacklogBytes bounds what one group has not acknowledged; beyond it
	// nothing is published on the topic.
	MaxBacklogBytes = 256 << 20
	// letterBytes is about what a message takes besides its body.
	letterBytes = 512
)

var (
	errClosed = fmt.Errorf("%w: the bus is closed", ports.ErrBusDown)
	errFull   = fmt.Errorf("%w: a group has more than %d bytes to take", ports.ErrBusDown, MaxBacklogBytes)
)

// Transport is the topics of one process.
type Transport struct {
	life   context.Context // ends with Close
	end    context.CancelFunc
	active sync.WaitGroup // deliveries

	mu     sync.Mutex
	closed bool
	groups map[string]map[string]*group // by topic and name
}

var _ broker.Transport = (*Transport)(nil)

// group is what one group of subscribers has still to take.
type group struct {
	queue *keyed.Queue[*letter]
	room  *semaphore.Weighted
}

// letter is a published message, shared by all groups and never changed.
type letter struct {
	id       string
	metadata message.Metadata
	body     []byte
}

func (l *letter) weight() int64 { return int64(len(l.body)) + letterBytes }

// New makes an empty transport.
func New() *Transport {
	t := &Transport{groups: map[string]map[string]*group{}}
	t.life, t.end = context.WithCancel(context.Background())
	return t
}

// Publisher publishes for every group that has ever subscribed.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }

type publisher struct{ transport *Transport }

// Publish queues messages for every group of the topic.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	t := p.transport
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	for _, m := range messages {
		l := &letter{id: m.UUID, metadata: maps.Clone(m.Metadata), body: slices.Clone(m.Payload)}
		if err := put(t.groups[topic], l); err != nil {
			return err
		}
	}
	return nil
}

// put queues a letter for all groups or for none.
func put(groups map[string]*group, l *letter) error {
	var entered []*group
	for _, g := range groups {
		if !g.room.TryAcquire(l.weight()) {
			for _, other := range entered {
				other.room.Release(l.weight())
			}
			return errFull
		}
		entered = append(entered, g)
	}
	for _, g := range entered {
		g.queue.Put(l.metadata[broker.KeyMetadata], l)
	}
	return nil
}

// Close does nothing: the transport is closed as a whole.
func (publisher) Close() error { return nil }

// Subscriber makes a subscriber of a group.
func (t *Transport) Subscriber(group string, concurrency int) (message.Subscriber, error) {
	return &subscriber{transport: t, group: group, concurrency: int64(concurrency)}, nil
}

// Ping reports whether the transport is open.
func (t *Transport) Ping(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	return nil
}

// Close ends all deliveries and forgets everything.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.end()
	t.active.Wait()
	return nil
}
