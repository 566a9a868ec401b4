package contracttests

import (
	"context"
	"errors"
	"sync"

	"github.com/firstviscount/platform-coordination/ports"
)

func busEndRules() []BusRule {
	return []BusRule{
		busRule("deliveries go on until ctx ends, and not after", checkEndStops),
		busRule("the handler's ctx ends when the subscription does", checkHandlerContext),
		busRule("Close ends all subscriptions", checkCloseEnds),
		busRule("Close waits for the handlers that run", checkCloseWaits),
		busRule("Close may be called twice", checkCloseTwice),
		busRule("a closed bus publishes nothing and takes no subscription", checkClosed),
		busRule("a subscription whose ctx has ended delivers nothing", checkEndedBefore),
	}
}

func checkEndStops(p *busProbe) {
	ended, next := &inbox{}, &inbox{}
	end := p.subscribe(p.group, 2, ended.take)
	p.publishes(0, 5)
	p.arrive(ended, 0, 5)
	end()
	defer p.subscribe(p.group, 2, next.take)()
	// What was on its way to the first one may still be handled there.
	p.publishes(5, 30)
	p.eventually("the later messages", func() bool { return joined(ended, next).has(5, 30) })
	late := len(ended.all())
	p.publishes(30, 60)
	p.arrive(next, 30, 60)
	p.want(len(ended.all()) == late, "a subscription whose ctx had ended got %d more messages", len(ended.all())-late)
}

func checkHandlerContext(p *busProbe) {
	handling, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	end := p.subscribe(p.group, 1, func(ctx context.Context, _ ports.Message) error {
		once.Do(func() {
			close(handling)
			<-ctx.Done()
			close(ended)
		})
		return nil
	})
	p.publish(message(1))
	p.await(handling, "the delivery")
	p.never(ended, "the handler's ctx ending before its subscription")
	end()
	p.await(ended, "the end of the handler's ctx")
}

func checkCloseEnds(p *busProbe) {
	handling, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.subscribe(p.group, 1, func(ctx context.Context, _ ports.Message) error {
		once.Do(func() { close(handling) })
		<-ctx.Done()
		return ctx.Err()
	})
	p.publish(message(1))
	p.await(handling, "the delivery")
	go func() {
		defer close(ended)
		_ = p.bus.Close() // checked by the rules about Close
	}()
	p.await(ended, "Close returning, though a handler waits for the end of its subscription")
}

func checkCloseWaits(p *busProbe) {
	handling, ending, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	defer close(release)
	p.subscribe(p.group, 1, func(ctx context.Context, _ ports.Message) error {
		close(handling)
		<-ctx.Done()
		close(ending)
		<-release
		return nil
	})
	p.publish(message(1))
	p.await(handling, "the delivery")
	var err error
	go func() {
		defer close(closed)
		err = p.bus.Close()
	}()
	p.await(ending, "the end of the handler's ctx")
	p.never(closed, "Close returning while a handler runs")
	release <- struct{}{}
	p.await(closed, "Close returning when the last handler has")
	p.must(err, "Close")
}

func checkCloseTwice(p *busProbe) {
	defer p.subscribe(p.group, 1, new(inbox).take)()
	p.must(p.bus.Close(), "Close")
	p.must(p.bus.Close(), "Close again")
}

func checkClosed(p *busProbe) {
	p.must(p.bus.Close(), "Close")
	p.wantErr(p.bus.Publish(p.ctx, p.topic, message(1)), ports.ErrBusDown, "Publish after Close")
	p.wantErr(p.bus.Ping(p.ctx), ports.ErrBusDown, "Ping after Close")
	err := p.bus.Subscribe(p.ctx, ports.Subscription{Topic: p.topic, Group: p.group, Handle: new(inbox).take})
	p.want(err != nil, "Subscribe after Close gave no error")
}

func checkEndedBefore(p *busProbe) {
	never, in := &inbox{}, &inbox{}
	ctx, end := context.WithCancel(p.ctx)
	end()
	err := p.bus.Subscribe(ctx, ports.Subscription{Topic: p.topic, Group: p.group, Handle: never.take})
	p.want(err == nil || !errors.Is(err, ports.ErrMessageRefused), "Subscribe: %v", err)
	defer p.subscribe(p.group, 1, in.take)()
	p.publishes(0, 20)
	p.arrive(in, 0, 20)
	p.want(len(never.all()) == 0, "it was given %d messages", len(never.all()))
}
