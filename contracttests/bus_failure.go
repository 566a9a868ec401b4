package contracttests

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// leastPause is what every pause before the next try must last.
const leastPause = 20 * time.Millisecond

func busFailureRules() []BusRule {
	return []BusRule{
		busRule("after an error the message comes again, after a pause, for as long as it takes", checkErrorAgain),
		busRule("a message that fails does not stop the others", checkOthersGoOn),
		busRule("a panic is no more than an error: the message comes again and the others go on", checkPanicAgain),
	}
}

func busPoisonRules() []BusRule {
	return []BusRule{
		busRule("poison is put into quarantine, unchanged but for the headers that say why, and acknowledged", checkPoison),
		busRule("a wrapped PoisonError is poison too", checkWrappedPoison),
		busRule("poison in one group is none in another", checkPoisonOfOneGroup),
		busRule("a message that makes its handler panic every time ends in quarantine", checkAlwaysPanics),
	}
}

func checkErrorAgain(p *busProbe) {
	const failures = 3
	in := &inbox{}
	defer p.subscribe(p.group, 1, func(_ context.Context, m ports.Message) error {
		if in.note(m) <= failures {
			return errAgain
		}
		return nil
	})()
	p.publish(message(0))
	p.eventually("the delivery after "+strconv.Itoa(failures)+" failures", func() bool { return len(in.all()) > failures })
	got := in.all()
	for i := 1; i <= failures; i++ {
		pause := got[i].at.Sub(got[i-1].at)
		p.want(pause >= leastPause, "delivery %d came %v after the one that failed, want at least %v", i+1, pause, leastPause)
	}
}

func checkOthersGoOn(p *busProbe) {
	in := &inbox{}
	defer p.subscribe(p.group, 2, func(_ context.Context, m ports.Message) error {
		in.note(m)
		if m.Key == "failing" {
			return errAgain
		}
		return nil
	})()
	failing := keyed("failing", 1)
	p.publish(failing)
	p.eventually("two failures", func() bool { return len(in.of(failing.ID)) >= 2 })
	for n := range 30 {
		m := message(n)
		m.Key = "other-" + strconv.Itoa(n%5)
		p.publish(m)
	}
	p.arrive(in, 0, 30)
	tries := len(in.of(failing.ID))
	p.eventually("another try of the failing message", func() bool { return len(in.of(failing.ID)) > tries })
}

func checkPanicAgain(p *busProbe) {
	in := &inbox{}
	defer p.subscribe(p.group, 2, func(_ context.Context, m ports.Message) error {
		if in.note(m) == 1 && m.ID == message(0).ID {
			panic("contract: a handler panics")
		}
		return nil
	})()
	p.publishes(0, 10)
	p.arrive(in, 0, 10)
	p.eventually("the delivery after the panic", func() bool { return len(in.of(message(0).ID)) > 1 })
}

// quarantined collects what goes into quarantine from the rule's topic.
func (p *busProbe) quarantined() (in *inbox, end context.CancelFunc) {
	in = &inbox{}
	ctx, end := context.WithCancel(p.ctx)
	err := p.bus.Subscribe(ctx, ports.Subscription{Topic: quarantineTopic, Group: p.group + "-q", Concurrency: 4,
		Handle: func(ctx context.Context, m ports.Message) error {
			if m.Headers[ports.HeaderPoisonTopic] == p.topic {
				in.note(m)
			}
			return nil
		}})
	if err != nil {
		end()
		p.must(err, "Subscribe to the quarantine")
	}
	return in, end
}

// isPoison checks a message in quarantine.
func (p *busProbe) isPoison(got, want ports.Message, reason, group string) {
	said := fmt.Sprintf("%s=%q %s=%q", ports.HeaderPoisonReason, got.Headers[ports.HeaderPoisonReason], ports.HeaderPoisonGroup, got.Headers[ports.HeaderPoisonGroup])
	wanted := fmt.Sprintf("%s=%q %s=%q", ports.HeaderPoisonReason, reason, ports.HeaderPoisonGroup, group)
	p.want(said == wanted, "in quarantine with %s, want %s", said, wanted)
	for _, name := range []string{ports.HeaderPoisonReason, ports.HeaderPoisonTopic, ports.HeaderPoisonGroup} {
		delete(got.Headers, name)
	}
	p.want(got.ID == want.ID, "in quarantine with ID %q, want %q", got.ID, want.ID)
	p.same(got, want)
}

func checkPoison(p *busProbe) {
	bad := ports.Message{ID: "bad", Key: "k", Headers: map[string]string{"content-type": "text/plain"}, Body: everyByte()}
	quarantine, end := p.quarantined()
	defer end()
	in := &inbox{}
	defer p.subscribe(p.group, 1, func(_ context.Context, m ports.Message) error {
		in.note(m)
		if m.ID == bad.ID {
			copy(m.Body, "scribbled")
			return ports.Poison("no member %q", "type")
		}
		return nil
	})()
	p.publish(bad)
	p.publishes(0, 10)
	p.arrive(in, 0, 10)
	p.eventually("the poison in quarantine", func() bool { return len(quarantine.all()) > 0 })
	p.isPoison(quarantine.all()[0].Message, bad, `no member "type"`, p.group)
	p.publish(keyed("k", 11))
	p.eventually("the next message of its key", func() bool { return len(in.of(keyed("k", 11).ID)) > 0 })
	p.want(len(in.of(bad.ID)) == 1, "the poison was delivered %d times", len(in.of(bad.ID)))
}

func checkWrappedPoison(p *busProbe) {
	quarantine, end := p.quarantined()
	defer end()
	defer p.subscribe(p.group, 1, func(context.Context, ports.Message) error {
		return fmt.Errorf("handling: %w", ports.Poison("a reason\r\nin two lines"))
	})()
	p.publish(message(1))
	p.eventually("the poison in quarantine", func() bool { return len(quarantine.all()) > 0 })
	p.isPoison(quarantine.all()[0].Message, message(1), "a reason  in two lines", p.group)
}

func checkPoisonOfOneGroup(p *busProbe) {
	quarantine, end := p.quarantined()
	defer end()
	well := &inbox{}
	defer p.subscribe(p.group+"-well", 1, well.take)()
	for _, group := range []string{"-a", "-b"} {
		defer p.subscribe(p.group+group, 1, func(context.Context, ports.Message) error { return ports.Poison("%s", group) })()
	}
	p.publish(message(1))
	p.arrive(well, 1, 2)
	p.eventually("the message in quarantine for both groups that said so", func() bool { return len(quarantine.all()) >= 2 })
	for _, d := range quarantine.all() {
		p.isPoison(d.Message, message(1), d.Headers[ports.HeaderPoisonReason], p.group+d.Headers[ports.HeaderPoisonReason])
	}
}

func checkAlwaysPanics(p *busProbe) {
	quarantine, end := p.quarantined()
	defer end()
	var once sync.Once
	in := &inbox{}
	defer p.subscribe(p.group, 2, func(_ context.Context, m ports.Message) error {
		in.note(m)
		if m.ID != message(0).ID {
			return nil
		}
		once.Do(func() { panic(errAgain) })
		var none []string
		return errors.New(none[in.note(m)])
	})()
	p.publishes(0, 5)
	p.arrive(in, 0, 5)
	p.eventually("the message in quarantine", func() bool { return len(quarantine.of(message(0).ID)) > 0 })
	p.want(len(in.of(message(0).ID)) > 1, "the first panic put the message into quarantine")
}
