package contracttests

import (
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// noticeRules: which deliveries a change makes.
func noticeRules() []StoreRule {
	return []StoreRule{
		rule("Notices: become deliveries of the subscriptions that want them", noticesBecomeDeliveries),
		rule("Notices: a delivery is PENDING and tells the event, its sequence and its time", noticesAreKept),
		rule("Notices: a change that is refused makes no delivery", refusedTellsNobody),
		rule("Notices: a subscription that is inactive, or made later, has no delivery", inactiveIsNotTold),
		rule("Notices: one event has one delivery of a subscription", oneDelivery),
		rule("Notices: those of a batch are kept apart", noticesOfABatch),
		rule("Notices: a subscription that is removed meanwhile leaves no deliveries", removedMeanwhile),
	}
}

// told expects the deliveries of a subscription, newest event first.
func (p *probe) told(webhook int, want ...ports.DeliveryKey) {
	var got []ports.DeliveryKey
	for _, d := range p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(webhook)}).Deliveries {
		got = append(got, d.DeliveryKey)
	}
	p.want(len(got) == len(want), "subscription %d has deliveries %v, want %v", webhook, got, want)
	for i := range want {
		p.want(got[i] == want[i], "subscription %d has deliveries %v, want %v", webhook, got, want)
	}
}

func noticesBecomeDeliveries(p *probe) {
	p.subscribe(1)
	p.subscribe(2, func(w *ports.Webhook) { w.Events = []string{"saga.compensated", otherEvent} })
	p.subscribe(3, func(w *ports.Webhook) { w.Events = []string{"saga.started"} })
	row := p.start(1, Telling(unwanted))
	row = p.next(row, Telling(otherEvent))
	row = p.next(row)
	p.next(row, Telling(FixtureEvent), Ends(domain.Completed))
	p.told(1, delivering(1, 1, 4), delivering(1, 1, 2))
	p.told(2, delivering(2, 1, 2))
	p.told(3)
	w := p.webhook(2)
	p.resave(w, func(w *ports.Webhook) { w.Events = []string{unwanted} })
	p.start(2, Telling(unwanted), Telling(otherEvent))
	p.told(2, delivering(2, 2, 1), delivering(2, 1, 2))
}

// noticesAreKept commits several notices with one change, among them one of an
// event that was not the last, and with a time before the change's.
func noticesAreKept(p *probe) {
	p.subscribe(1)
	row := p.tell(1)
	earlier := Epoch.Add(-time.Hour)
	p.next(row, EditRow(func(r *ports.Row) { r.Version += 2 }), func(c *ports.Change) {
		c.Notices = []ports.Notice{{Sequence: 3, Event: otherEvent, At: earlier}, {Sequence: 4, Event: FixtureEvent, At: row.UpdatedAt.Add(time.Second)}}
	})
	p.told(1, delivering(1, 1, 4), delivering(1, 1, 1), delivering(1, 1, 3))
	d := p.stands(delivering(1, 1, 3), ports.DeliveryPending, 0, "a new delivery")
	p.want(d.Event == otherEvent && sameTime(d.CreatedAt, earlier) && d.LastAttemptAt.IsZero() && d.ResponseStatus == 0 && d.Error == "",
		"a new delivery is %+v", d)
	p.want(p.delivery(delivering(1, 1, 4)).Event == FixtureEvent, "the delivery tells of %s", p.delivery(delivering(1, 1, 4)).Event)
}

func refusedTellsNobody(p *probe) {
	p.subscribe(1)
	row := p.start(1, HeldBy("r1"))
	row = p.next(row)
	stale := NextOf(row, Telling(FixtureEvent))
	stale.Expected = 1
	p.refused(stale, ports.ErrConflict, "a stale change that tells")
	foreign := NextOf(row, Telling(FixtureEvent))
	foreign.Holder = "r2"
	p.refused(foreign, ports.ErrConflict, "a change of another holder that tells")
	p.refused(StartOf(2, withKey(1), Telling(FixtureEvent)), ports.ErrBusinessKeyTaken, "a start with a taken key that tells")
	p.start(3, Keyed("scope"))
	p.refused(StartOf(4, Keyed("scope"), Telling(FixtureEvent)), ports.ErrIdempotencyKeyTaken, "a repeated start that tells")
	p.told(1)
}

