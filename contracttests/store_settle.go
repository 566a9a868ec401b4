package contracttests

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// settleRules: what came of attempts.
func settleRules() []StoreRule {
	return []StoreRule{
		rule("SettleDeliveries: records attempts", recordsAttempts),
		rule("SettleDeliveries: gives up the hold", settlingGivesUp),
		rule("SettleDeliveries: what is gone is passed over", passesOverGone),
		rule("SettleDeliveries: what is held by another replica meanwhile is passed over", passesOverTaken),
		rule("SettleDeliveries: what the replica does not hold any more is passed over", passesOverSettled),
		rule("SettleDeliveries: a delivered attempt clears FailingSince, a failed one sets it to its time if it is zero", tracksFailing),
		rule("SettleDeliveries: what arrived is DELIVERED, even if it was given up meanwhile", deliveredAfterAll),
		rule("SettleDeliveries: takes MaxBatch attempts", settlesMany),
		rule("DeliveryStore: concurrent calls do not stand in each other's way", crossedDeliveries),
	}
}

func recordsAttempts(p *probe) {
	p.live("r1")
	p.subscribe(1)
	for n := 1; n <= 3; n++ {
		p.tell(n)
	}
	p.want(len(p.take("r1", anyRoom(1))) == 3, "not all deliveries were claimed")
	var attempts []ports.Attempt
	for n, status := range []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryRetrying, ports.DeliveryFailed} {
		attempts = append(attempts, attempted(delivering(1, n+1, 1), status, func(a *ports.Attempt) {
			a.At = a.At.Add(time.Duration(n) * time.Second)
			a.NextAttemptAt = Epoch // of use only with RETRYING
		}))
	}
	p.settle("r1", attempts...)
	for n, a := range attempts {
		d := p.stands(a.DeliveryKey, a.Status, 1, "settled")
		p.want(sameTime(d.LastAttemptAt, a.At) && d.ResponseStatus == a.ResponseStatus && d.Error == a.Error && d.Event == FixtureEvent &&
			sameTime(d.CreatedAt, StartOf(n+1).Row.UpdatedAt), "settled with %+v, the delivery is %+v", a, d)
		p.want(a.Status != ports.DeliveryRetrying || sameTime(d.NextAttemptAt, Epoch), "the next attempt is at %v", d.NextAttemptAt)
	}
	p.takes("r1", anyRoom(1), delivering(1, 2, 1))
	p.settle("r1", attempted(delivering(1, 2, 1), ports.DeliveryDelivered))
	d := p.stands(delivering(1, 2, 1), ports.DeliveryDelivered, 2, "settled again")
	p.want(d.Error == "" && d.ResponseStatus == 200, "after the second attempt the delivery is %+v", d)
	p.settle("r1")
}

func settlingGivesUp(p *probe) {
	p.live("r1")
	p.live("r2")
	p.subscribe(1)
	p.tell(1)
	for i := range 4 {
		replica := fmt.Sprint("r", i%2+1)
		p.takes(replica, anyRoom(1), delivering(1, 1, 1))
		p.settle(replica, attempted(delivering(1, 1, 1), ports.DeliveryRetrying, retryNow))
	}
}

func passesOverGone(p *probe) {
	p.live("r1")
	gone := p.subscribe(2)
	p.subscribe(1)
	p.tell(1)
	p.takes("r1", anyRoom(1, 2), delivering(1, 1, 1), delivering(2, 1, 1))
	p.must(p.store.DeleteWebhook(p.ctx, gone.ID, nil), "DeleteWebhook")
	p.settle("r1", attempted(delivering(2, 1, 1), ports.DeliveryFailed), attempted(delivering(1, 9, 1), ports.DeliveryDelivered),
		attempted(delivering(1, 1, 1), ports.DeliveryDelivered), attempted(delivering(9, 1, 1), ports.DeliveryRetrying))
	p.stands(delivering(1, 1, 1), ports.DeliveryDelivered, 1, "settled beside what is gone")
	p.want(p.deliveries(ports.DeliveryQuery{}).Total == 1, "settling what is gone made a delivery")
}

