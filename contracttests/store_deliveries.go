package contracttests

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// deliveryRules: who attempts what, and what becomes of it.
func deliveryRules() []StoreRule {
	return slices.Concat([]StoreRule{
		rule("ClaimDeliveries: takes over deliveries that are due and that nobody holds", takesDue),
		rule("ClaimDeliveries: a delivery that is not due is left alone", takesNothingElse),
		rule("ClaimDeliveries: a delivery becomes due by the store's clock", deliveryBecomesDue),
		rule("ClaimDeliveries: a new delivery is due at once, whatever time its event has", dueAtOnce),
		rule("ClaimDeliveries: a delivery whose holder is live is left alone", leavesHeldDelivery),
		rule("ClaimDeliveries: takes over deliveries whose holder's lease has run out", takesLapsedDelivery),
		rule("ClaimDeliveries: for each subscription in room at most as many as it says, those due first before the others", takesWithinRoom),
		rule("ClaimDeliveries: a delivery whose first attempt is not settled holds up those of later events that were never attempted", firstAttemptsInOrder),
		rule("ClaimDeliveries: a delivery whose first attempt is not settled holds up no other workflow, subscription or later attempt", holdsUpNothingElse),
		rule("ClaimDeliveries: no two concurrent claims return the same delivery", disjointDeliveries),
		rule("ClaimDeliveries: concurrent claims keep the order of first attempts", orderWithRacers),
		rule("ClaimDeliveries: deliveries of inactive subscriptions are not claimed", takesNoneOfInactive),
		rule("Release: gives up every delivery that the replica holds", releasesDeliveries),
	}, settleRules(), redeliverRules())
}

func takesDue(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	p.takes("r1", anyRoom(1, 2))
	p.takes("r1", nil)
	p.tell(1)
	p.tell(2)
	list := p.takes("r1", anyRoom(1, 2), delivering(1, 1, 1), delivering(1, 2, 1), delivering(2, 1, 1), delivering(2, 2, 1))
	for _, d := range list {
		p.want(d == p.delivery(d.DeliveryKey), "the claimed delivery is %+v, the stored one %+v", d, p.delivery(d.DeliveryKey))
		p.want(d.Event == FixtureEvent && d.Status == ports.DeliveryPending, "the claimed delivery is %+v", d)
	}
}

func takesNothingElse(p *probe) {
	p.live("r1")
	p.subscribe(1)
	for n := 1; n <= 4; n++ {
		p.tell(n)
	}
	var attempts []ports.Attempt
	for n, status := range []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed, ports.DeliveryRetrying} {
		attempts = append(attempts, attempted(delivering(1, n+1, 1), status))
	}
	p.want(len(p.take("r1", anyRoom(1))) == 4, "not all deliveries were claimed")
	p.settle("r1", append(attempts, attempted(delivering(1, 4, 1), ports.DeliveryRetrying, retryNow))...)
	p.takes("r1", anyRoom(1), delivering(1, 4, 1))
	p.takes("r1", anyRoom(1))
}

func deliveryBecomesDue(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.tell(1)
	key := p.takes("r1", anyRoom(1), delivering(1, 1, 1))[0].DeliveryKey
	p.settle("r1", attempted(key, ports.DeliveryRetrying, func(a *ports.Attempt) { a.NextAttemptAt = time.Now().Add(shortLease).UTC() }))
	p.eventually("a delivery that becomes due", func() bool { return len(p.take("r1", anyRoom(1))) == 1 })
}

func dueAtOnce(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.start(1, EditRow(func(r *ports.Row) { r.UpdatedAt = Epoch.AddDate(100, 0, 0) }), Telling(FixtureEvent))
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
}

func leavesHeldDelivery(p *probe) {
	p.live("r1")
	p.live("r2")
	p.subscribe(1)
	p.tell(1)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	p.takes("r2", anyRoom(1))
	p.takes("r1", anyRoom(1))
}

