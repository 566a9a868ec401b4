package contracttests

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/firstviscount/platform-coordination/ports"
)

func busDeliveryRules() []BusRule {
	return []BusRule{
		busRule("Subscribe returns when the broker knows of the group, so that nothing published from now on is missed", checkAtOnce),
		busRule("what the group was not there to take is delivered when it is there again", checkMeanwhile),
		busRule("only when Handle returns nil is a message acknowledged: one whose subscriber ended before comes again", checkUnacknowledged),
		busRule("what was acknowledged is not delivered again", checkAcknowledged),
		busRule("a handler that changes its message changes nobody else's", checkScribbler),
		busRule("a handler may publish", checkHandlerPublishes),
	}
}

var errAgain = errors.New("contract: not this time")

func checkAtOnce(p *busProbe) {
	for n := range 10 {
		in := &inbox{}
		end := p.subscribe(p.group+"-"+strconv.Itoa(n), 1, in.take)
		p.publish(message(n))
		p.arrive(in, n, n+1)
		end()
	}
}

func checkMeanwhile(p *busProbe) {
	before, after := &inbox{}, &inbox{}
	end := p.subscribe(p.group, 2, before.take)
	p.publishes(0, 5)
	p.arrive(before, 0, 5)
	end()
	p.publishes(5, 30)
	defer p.subscribe(p.group, 2, after.take)()
	p.eventually("the messages that were published while nobody was subscribed", func() bool {
		return joined(before, after).has(5, 30)
	})
}

// joined has the deliveries of several inboxes.
func joined(all ...*inbox) *inbox {
	sum := &inbox{}
	for _, in := range all {
		sum.got = append(sum.got, in.all()...)
	}
	return sum
}

func checkUnacknowledged(p *busProbe) {
	var once sync.Once
	handed := make(chan struct{})
	end := p.subscribe(p.group, 1, func(ctx context.Context, _ ports.Message) error {
		once.Do(func() { close(handed) })
		<-ctx.Done()
		return errAgain
	})
	p.publishes(0, 3)
	p.await(handed, "the first delivery")
	end()
	later := &inbox{}
	defer p.subscribe(p.group, 1, later.take)()
	p.arrive(later, 0, 3)
}

func checkAcknowledged(p *busProbe) {
	first, second := &inbox{}, &inbox{}
	end := p.subscribe(p.group, 4, first.take)
	p.publishes(0, 40)
	p.arrive(first, 0, 40)
	handled := len(first.all())
	p.publish(message(40)) // by its delivery, the ones before were given back
	p.arrive(first, 40, 41)
	end()
	p.want(handled == 40, "40 messages were delivered %d times, though each was acknowledged", handled)
	defer p.subscribe(p.group, 4, second.take)()
	p.publish(message(41))
	p.arrive(second, 41, 42)
	for _, d := range second.all() {
		p.want(d.ID == message(41).ID || d.ID == message(40).ID, "%s was delivered again after it was acknowledged", d.ID)
	}
}

func checkScribbler(p *busProbe) {
	want := ports.Message{ID: "1", Key: "k", Headers: map[string]string{"content-type": "a"}, Body: []byte("body")}
	scribbled, other := &inbox{}, &inbox{}
	defer p.subscribe(p.group+"-a", 1, func(_ context.Context, m ports.Message) error {
		again := scribbled.note(m) == 1
		copy(m.Body, "XXXX")
		m.Headers["content-type"], m.Headers["x"] = "b", "y"
		if again {
			return errAgain
		}
		return nil
	})()
	defer p.subscribe(p.group+"-b", 1, func(_ context.Context, m ports.Message) error {
		if len(scribbled.all()) == 0 {
			return errAgain
		}
		return other.take(p.ctx, m)
	})()
	p.publish(want)
	p.eventually("both groups handling the message", func() bool { return len(scribbled.all()) > 1 && len(other.all()) > 0 })
	p.same(scribbled.all()[1].Message, want)
	p.same(other.all()[0].Message, want)
}

func checkHandlerPublishes(p *busProbe) {
	in := &inbox{}
	defer p.subscribe(p.group, 1, func(ctx context.Context, m ports.Message) error {
		in.note(m)
		if m.ID == message(0).ID {
			return p.bus.Publish(ctx, p.topic, message(1))
		}
		return nil
	})()
	p.publish(message(0))
	p.arrive(in, 0, 2)
}
