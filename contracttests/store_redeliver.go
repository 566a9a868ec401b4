package contracttests

import (
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// redeliverRules: asking for more attempts.
func redeliverRules() []StoreRule {
	return []StoreRule{
		rule("Redeliver: makes one delivery PENDING and due now, whatever its status", redelivers),
		rule("Redeliver: ErrNotFound", redeliversNothing),
		rule("Redeliver: one that is being attempted is attempted again", redeliversUnderWay),
		rule("Redeliver: writes the idempotency record with it; ErrIdempotencyKeyTaken, and nothing is done", redeliversOnce),
		rule("RecoverDeliveries: makes every FAILED delivery since a time PENDING and due now, and returns how many", recovers),
		rule("RecoverDeliveries: one that is being attempted is attempted again", recoversUnderWay),
		rule("RecoverDeliveries: writes the idempotency record, with how many; ErrIdempotencyKeyTaken, and nothing is done", recoversOnce),
	}
}

func redelivers(p *probe) {
	p.live("r1")
	p.subscribe(1)
	for n := 1; n <= 4; n++ {
		p.tell(n)
		p.takes("r1", anyRoom(1), delivering(1, n, 1))
	}
	statuses := []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed, ports.DeliveryRetrying, ports.DeliveryRetrying}
	for n, status := range statuses {
		p.settle("r1", attempted(delivering(1, n+1, 1), status))
	}
	p.tell(5) // PENDING
	for _, n := range []int{1, 2, 3, 5} {
		key := delivering(1, n, 1)
		before := p.delivery(key)
		p.must(p.store.Redeliver(p.ctx, key, nil, nil), "Redeliver")
		after := p.stands(key, ports.DeliveryPending, before.Attempts, "asked for again")
		p.want(after.Error == before.Error && after.LastAttemptAt.Equal(before.LastAttemptAt) && after.ResponseStatus == before.ResponseStatus,
			"asking again changed %+v to %+v", before, after)
	}
	p.takes("r1", anyRoom(1), delivering(1, 1, 1), delivering(1, 2, 1), delivering(1, 3, 1), delivering(1, 5, 1))
	p.stands(delivering(1, 4, 1), ports.DeliveryRetrying, 1, "not asked for")
}

func redeliversNothing(p *probe) {
	p.subscribe(1)
	p.tell(1)
	for _, key := range []ports.DeliveryKey{delivering(1, 1, 2), delivering(1, 2, 1), delivering(2, 1, 1), {}} {
		p.wantErr(p.store.Redeliver(p.ctx, key, nil, nil), ports.ErrNotFound, fmt.Sprintf("Redeliver of %v", key))
	}
	p.told(1, delivering(1, 1, 1))
}

// redeliversUnderWay: whatever comes of the attempt that was under way, there
// is one more, and not before that one was settled.
func redeliversUnderWay(p *probe) {
	p.live("r1")
	p.live("r2")
	p.subscribe(1)
	key := delivering(1, 1, 1)
	p.tell(1)
	p.takes("r1", anyRoom(1), key)
	for i, status := range []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed, ports.DeliveryRetrying} {
		p.must(p.store.Redeliver(p.ctx, key, nil, nil), "Redeliver")
		p.takes("r2", anyRoom(1))
		p.settle("r1", attempted(key, status))
		d := p.stands(key, ports.DeliveryPending, i+1, "asked for while being attempted")
		p.want(sameTime(d.LastAttemptAt, Epoch.Add(time.Minute)), "the attempt under way was not recorded: %+v", d)
		p.takes("r1", anyRoom(1), key)
	}
	p.settle("r1", attempted(key, ports.DeliveryDelivered))
	p.stands(key, ports.DeliveryDelivered, 4, "the attempt that was asked for is settled")
	// The attempt of a new holder is the one that was asked for.
	p.must(p.store.Redeliver(p.ctx, key, nil, nil), "Redeliver")
	p.takes("dead", anyRoom(1), key)
	p.must(p.store.Redeliver(p.ctx, key, nil, nil), "Redeliver")
	p.takes("r2", anyRoom(1), key)
	p.settle("r2", attempted(key, ports.DeliveryDelivered))
	p.stands(key, ports.DeliveryDelivered, 5, "asked for, and attempted by another")
}