func takesLapsedDelivery(p *probe) {
	p.live("r2")
	p.subscribe(1)
	p.tell(1)
	p.takes("unheard-of", anyRoom(1), delivering(1, 1, 1))
	p.takes("r2", anyRoom(1), delivering(1, 1, 1))
	p.must(p.store.Renew(p.ctx, "r1", shortLease), "Renew")
	p.tell(2)
	p.take("r1", anyRoom(1))
	p.eventually("a claim of what a lapsed holder held", func() bool { return len(p.take("r2", anyRoom(1))) == 1 })
	p.takes("r2", anyRoom(1))
}

// takesWithinRoom retries in the reverse order of the events: what is due first
// is what was last told.
func takesWithinRoom(p *probe) {
	const workflows = 10
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	p.subscribe(3)
	p.starts(0, workflows, Telling(FixtureEvent))
	var attempts []ports.Attempt
	for _, d := range p.take("r1", anyRoom(1, 2)) {
		attempts = append(attempts, attempted(d.DeliveryKey, ports.DeliveryRetrying, func(a *ports.Attempt) {
			a.NextAttemptAt = Epoch.Add(-d.CreatedAt.Sub(Epoch))
		}))
	}
	p.settle("r1", attempts...)
	next := workflows - 1
	for _, room := range []int{1, 4, 0, 3, -1} {
		list := p.take("r1", map[string]int{WebhookID(1): room, WebhookID(99): 5})
		p.want(len(list) == max(room, 0), "a claim with room for %d returned %d", room, len(list))
		for _, d := range list {
			p.want(d.WorkflowID == WorkflowID(next), "a claim returned %s, due first is %s", d.WorkflowID, WorkflowID(next))
			next--
		}
	}
	list := p.take("r1", map[string]int{WebhookID(1): 9, WebhookID(2): 3, WebhookID(3): 1})
	p.want(len(list) == workflows-8+3+1, "a claim of three subscriptions returned %d", len(list))
}

func firstAttemptsInOrder(p *probe) {
	p.live("r1")
	p.live("r2")
	p.subscribe(1)
	row := p.tellOn(p.tell(1), 3)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	p.takes("r2", anyRoom(1))
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryRetrying))
	p.takes("r2", anyRoom(1), delivering(1, 1, 2))
	p.tellOn(row, 1)
	p.takes("r1", anyRoom(1))
	p.must(p.store.Release(p.ctx, "r2"), "Release") // before it settled anything
	p.takes("r1", anyRoom(1), delivering(1, 1, 2))
	p.settle("r1", attempted(delivering(1, 1, 2), ports.DeliveryFailed))
	for seq := 3; seq <= 5; seq++ {
		p.takes("r1", anyRoom(1), delivering(1, 1, seq))
		p.settle("r1", attempted(delivering(1, 1, seq), ports.DeliveryDelivered))
	}
	p.takes("r1", anyRoom(1))
}

func holdsUpNothingElse(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	row := p.tellOn(p.tell(1), 1)
	p.tell(2)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1), delivering(1, 2, 1))
	p.takes("r1", anyRoom(2), delivering(2, 1, 1), delivering(2, 2, 1))
	p.settle("r1", attempted(delivering(2, 1, 1), ports.DeliveryDelivered))
	p.takes("r1", anyRoom(1, 2), delivering(2, 1, 2))
	// The second event is attempted, then all is given up; what was attempted need not wait.
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryDelivered))
	p.takes("r1", anyRoom(1), delivering(1, 1, 2))
	p.settle("r1", attempted(delivering(1, 1, 2), ports.DeliveryRetrying, retryNow))
	p.tellOn(row, 1)
	p.takes("r1", anyRoom(1), delivering(1, 1, 2), delivering(1, 1, 3))
}

