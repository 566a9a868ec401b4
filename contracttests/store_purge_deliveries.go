package contracttests

import (
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// purgeDeliveryRules: deliveries go when they, or their workflows, have been
// kept long enough.
func purgeDeliveryRules() []StoreRule {
	return []StoreRule{
		rule("PurgeWorkflows: removes the deliveries of what it removes", purgeTakesDeliveries),
		rule("PurgeWorkflows: those whose deliveries are still on their way stay", purgeSparesUntold),
		rule("PurgeWorkflows: a workflow of which a delivery is asked for meanwhile stays, or both are gone", purgeAgainstRedelivery),
		rule("PurgeWorkflows: deliveries of inactive subscriptions hold nothing up, for nobody attempts them", purgesAbandoned),
		rule("PurgeDeliveries: removes settled deliveries of events before t", purgesDeliveries),
		rule("PurgeDeliveries: removes those of inactive subscriptions, settled or not", purgesAbandonedDeliveries),
		rule("PurgeDeliveries: removes at most limit, oldest first, and returns how many; fewer means no more", purgeDeliveriesLimit),
	}
}

// webhookAuditRules: what is done to subscriptions is kept with its entry.
func webhookAuditRules() []StoreRule {
	return []StoreRule{
		rule("SaveWebhook: writes the audit entry with it", auditsSave),
		rule("DeleteWebhook: writes the audit entry with it", auditsDelete),
		rule("Redeliver: writes the audit entry with it", auditsRedelivery),
		rule("RecoverDeliveries: writes the audit entry if there are any", auditsRecovery),
	}
}

// attempt claims all that is due of subscriptions and settles it alike.
func (p *probe) attempt(status ports.DeliveryStatus, webhooks ...int) {
	var attempts []ports.Attempt
	for _, d := range p.take("r1", anyRoom(webhooks...)) {
		attempts = append(attempts, attempted(d.DeliveryKey, status))
	}
	p.settle("r1", attempts...)
}

// undelivered expects that a subscription has just the deliveries of these workflows.
func (p *probe) undelivered(what string, webhook int, want ...int) {
	page := p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(webhook)})
	var got, ids []string
	for _, d := range page.Deliveries {
		got = append(got, d.WorkflowID)
	}
	for _, n := range want {
		ids = append(ids, WorkflowID(n))
	}
	p.want(sameSet(got, ids), "%s: subscription %d has deliveries of %v, want %v", what, webhook, got, ids)
}

func purgeTakesDeliveries(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	for n := range 3 {
		p.end(n, []domain.Status{domain.Completed, domain.Completed, domain.Failed}[n], Telling(FixtureEvent))
	}
	p.attempt(ports.DeliveryDelivered, 1)
	p.attempt(ports.DeliveryFailed, 2)
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 10, 2)
	for webhook := 1; webhook <= 2; webhook++ {
		p.undelivered("after a purge", webhook, 2)
	}
	p.wantErr(p.store.Redeliver(p.ctx, delivering(1, 0, 3), nil, nil), ports.ErrNotFound, "Redeliver of a purged workflow's event")
	p.end(0, domain.Completed)
	p.undelivered("after the ID was used again", 1, 2)
}

func purgeSparesUntold(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2, func(w *ports.Webhook) { w.Events = []string{otherEvent} })
	later := Epoch.AddDate(1, 0, 0)
	p.end(0, domain.Completed, Telling(FixtureEvent))
	retried := p.end(1, domain.Completed, Telling(FixtureEvent))
	partly := p.end(2, domain.Completed, Telling(FixtureEvent), Telling(otherEvent))
	p.purge(domain.Completed, later, 10, 0)
	for _, d := range p.take("r1", anyRoom(1)) {
		status := ports.DeliveryDelivered
		if d.WorkflowID == retried.WorkflowID {
			status = ports.DeliveryRetrying
		}
		p.settle("r1", attempted(d.DeliveryKey, status))
	}
	p.purge(domain.Completed, later, 10, 1)
	p.gone(0)
	p.whole(1, retried)
	p.whole(2, partly)
	p.attempt(ports.DeliveryFailed, 2)
	p.purge(domain.Completed, later, 10, 1)
	p.gone(2)
	p.must(p.store.DeleteWebhook(p.ctx, WebhookID(1), nil), "DeleteWebhook")
	p.purge(domain.Completed, later, 10, 1)
	p.gone(1)
}