func recovers(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	p.starts(1, 7, Telling(FixtureEvent))
	p.want(len(p.take("r1", anyRoom(1, 2))) == 12, "not all deliveries were claimed")
	for n := 1; n <= 6; n++ {
		status := ports.DeliveryFailed
		if n == 5 {
			status = ports.DeliveryDelivered
		}
		p.settle("r1", attempted(delivering(1, n, 1), status), attempted(delivering(2, n, 1), ports.DeliveryFailed))
	}
	recovered := func(webhook int, since time.Time, want int) {
		n, err := p.store.RecoverDeliveries(p.ctx, WebhookID(webhook), since, nil, nil)
		p.must(err, "RecoverDeliveries")
		p.want(n == want, "RecoverDeliveries since %v returned %d, want %d", since, n, want)
	}
	since := StartOf(3).Row.UpdatedAt
	recovered(1, StartOf(99).Row.UpdatedAt, 0)
	recovered(9, since, 0)
	recovered(1, since, 3)
	p.takes("r1", anyRoom(1, 2), delivering(1, 3, 1), delivering(1, 4, 1), delivering(1, 6, 1))
	for _, n := range []int{3, 4, 6} {
		p.stands(delivering(1, n, 1), ports.DeliveryPending, 1, "recovered")
	}
	p.stands(delivering(1, 2, 1), ports.DeliveryFailed, 1, "of an earlier event")
	p.stands(delivering(1, 5, 1), ports.DeliveryDelivered, 1, "that was delivered")
	recovered(1, since, 0)
	recovered(1, time.Time{}, 2)
	recovered(2, Epoch, 6)
}

// onceOf is the idempotency record of request n to do something to a target.
func onceOf(n int, target string) *ports.IdempotencyRecord {
	return &ports.IdempotencyRecord{Scope: fmt.Sprintf("once-%d", n), Fingerprint: fmt.Sprintf("request-%d", n), WorkflowID: target, CreatedAt: Epoch}
}

// remembered checks that a record is kept, or that none is.
func (p *probe) remembered(want *ports.IdempotencyRecord, is bool) {
	got, err := p.store.Idempotency(p.ctx, want.Scope)
	if !is {
		p.wantErr(err, ports.ErrNotFound, "Idempotency of what was not done")
		return
	}
	p.must(err, "Idempotency")
	p.want(got.Fingerprint == want.Fingerprint && got.WorkflowID == want.WorkflowID && got.Version == want.Version && sameTime(got.CreatedAt, want.CreatedAt),
		"the record is %+v, want %+v", got, *want)
}

func redeliversOnce(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.tell(1)
	key, gone := delivering(1, 1, 1), delivering(1, 2, 1)
	once := onceOf(1, key.WorkflowID)
	p.wantErr(p.store.Redeliver(p.ctx, gone, onceOf(2, gone.WorkflowID), nil), ports.ErrNotFound, "Redeliver of one that is not there")
	p.remembered(onceOf(2, gone.WorkflowID), false)
	p.attempt(ports.DeliveryDelivered, 1)
	p.must(p.store.Redeliver(p.ctx, key, once, entry(1)), "Redeliver")
	p.remembered(once, true)
	p.attempt(ports.DeliveryDelivered, 1)
	p.wantErr(p.store.Redeliver(p.ctx, key, once, entry(2)), ports.ErrIdempotencyKeyTaken, "Redeliver by a used key")
	p.stands(key, ports.DeliveryDelivered, 2, "asked for twice by one key")
	p.audited("a redelivery", AuditOf(1))
}

func recoversOnce(p *probe) {
	p.live("r1")
	w := p.subscribe(1)
	p.tell(1)
	p.tell(2)
	recovered := func(n, want int) {
		once := onceOf(n, w.ID)
		got, err := p.store.RecoverDeliveries(p.ctx, w.ID, Epoch, once, entry(n))
		p.want(err == nil && got == want, "RecoverDeliveries returned %d, %v, want %d", got, err, want)
		once.Version = want
		p.remembered(once, true)
	}
	recovered(1, 0)
	p.attempt(ports.DeliveryFailed, 1)
	recovered(2, 2)
	p.attempt(ports.DeliveryFailed, 1)
	n, err := p.store.RecoverDeliveries(p.ctx, w.ID, Epoch, onceOf(2, w.ID), entry(3))
	p.want(n == 0, "%d deliveries were recovered twice by one key", n)
	p.wantErr(err, ports.ErrIdempotencyKeyTaken, "RecoverDeliveries by a used key")
	p.stands(delivering(1, 1, 1), ports.DeliveryFailed, 2, "asked for twice by one key")
	p.audited("a recovery", AuditOf(2))
}

func recoversUnderWay(p *probe) {
	p.live("r1")
	w := p.subscribe(1)
	key := delivering(1, 1, 1)
	p.tell(1)
	p.takes("r1", anyRoom(1), key)
	p.disable(1, true)
	p.resave(p.webhook(1), func(w *ports.Webhook) { w.Active = true })
	n, err := p.store.RecoverDeliveries(p.ctx, w.ID, Epoch, nil, nil)
	p.want(err == nil && n == 1, "RecoverDeliveries returned %d, %v", n, err)
	p.takes("r1", anyRoom(1))
	p.settle("r1", attempted(key, ports.DeliveryFailed))
	p.takes("r1", anyRoom(1), key)
	p.settle("r1", attempted(key, ports.DeliveryDelivered))
	p.stands(key, ports.DeliveryDelivered, 2, "recovered while being attempted")
}