func disjointDeliveries(p *probe) {
	const workflows, claimers = 60, 6
	p.subscribe(1)
	p.subscribe(2)
	p.starts(0, workflows, Telling(FixtureEvent))
	for i := range claimers {
		p.live(fmt.Sprint("r", i))
	}
	p.take("dead", map[string]int{WebhookID(1): 20})
	seen := map[ports.DeliveryKey]int{}
	p.eventually("all deliveries by concurrent claims", func() bool {
		claimed := make([][]ports.Delivery, claimers)
		errs := make([]error, claimers)
		together(claimers, func(i int) {
			claimed[i], errs[i] = p.store.ClaimDeliveries(p.ctx, fmt.Sprint("r", i), map[string]int{WebhookID(1): 7, WebhookID(2): 7})
		})
		for i, list := range claimed {
			p.must(errs[i], "a concurrent ClaimDeliveries")
			for _, d := range list {
				p.want(seen[d.DeliveryKey] == 0, "%v was claimed twice", d.DeliveryKey)
				seen[d.DeliveryKey]++
			}
		}
		return len(seen) == 2*workflows
	})
}

// orderWithRacers: each replica claims and settles as fast as it can; no first
// attempt begins before that of every earlier event was settled.
func orderWithRacers(p *probe) {
	const workflows, events, replicas = 6, 8, 4
	p.subscribe(1)
	for n := range workflows {
		p.tellOn(p.tell(n), events-1)
	}
	var mu sync.Mutex
	settled := map[string]int{} // by workflow: up to which sequence attempts were given to be settled
	total, failure := 0, error(nil)
	claimed := func(list []ports.Delivery) []ports.Attempt {
		mu.Lock()
		defer mu.Unlock()
		var attempts []ports.Attempt
		for _, d := range list {
			if settled[d.WorkflowID] != d.Sequence-1 {
				failure = fmt.Errorf("event %d of %s was claimed when %d were settled", d.Sequence, d.WorkflowID, settled[d.WorkflowID])
			}
			attempts = append(attempts, attempted(d.DeliveryKey, ports.DeliveryDelivered))
		}
		for _, d := range list {
			settled[d.WorkflowID], total = d.Sequence, total+1
		}
		return attempts
	}
	done := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return failure != nil || total >= workflows*events || p.ctx.Err() != nil
	}
	for i := range replicas {
		p.live(fmt.Sprint("r", i))
	}
	errs := make([]error, replicas)
	together(replicas, func(i int) {
		replica := fmt.Sprint("r", i)
		for errs[i] == nil && !done() {
			var list []ports.Delivery
			if list, errs[i] = p.store.ClaimDeliveries(p.ctx, replica, map[string]int{WebhookID(1): 3}); errs[i] == nil {
				errs[i] = p.store.SettleDeliveries(p.ctx, replica, claimed(list))
			}
		}
	})
	for _, err := range errs {
		p.must(err, "a concurrent call")
	}
	p.must(failure, "the order of first attempts")
	p.want(total == workflows*events, "%d of %d deliveries were claimed", total, workflows*events)
}

func takesNoneOfInactive(p *probe) {
	p.live("r1")
	w := p.subscribe(1)
	p.tell(1)
	w = p.resave(w, inactive)
	p.must(p.store.Redeliver(p.ctx, delivering(1, 1, 1), nil, nil), "Redeliver")
	p.stands(delivering(1, 1, 1), ports.DeliveryPending, 0, "asked for while inactive")
	p.takes("r1", anyRoom(1))
	p.resave(w, func(w *ports.Webhook) { w.Active = true })
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
}

func releasesDeliveries(p *probe) {
	p.live("r1")
	p.live("r2")
	p.subscribe(1)
	p.tell(1)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	p.tell(2)
	p.takes("r2", anyRoom(1), delivering(1, 2, 1))
	p.must(p.store.Release(p.ctx, "r1"), "Release")
	p.live("r1")
	p.takes("r2", anyRoom(1), delivering(1, 1, 1))
}