func purgeAgainstRedelivery(p *probe) {
	p.live("r1")
	p.subscribe(1)
	for n := range 20 {
		row := p.end(n, domain.Failed, Telling(FixtureEvent))
		p.attempt(ports.DeliveryDelivered, 1)
		key := delivering(1, n, row.Version)
		var errs [2]error
		purged := 0
		together(2, func(i int) {
			if i == 0 {
				errs[0] = p.store.Redeliver(p.ctx, key, nil, nil)
			} else {
				purged, errs[1] = p.store.PurgeWorkflows(p.ctx, domain.Failed, Epoch.AddDate(1, 0, 0), 10)
			}
		})
		p.must(errs[1], "PurgeWorkflows during a redelivery")
		if errors.Is(errs[0], ports.ErrNotFound) {
			p.want(purged == 1, "a delivery is gone, and its workflow is not")
			p.gone(n)
			continue
		}
		p.must(errs[0], "Redeliver during a purge")
		p.want(purged == 0, "a workflow was purged whose delivery was asked for")
		p.whole(n, row)
		p.stands(key, ports.DeliveryPending, 1, "a redelivery during a purge")
		p.attempt(ports.DeliveryDelivered, 1)
		p.purge(domain.Failed, Epoch.AddDate(1, 0, 0), 10, 1)
	}
}

// purgedDeliveries purges deliveries and expects how many went.
func (p *probe) purgedDeliveries(t time.Time, limit, want int) {
	n, err := p.store.PurgeDeliveries(p.ctx, t, limit)
	p.must(err, "PurgeDeliveries")
	p.want(n == want, "PurgeDeliveries removed %d, want %d", n, want)
}

func purgesDeliveries(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.purgedDeliveries(Epoch.AddDate(1, 0, 0), 10, 0)
	for n, status := range []ports.DeliveryStatus{ports.DeliveryDelivered, ports.DeliveryFailed, ports.DeliveryRetrying, ports.DeliveryDelivered} {
		p.tell(n)
		p.attempt(status, 1)
	}
	p.tell(4)
	cut := StartOf(3).Row.UpdatedAt
	p.purgedDeliveries(cut, 10, 2)
	p.undelivered("after a purge", 1, 2, 3, 4)
	p.stands(delivering(1, 2, 1), ports.DeliveryRetrying, 1, "what is retried")
	p.purgedDeliveries(cut, 10, 0)
	p.purgedDeliveries(cut.Add(time.Millisecond), 10, 1)
	p.undelivered("after a later purge", 1, 2, 4)
	p.must(p.store.Redeliver(p.ctx, delivering(1, 2, 1), nil, nil), "Redeliver")
	p.attempt(ports.DeliveryFailed, 1)
	p.purgedDeliveries(Epoch.AddDate(1, 0, 0), 10, 2)
	p.undelivered("after all are settled", 1)
	p.want(p.list(ports.ListQuery{}).Total == 5, "workflows went with their deliveries")
}

func purgeDeliveriesLimit(p *probe) {
	const events, limit = 18, 7
	p.live("r1")
	for webhook := 1; webhook <= 3; webhook++ {
		p.subscribe(webhook, func(w *ports.Webhook) { w.Events = []string{fmt.Sprint("event-", webhook)} })
	}
	for i := range events {
		n := i * 5 % events
		p.start(n, Telling(fmt.Sprint("event-", 1+n%3)))
	}
	p.attempt(ports.DeliveryDelivered, 1, 2)
	p.attempt(ports.DeliveryFailed, 3)
	gone := 0
	for _, want := range []int{limit, limit, events - 2*limit, 0} {
		p.purgedDeliveries(Epoch.AddDate(1, 0, 0), limit, want)
		gone += want
		left := map[int][]int{}
		for n := gone; n < events; n++ {
			left[1+n%3] = append(left[1+n%3], n)
		}
		for webhook := 1; webhook <= 3; webhook++ {
			p.undelivered(fmt.Sprintf("after %d went", gone), webhook, left[webhook]...)
		}
	}
}

// abandon leaves a delivery of each workflow unsettled at an inactive
// subscription, as a crash does while it is being disabled.
func (p *probe) abandon(webhook int, rows ...ports.Row) {
	done, err := p.store.DisableWebhook(p.ctx, WebhookID(webhook), "the receiver is gone", Epoch)
	p.must(err, "DisableWebhook")
	p.want(done, "subscription %d was not active", webhook)
	for _, row := range rows {
		key := ports.DeliveryKey{WebhookID: WebhookID(webhook), WorkflowID: row.WorkflowID, Sequence: row.Version}
		p.must(p.store.Redeliver(p.ctx, key, nil, nil), "Redeliver")
		p.want(!p.delivery(key).NextAttemptAt.IsZero(), "a delivery that is asked for is settled")
	}
}

