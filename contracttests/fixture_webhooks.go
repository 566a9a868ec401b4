package contracttests

import (
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Events of the subscriptions of fixtures.
const (
	FixtureEvent = "workflow.completed"
	otherEvent   = "workflow.failed"
	unwanted     = "workflow.started"
)

// WebhookID is the ID of the n-th subscription.
func WebhookID(n int) string { return fmt.Sprintf("whk-01947a3c-0000-7000-8000-%012x", n) }

// WebhookOf is the n-th subscription: active, for FixtureEvent and another
// event, with a secret that signs and one that a rotation left, made n seconds
// after Epoch.
func WebhookOf(n int, edits ...func(*ports.Webhook)) ports.Webhook {
	at := Epoch.Add(time.Duration(n) * time.Second)
	w := ports.Webhook{
		ID: WebhookID(n), URL: fmt.Sprintf("https://receiver-%d.example/hooks", n), Description: "orders",
		Events: []string{FixtureEvent, otherEvent}, Active: true,
		Secrets:   []ports.SealedSecret{{Sealed: []byte{0, 1, byte(n)}}, {Sealed: []byte{2}, Until: at.Add(time.Hour)}},
		CreatedAt: at, UpdatedAt: at, Version: 1,
	}
	for _, e := range edits {
		e(&w)
	}
	return w
}

// Telling adds a notice of the last event of a change.
func Telling(event string) Edit {
	return func(c *ports.Change) {
		c.Notices = append(c.Notices, ports.Notice{Sequence: c.Row.Version, Event: event, At: c.Row.UpdatedAt})
	}
}

// delivering is the key of a delivery of the n-th workflow to a subscription.
func delivering(webhook, n, sequence int) ports.DeliveryKey {
	return ports.DeliveryKey{WebhookID: WebhookID(webhook), WorkflowID: WorkflowID(n), Sequence: sequence}
}

func inactive(w *ports.Webhook) { w.Active = false }

func (p *probe) save(w ports.Webhook) { p.must(p.store.SaveWebhook(p.ctx, w, nil), "SaveWebhook") }

// subscribe saves the n-th subscription.
func (p *probe) subscribe(n int, edits ...func(*ports.Webhook)) ports.Webhook {
	w := WebhookOf(n, edits...)
	p.save(w)
	return w
}

// resave replaces a subscription by what edits make of it.
func (p *probe) resave(w ports.Webhook, edits ...func(*ports.Webhook)) ports.Webhook {
	w.Version++
	for _, e := range edits {
		e(&w)
	}
	p.save(w)
	return w
}

// webhook loads a subscription that must be there.
func (p *probe) webhook(n int) ports.Webhook {
	w, err := p.store.Webhook(p.ctx, WebhookID(n))
	p.must(err, "Webhook")
	return w
}

// failing expects since when a subscription fails.
func (p *probe) failing(n int, want time.Time, what string) {
	got := p.webhook(n).FailingSince
	p.want(sameTime(got, want), "%s: FailingSince is %v, want %v", what, got, want)
}

// tell starts the n-th workflow with notices of its first event.
func (p *probe) tell(n int, edits ...Edit) ports.Row {
	return p.start(n, append(slices.Clone(edits), Telling(FixtureEvent))...)
}

// tellOn commits further events of a workflow, each with a notice.
func (p *probe) tellOn(row ports.Row, times int) ports.Row {
	for range times {
		row = p.next(row, Telling(FixtureEvent))
	}
	return row
}

// anyRoom lets a claim take as many as it likes of the given subscriptions.
func anyRoom(webhooks ...int) map[string]int {
	room := map[string]int{}
	for _, n := range webhooks {
		room[WebhookID(n)] = 100
	}
	return room
}

// take claims deliveries and checks what holds for every claim.
func (p *probe) take(replica string, room map[string]int) []ports.Delivery {
	list, err := p.store.ClaimDeliveries(p.ctx, replica, room)
	p.must(err, "ClaimDeliveries for "+replica)
	left := map[string]int{}
	for id, n := range room {
		left[id] = n
	}
	for _, d := range list {
		left[d.WebhookID]--
		p.want(left[d.WebhookID] >= 0, "a claim with room %v returned too many of %s", room, d.WebhookID)
	}
	return list
}

// takes claims deliveries and expects exactly these, in any order.
func (p *probe) takes(replica string, room map[string]int, want ...ports.DeliveryKey) []ports.Delivery {
	list := p.take(replica, room)
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprint(d.DeliveryKey))
	}
	wanted := make([]string, len(want))
	for i, k := range want {
		wanted[i] = fmt.Sprint(k)
	}
	p.want(sameSet(got, wanted), "a claim for %s returned %v, want %v", replica, got, wanted)
	return list
}

// attempted is an attempt that ended so, a minute after Epoch; a retry is due in an hour.
func attempted(key ports.DeliveryKey, status ports.DeliveryStatus, edits ...func(*ports.Attempt)) ports.Attempt {
	a := ports.Attempt{DeliveryKey: key, At: Epoch.Add(time.Minute), Status: status, ResponseStatus: 200}
	switch status {
	case ports.DeliveryRetrying:
		a.NextAttemptAt = time.Now().UTC().Truncate(time.Millisecond).Add(time.Hour)
		a.ResponseStatus, a.Error = 503, "the receiver answered 503"
	case ports.DeliveryFailed:
		a.ResponseStatus, a.Error = 0, "no connection"
	}
	for _, e := range edits {
		e(&a)
	}
	return a
}

// retryNow makes a retry due for a minute.
func retryNow(a *ports.Attempt) {
	a.NextAttemptAt = time.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)
}

func (p *probe) settle(replica string, attempts ...ports.Attempt) {
	p.must(p.store.SettleDeliveries(p.ctx, replica, attempts), "SettleDeliveries")
}

// deliveries lists up to 100.
func (p *probe) deliveries(q ports.DeliveryQuery) ports.DeliveryPage {
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := p.store.ListDeliveries(p.ctx, q)
	p.must(err, "ListDeliveries")
	p.want(len(page.Deliveries) <= q.Limit, "ListDeliveries with limit %d gave %d", q.Limit, len(page.Deliveries))
	return page
}

// delivery finds one delivery that must be there.
func (p *probe) delivery(key ports.DeliveryKey) ports.Delivery {
	for _, d := range p.deliveries(ports.DeliveryQuery{WebhookID: key.WebhookID}).Deliveries {
		if d.DeliveryKey == key {
			return d
		}
	}
	p.failf("there is no delivery %v", key)
	return ports.Delivery{}
}

// stands expects where a delivery stands and how often it was attempted.
func (p *probe) stands(key ports.DeliveryKey, status ports.DeliveryStatus, attempts int, what string) ports.Delivery {
	d := p.delivery(key)
	p.want(d.Status == status && d.Attempts == attempts, "%s: the delivery is %s after %d attempts, want %s after %d",
		what, d.Status, d.Attempts, status, attempts)
	settled := status == ports.DeliveryDelivered || status == ports.DeliveryFailed
	p.want(d.NextAttemptAt.IsZero() == settled, "%s: a delivery that is %s has its next attempt at %v", what, status, d.NextAttemptAt)
	return d
}
