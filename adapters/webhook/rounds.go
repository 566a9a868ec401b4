package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// rounds claims what is due until nothing more is to be claimed.
func (d *Dispatcher) rounds() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.draining.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		d.safely("claims", d.round)
		select {
		case <-d.draining.Done():
			return
		case <-time.After(roundPause):
		}
		timer.Reset(d.cfg.PollEvery + time.Duration(d.Entropy.Random()%uint64(d.cfg.PollEvery/4+1)))
	}
}

// round looks at the subscriptions, disables those that have failed for too
// long, and begins as many attempts as there is room for.
func (d *Dispatcher) round() {
	ctx, cancel := context.WithTimeout(d.draining, storeTimeout)
	defer cancel()
	if !d.refresh(ctx) {
		return
	}
	d.disableFailed(ctx)
	if !d.leased.Load() || !d.settleDoubt(ctx) {
		return
	}
	d.mu.Lock()
	room := d.endpoints.room()
	d.mu.Unlock()
	if len(room) == 0 {
		return
	}
	claimed, err := d.Store.ClaimDeliveries(ctx, d.replica, room)
	if err != nil {
		d.doubt()
		if d.draining.Err() == nil {
			d.Logger.Warn("webhook deliveries not claimed", "error", err)
		}
		return
	}
	for i := range claimed {
		d.begin(claimed[i])
	}
}

// refresh reads the subscriptions if they have not been read lately; false if
// they cannot be.
func (d *Dispatcher) refresh(ctx context.Context) bool {
	now := d.Clock.Now()
	d.mu.Lock()
	fresh := !d.refreshed.IsZero() && now.Sub(d.refreshed) < refreshEvery && !now.Before(d.refreshed)
	if !fresh {
		d.refreshed = now // who asks for it from now on asks for another one
	}
	d.mu.Unlock()
	if fresh {
		return true
	}
	stored, err := d.Store.Webhooks(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.refreshed = time.Time{}
		if d.draining.Err() == nil {
			d.Logger.Warn("webhooks not read", "error", err)
		}
		return false
	}
	d.endpoints.update(stored, d.open, func(w *ports.Webhook, err error) {
		d.Logger.Error("webhook cannot be signed and is not sent", "webhookId", w.ID, "error", err)
	})
	idle := true
	for i := range stored {
		idle = idle && !stored[i].Active
	}
	d.idle.Store(idle)
	return true
}

// open opens a secret of a subscription.
func (d *Dispatcher) open(w *ports.Webhook, s *ports.SealedSecret) (webhook.Secret, error) {
	opened, err := OpenSecret(d.Sealer, w.ID, s.Sealed)
	return opened.Secret, err
}

// doubt notes that a claim failed without a verdict: this replica may hold
// deliveries that it never heard of, and nobody takes them from a live holder.
func (d *Dispatcher) doubt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doubtSince = d.Clock.Now()
}

// settleDoubt gives everything up and claims it anew, once the store can no
// longer be at the claim that failed. What is under way goes on; another
// replica may attempt it too, which its receiver can tell by the id. It reports
// whether claims may go on.
func (d *Dispatcher) settleDoubt(ctx context.Context) bool {
	d.mu.Lock()
	since := d.doubtSince
	d.mu.Unlock()
	if since.IsZero() || d.Clock.Now().Sub(since) < storeTimeout {
		return true
	}
	err := d.Store.Release(ctx, d.replica)
	if err == nil {
		err = d.Store.Renew(ctx, d.replica, d.cfg.Lease)
	}
	if err != nil {
		if d.draining.Err() == nil {
			d.Logger.Warn("webhook deliveries not released after a failed claim", "error", err)
		}
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doubtSince = time.Time{}
	return true
}

// begin starts an attempt of a claimed delivery.
func (d *Dispatcher) begin(claimed ports.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.endpoints.begin(claimed.DeliveryKey)
	if !ok { // under way already, since before it was claimed anew
		return
	}
	a := attempt{delivery: claimed, url: n.URL, secrets: n.signing(d.Clock.Now())}
	d.attempts.Go(func() { d.results <- d.perform(a) })
}

// attempt is a delivery and what is needed to send it.
type attempt struct {
	delivery ports.Delivery
	url      string
	secrets  []webhook.Secret
}

// result is an attempt and what came of it.
type result struct {
	attempt
	outcome      outcome
	began, ended time.Time
	// cut off: by the end of this replica, which says nothing of the receiver.
	cut bool
}

// perform makes an attempt.
func (d *Dispatcher) perform(a attempt) (r result) {
	r = result{attempt: a, began: d.Clock.Now(), outcome: outcome{fault: "an error within the coordinator"}}
	d.safely("attempt", func() {
		p, o := d.payloadOf(&a.delivery)
		if o.delivered() {
			r.began = d.Clock.Now()
			o = d.sender.post(d.ctx, &a.delivery, a.url, p, a.secrets, r.began)
		}
		r.outcome = o
	})
	r.ended = d.Clock.Now()
	r.cut = d.ctx.Err() != nil && !r.outcome.delivered()
	return r
}

// payloadOf is the payload of a delivery, or why there is none. While the store
// does not answer it waits: that is not the receiver's fault.
func (d *Dispatcher) payloadOf(delivery *ports.Delivery) (payload, outcome) {
	key := eventKey{delivery.WorkflowID, delivery.Sequence}
	if p, ok := d.cache.get(key); ok {
		return p, outcome{}
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		p, err := d.read(key)
		switch {
		case err == nil:
			d.cache.put(key, p)
			return p, outcome{}
		case errors.Is(err, ports.ErrNotFound):
			return payload{}, outcome{fault: "the workflow is no longer kept", final: true}
		case !errors.Is(err, ports.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) && d.ctx.Err() == nil:
			d.Logger.Error("webhook payload not made", "workflowId", key.workflowID, "sequence", key.sequence, "error", err)
			return payload{}, outcome{fault: "the event cannot be read"}
		}
		select {
		case <-d.ctx.Done():
			return payload{}, outcome{fault: "the coordinator stopped"}
		case <-time.After(pause):
		}
	}
}

func (d *Dispatcher) read(key eventKey) (payload, error) {
	ctx, cancel := context.WithTimeout(d.ctx, storeTimeout)
	defer cancel()
	snap, err := d.Workflows.Workflow(ctx, key.workflowID)
	if err != nil {
		return payload{}, err
	}
	return render(&snap, key.sequence)
}
