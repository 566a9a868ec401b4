package contracttests

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/firstviscount/platform-coordination/ports"
)

func busGroupRules() []BusRule {
	return []BusRule{
		busRule("every group gets all messages", checkEveryGroup),
		busRule("each message goes to one of the group's subscribers", checkCompeting),
		busRule("a subscriber whose handler hangs leaves the others their part of the group's work", checkShared),
		busRule("what one group acknowledged, another still gets", checkGroupsApart),
		busRule("the topics do not mix", checkTopicsApart),
	}
}

func busConcurrencyRules() []BusRule {
	return []BusRule{
		busRule("as many messages are handled at once as the subscription wishes, and no more", func(p *busProbe) { checkConcurrency(p, 8, 8) }),
		busRule("a concurrency of 0 is 1", func(p *busProbe) { checkConcurrency(p, 0, 1) }),
	}
}

func checkEveryGroup(p *busProbe) {
	groups := make([]inbox, 3)
	for i, suffix := range []string{"-a", "-b", "-c"} {
		defer p.subscribe(p.group+suffix, 2, groups[i].take)()
	}
	p.publishes(0, 30)
	for i := range groups {
		p.arrive(&groups[i], 0, 30)
	}
}

func checkCompeting(p *busProbe) {
	const n = 200
	members := make([]inbox, 3)
	for i := range members {
		defer p.subscribe(p.group, 2, members[i].take)()
	}
	p.publishes(0, n)
	p.eventually("every message at one of the subscribers", func() bool {
		return joined(&members[0], &members[1], &members[2]).has(0, n)
	})
	// Some may come twice by right, such as after a hiccup of the connection.
	total := len(joined(&members[0], &members[1], &members[2]).all())
	p.want(total < n+n/4, "%d messages were delivered %d times to three subscribers of one group", n, total)
}

// checkShared has the first of two subscribers that gets a message hang; the
// other must go on without it.
func checkShared(p *busProbe) {
	const n, part = 60, 60 / 4
	release, hanging := make(chan struct{}), atomic.Int32{}
	hanging.Store(-1)
	members := make([]inbox, 2)
	for i := range members {
		defer p.subscribe(p.group, 1, func(ctx context.Context, m ports.Message) error {
			members[i].note(m)
			if hanging.CompareAndSwap(-1, int32(i)) {
				<-release
			}
			return nil
		})()
	}
	var once sync.Once
	defer once.Do(func() { close(release) })
	p.publishes(0, n)
	p.eventually("a good part of the messages at the subscriber that does not hang", func() bool {
		i := hanging.Load()
		return i >= 0 && len(members[1-i].all()) >= part
	})
	once.Do(func() { close(release) })
	p.eventually("every message at one of the subscribers", func() bool { return joined(&members[0], &members[1]).has(0, n) })
}

func checkGroupsApart(p *busProbe) {
	first, second := &inbox{}, &inbox{}
	p.subscribe(p.group+"-b", 1, new(inbox).take)()
	defer p.subscribe(p.group+"-a", 1, first.take)()
	p.publishes(0, 10)
	p.arrive(first, 0, 10)
	defer p.subscribe(p.group+"-b", 1, second.take)()
	p.arrive(second, 0, 10)
}

func checkTopicsApart(p *busProbe) {
	in, other := &inbox{}, *p
	other.topic += ".more"
	others := &inbox{}
	defer p.subscribe(p.group, 1, in.take)()
	defer other.subscribe(p.group, 1, others.take)()
	p.publishes(0, 10)
	other.publishes(10, 20)
	p.arrive(in, 0, 10)
	other.arrive(others, 10, 20)
	p.want(!in.has(10, 11) && !others.has(0, 1), "messages of one topic were delivered from another")
}

// checkConcurrency has handlers wait until as many run as should.
func checkConcurrency(p *busProbe, wish, want int32) {
	var running, most atomic.Int32
	reached, exceeded, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var reach, exceed sync.Once
	in := &inbox{}
	defer p.subscribe(p.group, int(wish), func(ctx context.Context, m ports.Message) error {
		now := running.Add(1)
		defer running.Add(-1)
		if now >= want {
			reach.Do(func() { close(reached) })
		}
		if now > want {
			exceed.Do(func() { most.Store(now); close(exceeded) })
		}
		select {
		case <-release:
		case <-ctx.Done():
			return ctx.Err()
		}
		return in.take(ctx, m)
	})()
	n := 4 * int(want)
	p.publishes(0, n)
	p.await(reached, "as many handlers at once as the subscription wishes")
	p.never(exceeded, fmt.Sprintf("more than %d messages handled at once", want))
	close(release)
	p.arrive(in, 0, n)
	p.want(most.Load() == 0, "%d messages were handled at once, want at most %d", most.Load(), want)
}