func purgesAbandoned(p *probe) {
	p.live("r1")
	p.subscribe(1)
	abandoned := p.end(0, domain.Completed, Telling(FixtureEvent))
	held := p.end(1, domain.Completed, Telling(FixtureEvent))
	p.take("r1", map[string]int{WebhookID(1): 1}) // of the first, by whoever does not come back
	p.abandon(1, abandoned, held)
	p.subscribe(2)
	told := p.end(2, domain.Completed, Telling(FixtureEvent))
	p.purge(domain.Completed, Epoch.AddDate(1, 0, 0), 10, 2)
	p.gone(0)
	p.gone(1)
	p.whole(2, told)
	p.undelivered("after a purge", 1)
	p.undelivered("after a purge", 2, 2)
}

func purgesAbandonedDeliveries(p *probe) {
	p.live("r1")
	p.subscribe(1)
	rows := []ports.Row{p.tell(0), p.tell(1), p.tell(2)}
	p.attempt(ports.DeliveryDelivered, 1)
	p.abandon(1, rows[0], rows[2])
	p.subscribe(2)
	p.tell(3)
	cut := rows[2].UpdatedAt
	p.purgedDeliveries(cut, 1, 1)
	p.undelivered("after a purge of the oldest", 1, 1, 2)
	p.purgedDeliveries(cut, 10, 1)
	p.undelivered("after a purge", 1, 2)
	p.purgedDeliveries(Epoch.AddDate(1, 0, 0), 10, 1)
	p.undelivered("after a later purge", 1)
	p.undelivered("of an active subscription", 2, 3)
}

// entry gives the n-th audit entry to a call that keeps it.
func entry(n int) *ports.AuditEntry {
	e := AuditOf(n)
	return &e
}

func auditsSave(p *probe) {
	w := WebhookOf(1)
	p.must(p.store.SaveWebhook(p.ctx, w, entry(1)), "SaveWebhook")
	p.audited("a new subscription", AuditOf(1))
	p.wantErr(p.store.SaveWebhook(p.ctx, w, entry(2)), ports.ErrConflict, "SaveWebhook of a stale version")
	missing := WebhookOf(2)
	missing.Version = 2
	p.wantErr(p.store.SaveWebhook(p.ctx, missing, entry(3)), ports.ErrNotFound, "SaveWebhook of one that is not there")
	p.audited("refused ones", AuditOf(1))
	w.Version = 2
	p.must(p.store.SaveWebhook(p.ctx, w, entry(4)), "SaveWebhook")
	p.audited("a subscription replaced", AuditOf(4), AuditOf(1))
	w.Version = 3
	p.must(p.store.SaveWebhook(p.ctx, w, nil), "SaveWebhook without an entry")
	p.audited("one replaced by nobody", AuditOf(4), AuditOf(1))
}

func auditsDelete(p *probe) {
	p.subscribe(1)
	p.wantErr(p.store.DeleteWebhook(p.ctx, WebhookID(2), entry(1)), ports.ErrNotFound, "DeleteWebhook of one that is not there")
	p.audited("nothing deleted")
	p.must(p.store.DeleteWebhook(p.ctx, WebhookID(1), entry(2)), "DeleteWebhook")
	p.audited("a subscription deleted", AuditOf(2))
}

func auditsRedelivery(p *probe) {
	p.subscribe(1)
	p.tell(1)
	p.wantErr(p.store.Redeliver(p.ctx, delivering(1, 2, 1), nil, entry(1)), ports.ErrNotFound, "Redeliver of one that is not there")
	p.audited("nothing asked for")
	p.must(p.store.Redeliver(p.ctx, delivering(1, 1, 1), nil, entry(2)), "Redeliver")
	p.audited("a redelivery", AuditOf(2))
}

func auditsRecovery(p *probe) {
	p.live("r1")
	p.subscribe(1)
	recovered := func(webhook, n, want int) {
		got, err := p.store.RecoverDeliveries(p.ctx, WebhookID(webhook), Epoch, nil, entry(n))
		p.must(err, "RecoverDeliveries")
		p.want(got == want, "%d deliveries were recovered, want %d", got, want)
	}
	recovered(1, 1, 0)
	recovered(2, 2, 0)
	p.audited("nothing recovered")
	p.tell(1)
	p.attempt(ports.DeliveryFailed, 1)
	recovered(1, 3, 1)
	p.audited("a recovery", AuditOf(3))
}
