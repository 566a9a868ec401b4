package contracttests

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/firstviscount/platform-coordination/ports"
)

func busOrderRules() []BusRule {
	return []BusRule{
		busRule("of messages with one key each is first delivered after the one before it, however many are handled at once", checkOrder),
		busRule("an error does not let a later message of its key overtake an earlier first delivery", checkOrderWithErrors),
		busRule("the order of a key holds for what was published while nobody was subscribed", checkOrderOfBacklog),
	}
}

// publishKeys publishes messages 0..each-1 of many keys, the keys at the same
// time, each key's messages one after the other.
func (p *busProbe) publishKeys(keys, each int) {
	errs := make([]error, keys)
	var all sync.WaitGroup
	for key := range keys {
		all.Go(func() {
			for n := range each {
				errs[key] = errors.Join(errs[key], p.bus.Publish(p.ctx, p.topic, keyed("key-"+strconv.Itoa(key), n)))
			}
		})
	}
	all.Wait()
	p.must(errors.Join(errs...), "Publish")
}

// inOrder waits for the messages of publishKeys and checks their order.
func (p *busProbe) inOrder(in *inbox, keys, each int) {
	first := map[string][]string{}
	p.eventually("the first delivery of every message", func() bool {
		clear(first)
		seen, total := map[string]bool{}, 0
		for _, d := range in.all() {
			if !seen[d.ID] {
				seen[d.ID] = true
				first[d.Key] = append(first[d.Key], d.ID)
				total++
			}
		}
		return total >= keys*each
	})
	for key, ids := range first {
		for n, id := range ids {
			p.want(id == keyed(key, n).ID, "delivery %d of %s was %s", n, key, id)
		}
	}
}

func checkOrder(p *busProbe) {
	const keys, each = 12, 25
	in := &inbox{}
	defer p.subscribe(p.group, 16, in.take)()
	p.publishKeys(keys, each)
	p.inOrder(in, keys, each)
}

func checkOrderWithErrors(p *busProbe) {
	const keys, each = 6, 8
	in := &inbox{}
	defer p.subscribe(p.group, 4, func(_ context.Context, m ports.Message) error {
		if in.note(m) == 1 && m.ID == keyed(m.Key, 3).ID {
			return errAgain
		}
		return nil
	})()
	p.publishKeys(keys, each)
	p.inOrder(in, keys, each)
}

func checkOrderOfBacklog(p *busProbe) {
	const keys, each = 6, 20
	p.subscribe(p.group, 1, new(inbox).take)()
	p.publishKeys(keys, each)
	in := &inbox{}
	defer p.subscribe(p.group, 16, in.take)()
	p.inOrder(in, keys, each)
}