func passesOverTaken(p *probe) {
	p.live("r2")
	p.subscribe(1)
	p.tell(1)
	p.tell(2)
	p.want(len(p.take("r1", anyRoom(1))) == 2, "not all deliveries were claimed") // r1 is not live
	p.takes("r2", anyRoom(1), delivering(1, 1, 1), delivering(1, 2, 1))
	p.settle("r2", attempted(delivering(1, 2, 1), ports.DeliveryDelivered))
	for n := 1; n <= 2; n++ {
		p.settle("r1", attempted(delivering(1, n, 1), ports.DeliveryFailed))
	}
	p.stands(delivering(1, 1, 1), ports.DeliveryPending, 0, "settled by an earlier holder")
	p.stands(delivering(1, 2, 1), ports.DeliveryDelivered, 1, "settled by an earlier holder")
	p.failing(1, time.Time{}, "after an attempt that is passed over")
	p.takes("r1", anyRoom(1))
	p.settle("r2", attempted(delivering(1, 1, 1), ports.DeliveryDelivered))
	p.stands(delivering(1, 1, 1), ports.DeliveryDelivered, 1, "settled by its holder")
}

// passesOverSettled settles again, as after an answer that got lost.
func passesOverSettled(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.tell(1)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	for range 2 {
		p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryDelivered))
	}
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryFailed))
	p.stands(delivering(1, 1, 1), ports.DeliveryDelivered, 1, "settled three times")
	p.failing(1, time.Time{}, "after an attempt that is passed over")
	p.tell(2)
	p.settle("r1", attempted(delivering(1, 2, 1), ports.DeliveryFailed))
	p.stands(delivering(1, 2, 1), ports.DeliveryPending, 0, "settled without being claimed")
}

func tracksFailing(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	at := func(minutes int) time.Time { return Epoch.Add(time.Duration(minutes) * time.Minute) }
	n := 0
	type outcome struct {
		status ports.DeliveryStatus
		minute int
	}
	// settles delivers events of new workflows to subscription 1, all in one call.
	settles := func(outcomes ...outcome) {
		var attempts []ports.Attempt
		for _, o := range outcomes {
			n++
			p.tell(n)
			attempts = append(attempts, attempted(delivering(1, n, 1), o.status, func(a *ports.Attempt) { a.At = at(o.minute) }))
		}
		p.want(len(p.take("r1", anyRoom(1))) == len(outcomes), "not all deliveries were claimed")
		p.settle("r1", attempts...)
	}
	const delivered, retrying, failed = ports.DeliveryDelivered, ports.DeliveryRetrying, ports.DeliveryFailed
	settles(outcome{delivered, 1})
	p.failing(1, time.Time{}, "delivered")
	settles(outcome{retrying, 2})
	p.failing(1, at(2), "failed, to be retried")
	settles(outcome{failed, 3}, outcome{retrying, 4})
	p.failing(1, at(2), "failed again")
	settles(outcome{delivered, 5})
	p.failing(1, time.Time{}, "delivered again")
	settles(outcome{failed, 6})
	p.failing(1, at(6), "failed and given up")
	settles(outcome{failed, 7}, outcome{delivered, 8})
	p.failing(1, time.Time{}, "failed, then delivered")
	settles(outcome{delivered, 9}, outcome{failed, 10}, outcome{retrying, 11})
	p.failing(1, at(10), "delivered, then failed twice")
	settles(outcome{retrying, 12}, outcome{delivered, 13}, outcome{retrying, 14})
	p.failing(1, at(14), "failed, delivered, failed")
	p.failing(2, time.Time{}, "of another subscription")
	w := p.webhook(1)
	p.want(w.Version == 1 && w.Active && w.UpdatedAt.Equal(w.CreatedAt), "attempts changed the subscription to %+v", w)
}

func deliveredAfterAll(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.tell(1)
	p.takes("r1", anyRoom(1), delivering(1, 1, 1))
	p.disable(1, true)
	p.stands(delivering(1, 1, 1), ports.DeliveryFailed, 0, "given up")
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryDelivered))
	p.stands(delivering(1, 1, 1), ports.DeliveryDelivered, 1, "given up, then seen to arrive")
}

