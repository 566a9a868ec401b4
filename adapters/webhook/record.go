package webhook

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Why a subscription was disabled.
const (
	reasonGone   = "the receiver answered 410 Gone"
	reasonFailed = "nothing could be delivered for 5 days"
)

// record has the store note what came of the attempts, of many at once if many
// have ended, until there are no more.
func (d *Dispatcher) record() {
	for first := range d.results {
		batch := slices.DeleteFunc(d.gather(first), func(r result) bool { return r.cut })
		d.safely("results", func() { d.settle(batch) })
	}
}

// gather is what has ended until now.
func (d *Dispatcher) gather(first result) []result {
	batch := []result{first}
	for len(batch) < ports.MaxBatch {
		select {
		case r, more := <-d.results:
			if !more {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// settle writes results until the store has them. If this replica ends before,
// another one makes these attempts once more.
func (d *Dispatcher) settle(batch []result) {
	attempts := make([]ports.Attempt, len(batch))
	for i := range batch {
		r := &batch[i]
		attempts[i] = verdict(&r.delivery, r.outcome, r.began, r.ended, d.Entropy.Random())
	}
	for pause := firstPause; !d.stored(attempts); pause = min(2*pause, maxPause) {
		select {
		case <-d.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
	d.mu.Lock()
	for i := range batch {
		d.endpoints.end(batch[i].delivery.DeliveryKey, batch[i].outcome.delivered())
	}
	d.mu.Unlock()
	d.signal() // there is room, and what waited for these may go
	for i := range batch {
		r := &batch[i]
		d.Attempted(Attempted{WebhookID: r.delivery.WebhookID, Event: r.delivery.Event, Status: attempts[i].Status,
			ResponseStatus: r.outcome.status, Took: r.ended.Sub(r.began)})
		if r.outcome.gone {
			d.disable(d.ctx, r.delivery.WebhookID, reasonGone)
		}
	}
}

// stored writes attempts once. What is on its way is not cut off by a stop.
func (d *Dispatcher) stored(attempts []ports.Attempt) bool {
	if len(attempts) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), storeTimeout)
	defer cancel()
	err := d.Store.SettleDeliveries(ctx, d.replica, attempts)
	if err != nil {
		d.Logger.Warn("webhook attempts not recorded", "error", err)
	}
	return err == nil
}

// disableFailed disables what has failed for too long, and what could not be
// disabled when it should have been.
func (d *Dispatcher) disableFailed(ctx context.Context) {
	d.mu.Lock()
	due := maps.Clone(d.disabling)
	for _, id := range d.endpoints.failedFor(DisableAfter, d.Clock.Now()) {
		due[id] = reasonFailed
	}
	d.mu.Unlock()
	for id, reason := range due {
		d.disable(ctx, id, reason)
	}
}

// disable makes a subscription inactive and says so.
func (d *Dispatcher) disable(ctx context.Context, id, reason string) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	disabled, err := d.Store.DisableWebhook(ctx, id, reason, d.Clock.Now())
	d.mu.Lock()
	delete(d.disabling, id)
	if err != nil {
		d.disabling[id] = reason // again with the next round
	}
	d.refreshed = time.Time{}
	d.mu.Unlock()
	switch {
	case err != nil:
		d.Logger.Warn("webhook not disabled", "webhookId", id, "error", err)
	case disabled:
		d.Logger.Warn("webhook disabled", "webhookId", id, "reason", reason)
		d.Disabled(id, reason)
	}
}