func inactiveIsNotTold(p *probe) {
	w := p.subscribe(1, inactive)
	p.tell(1)
	p.subscribe(2)
	p.told(2)
	w = p.resave(w, func(w *ports.Webhook) { w.Active = true })
	p.tell(2)
	p.resave(w, inactive)
	p.disable(2, true)
	p.tell(3)
	p.told(1, delivering(1, 2, 1))
	p.told(2, delivering(2, 2, 1))
}

// oneDelivery tells of an event again in every way that it can be.
func oneDelivery(p *probe) {
	p.subscribe(1)
	row := p.start(1, Telling(FixtureEvent), Telling(FixtureEvent), Telling(otherEvent))
	p.told(1, delivering(1, 1, 1))
	p.settleFirst()
	p.next(row, func(c *ports.Change) {
		c.Notices = []ports.Notice{{Sequence: 1, Event: FixtureEvent, At: row.UpdatedAt}}
	})
	p.told(1, delivering(1, 1, 1))
	p.stands(delivering(1, 1, 1), ports.DeliveryDelivered, 1, "told again")
}

// settleFirst delivers the first event of the first workflow.
func (p *probe) settleFirst() {
	p.live("r1")
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryDelivered))
}

// noticesOfABatch has starts, transitions and refusals in one batch, with
// notices of different subscriptions.
func noticesOfABatch(p *probe) {
	p.subscribe(1)
	p.subscribe(2, func(w *ports.Webhook) { w.Events = []string{otherEvent} })
	const each = 20
	p.starts(0, each)
	var batch []ports.Change
	var want [3][]ports.DeliveryKey
	for n := range 2 * each {
		c := StartOf(n)
		if n < each {
			c = NextOf(c.Row)
		}
		stale := n%3 == 2
		if stale && n < each {
			c.Expected = 7
		} else if stale {
			c.Row.BusinessKey = OrderID(0)
		}
		Telling(FixtureEvent)(&c)
		if n%2 == 0 {
			c.Notices[0].Event = otherEvent
		}
		batch = append(batch, c)
		if !stale {
			want[1] = append([]ports.DeliveryKey{delivering(1, n, c.Row.Version)}, want[1]...)
			if n%2 == 0 {
				want[2] = append([]ports.DeliveryKey{delivering(2, n, c.Row.Version)}, want[2]...)
			}
		}
	}
	for i, err := range p.try(batch...) {
		p.want((err != nil) == (i%3 == 2), "change %d of the batch gave %v", i, err)
	}
	p.told(1, want[1]...)
	p.told(2, want[2]...)
}

func removedMeanwhile(p *probe) {
	const lanes = 4
	for round := range 3 {
		p.subscribe(round)
		p.subscribe(100)
		errs := make([]error, lanes+1)
		together(lanes+1, func(i int) {
			if i == lanes {
				errs[i] = p.store.DeleteWebhook(p.ctx, WebhookID(round), nil)
				return
			}
			for n := range 5 {
				if err := p.store.Commit(p.ctx, []ports.Change{StartOf((round*lanes+i)*5+n, Telling(FixtureEvent))})[0]; err != nil {
					errs[i] = err
				}
			}
		})
		for _, err := range errs {
			p.must(err, "a concurrent call")
		}
		p.want(p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(round)}).Total == 0, "deliveries of a removed subscription are listed")
		kept := p.deliveries(ports.DeliveryQuery{}).Total
		p.want(kept == lanes*5, "the other subscription has %d deliveries of %d", kept, lanes*5)
		pending, _, err := p.store.DeliveryBacklog(p.ctx)
		p.want(err == nil && pending == lanes*5, "the backlog is %d of %d, %v", pending, lanes*5, err)
		p.save(WebhookOf(round))
		p.takes("r1", anyRoom(round))
		for _, n := range []int{round, 100} {
			p.must(p.store.DeleteWebhook(p.ctx, WebhookID(n), nil), fmt.Sprint("DeleteWebhook ", n))
		}
	}
}