func settlesMany(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	p.starts(0, ports.MaxBatch/2, Telling(FixtureEvent))
	var attempts []ports.Attempt
	for _, d := range p.take("r1", map[string]int{WebhookID(1): ports.MaxBatch, WebhookID(2): ports.MaxBatch}) {
		attempts = append(attempts, attempted(d.DeliveryKey, ports.DeliveryDelivered))
	}
	p.want(len(attempts) == ports.MaxBatch, "%d deliveries of %d were claimed", len(attempts), ports.MaxBatch)
	p.settle("r1", attempts...)
	p.want(p.deliveries(ports.DeliveryQuery{Status: ports.DeliveryDelivered}).Total == ports.MaxBatch, "not all attempts were recorded")
	p.want(p.store.SettleDeliveries(p.ctx, "r1", append(attempts, attempts[0])) != nil, "more than MaxBatch attempts were taken")
}

// crossedDeliveries does everything at once to the deliveries of a few
// subscriptions; a store that locks in different orders fails a call.
func crossedDeliveries(p *probe) {
	const webhooks, lanes, rounds = 3, 6, 12
	for n := range webhooks {
		p.subscribe(n)
	}
	for lane := range lanes {
		p.live(fmt.Sprint("r", lane))
	}
	errs := make([]error, lanes)
	together(lanes, func(lane int) {
		for round := 0; round < rounds && errs[lane] == nil; round++ {
			errs[lane] = p.crossing(lane, round, webhooks)
		}
	})
	for _, err := range errs {
		p.must(err, "a concurrent call")
	}
	want := lanes * rounds * 4 * webhooks
	for n := range webhooks {
		if w := p.webhook(n); !w.Active {
			p.resave(w, func(w *ports.Webhook) { w.Active = true })
		}
	}
	p.want(p.deliveries(ports.DeliveryQuery{}).Total <= want, "there are more deliveries than were told")
}

// crossing is what one lane does in one round.
func (p *probe) crossing(lane, round, webhooks int) error {
	replica, first := fmt.Sprint("r", lane), (lane*12+round)*4
	batch := make([]ports.Change, 4)
	for i := range batch {
		batch[i] = StartOf(first+i, Telling(FixtureEvent))
	}
	for _, err := range p.store.Commit(p.ctx, batch) {
		if err != nil {
			return fmt.Errorf("Commit: %w", err)
		}
	}
	room := map[string]int{}
	for n := range webhooks {
		room[WebhookID(n)] = 10
	}
	list, err := p.store.ClaimDeliveries(p.ctx, replica, room)
	if err != nil {
		return fmt.Errorf("ClaimDeliveries: %w", err)
	}
	var attempts []ports.Attempt
	for i, d := range list {
		status := []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed, ports.DeliveryRetrying}[(lane+i)%3]
		attempts = append(attempts, attempted(d.DeliveryKey, status, retryNow))
	}
	if err := p.store.SettleDeliveries(p.ctx, replica, attempts); err != nil {
		return fmt.Errorf("SettleDeliveries: %w", err)
	}
	return p.meddle(lane+round, WebhookID((lane+round)%webhooks), replica)
}

// meddle does what persons do meanwhile.
func (p *probe) meddle(what int, id, replica string) error {
	var err error
	switch what % 4 {
	case 0:
		_, err = p.store.RecoverDeliveries(p.ctx, id, Epoch, nil, nil)
	case 1:
		if _, err = p.store.DisableWebhook(p.ctx, id, "HTTP 410", Epoch); err != nil {
			return fmt.Errorf("DisableWebhook: %w", err)
		}
		var w ports.Webhook
		if w, err = p.store.Webhook(p.ctx, id); err == nil {
			w.Version++
			w.Active = true
			if err = p.store.SaveWebhook(p.ctx, w, nil); errors.Is(err, ports.ErrConflict) {
				err = nil
			}
		}
	case 2:
		if err = p.store.Release(p.ctx, replica); err == nil {
			err = p.store.Renew(p.ctx, replica, longLease)
		}
	case 3:
		_, _, err = p.store.DeliveryBacklog(p.ctx)
	}
	return err
}
