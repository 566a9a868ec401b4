package contracttests

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// quarantineTopic is where poison goes; it is part of the wire format.
const quarantineTopic = "coordination.quarantine"

// stillness is how long a rule looks for what must not happen. A bus that
// breaks the promise later is not caught; one that keeps it is never blamed.
const stillness = 100 * time.Millisecond

// busProbe is what a rule of the bus works with; see probe.
type busProbe struct {
	*probe
	bus   ports.Bus
	topic string // that no other rule uses
	group string // likewise
}

// busRule makes a BusRule of a function that fails by its probe.
func busRule(name string, body func(p *busProbe)) BusRule {
	return BusRule{Name: name, Check: func(ctx context.Context, b ports.Bus) error {
		return rule(name, func(p *probe) {
			unique := strings.ToLower(rand.Text())
			body(&busProbe{probe: p, bus: b, topic: "coordination.contract." + unique, group: "contract-" + unique})
		}).Check(ctx, nil)
	}}
}

// message is the n-th message of a rule, without a key.
func message(n int) ports.Message {
	return ports.Message{ID: "message-" + strconv.Itoa(n), Body: []byte(`{"number":` + strconv.Itoa(n) + `}`)}
}

// keyed is the n-th message of a key.
func keyed(key string, n int) ports.Message {
	m := message(n)
	m.ID, m.Key = key+"/"+m.ID, key
	return m
}

// publish publishes on the rule's topic; the broker must take it.
func (p *busProbe) publish(messages ...ports.Message) {
	for _, m := range messages {
		p.must(p.bus.Publish(p.ctx, p.topic, m), "Publish of "+m.ID)
	}
}

// publishes publishes the messages from..to-1.
func (p *busProbe) publishes(from, to int) {
	for n := from; n < to; n++ {
		p.publish(message(n))
	}
}

// subscribe subscribes to the rule's topic until end is called.
func (p *busProbe) subscribe(group string, concurrency int, handle handler) (end context.CancelFunc) {
	ctx, end := context.WithCancel(p.ctx)
	err := p.bus.Subscribe(ctx, ports.Subscription{Topic: p.topic, Group: group, Concurrency: concurrency, Handle: handle})
	if err != nil {
		end()
		p.must(err, "Subscribe")
	}
	return end
}

type handler = func(ctx context.Context, m ports.Message) error

// inbox records deliveries.
type inbox struct {
	mu  sync.Mutex
	got []delivery
}

type delivery struct {
	ports.Message
	at time.Time
}

// take is a handler that acknowledges everything.
func (in *inbox) take(_ context.Context, m ports.Message) error {
	in.note(m)
	return nil
}

// note records a delivery, and gives which one of its message it is, from 1.
func (in *inbox) note(m ports.Message) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.Headers, m.Body = maps.Clone(m.Headers), append([]byte(nil), m.Body...)
	in.got = append(in.got, delivery{m, time.Now()})
	n := 0
	for _, d := range in.got {
		if d.ID == m.ID {
			n++
		}
	}
	return n
}

// all gives the deliveries so far.
func (in *inbox) all() []delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]delivery(nil), in.got...)
}

// of gives the deliveries of one message so far.
func (in *inbox) of(id string) []delivery {
	var got []delivery
	for _, d := range in.all() {
		if d.ID == id {
			got = append(got, d)
		}
	}
	return got
}

// has reports whether the messages from..to-1 were delivered.
func (in *inbox) has(from, to int) bool {
	seen := map[string]bool{}
	for _, d := range in.all() {
		seen[d.ID] = true
	}
	for n := from; n < to; n++ {
		if !seen[message(n).ID] {
			return false
		}
	}
	return true
}

// arrive waits until the messages from..to-1 were delivered.
func (p *busProbe) arrive(in *inbox, from, to int) {
	p.eventually(fmt.Sprintf("all deliveries of the messages %d to %d", from, to-1), func() bool { return in.has(from, to) })
}

// await waits for a signal.
func (p *busProbe) await(signal <-chan struct{}, what string) {
	select {
	case <-signal:
	case <-p.ctx.Done():
		p.failf("never seen: %s", what)
	}
}

// never looks for a while for what must not happen.
func (p *busProbe) never(signal <-chan struct{}, what string) {
	timer := time.NewTimer(stillness)
	defer timer.Stop()
	select {
	case <-signal:
		p.failf("seen: %s", what)
	case <-timer.C:
	}
}
