package webhook

import (
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// endpoints are the subscriptions as far as the dispatcher is concerned: which
// can be attempted, and how many attempts of each are under way. It is a state
// machine without goroutines or I/O; its caller sees to it that one call at a
// time is made.
type endpoints struct {
	perEndpoint, inFlight int // limits
	all                   map[string]*endpoint
	underWay              map[ports.DeliveryKey]bool
	// first is whose turn it is when there is not enough room for all.
	first int
}

// endpoint is one subscription.
type endpoint struct {
	ports.Webhook
	secrets  []openSecret
	underWay int
	// failing: its last attempt failed. One at a time is tried until one
	// arrives, so that what is broken takes nothing from the others.
	failing bool
	fault   string // why it cannot be attempted; "" if it can
}

// openSecret is a secret that signs until a moment, or for good.
type openSecret struct {
	webhook.Secret
	until time.Time
}

func newEndpoints(perEndpoint, inFlight int) *endpoints {
	return &endpoints{perEndpoint: perEndpoint, inFlight: inFlight, all: map[string]*endpoint{}, underWay: map[ports.DeliveryKey]bool{}}
}

// update takes the subscriptions as they are stored now. Open opens a secret of
// a subscription. What cannot be opened now is told once by fault.
func (e *endpoints) update(stored []ports.Webhook, open func(w *ports.Webhook, s *ports.SealedSecret) (webhook.Secret, error), told func(w *ports.Webhook, err error)) {
	known := e.all
	e.all = make(map[string]*endpoint, len(stored))
	for i := range stored {
		w := &stored[i]
		now := &endpoint{Webhook: *w, failing: !w.FailingSince.IsZero()}
		if before := known[w.ID]; before != nil {
			now.underWay, now.failing, now.fault = before.underWay, before.failing, before.fault
			if before.Version == w.Version && before.fault == "" {
				now.secrets = before.secrets
			}
		}
		if now.secrets == nil && w.Active {
			now.unseal(open, told)
		}
		e.all[w.ID] = now
	}
	for id, gone := range known { // is counted until its attempts have ended
		if e.all[id] == nil && gone.underWay > 0 {
			gone.Active = false
			e.all[id] = gone
		}
	}
}

func (n *endpoint) unseal(open func(*ports.Webhook, *ports.SealedSecret) (webhook.Secret, error), told func(*ports.Webhook, error)) {
	before := n.fault
	n.fault = ""
	for i := range n.Secrets {
		secret, err := open(&n.Webhook, &n.Secrets[i])
		if err != nil {
			n.secrets, n.fault = nil, err.Error()
			if before == "" {
				told(&n.Webhook, err)
			}
			return
		}
		n.secrets = append(n.secrets, openSecret{secret, n.Secrets[i].Until})
	}
}

// signing are the secrets that sign at now, the current one first.
func (n *endpoint) signing(now time.Time) []webhook.Secret {
	var list []webhook.Secret
	for _, s := range n.secrets {
		if s.until.IsZero() || s.until.After(now) {
			list = append(list, s.Secret)
		}
	}
	return list
}

// room is how many more attempts each subscription may have, within the limits.
func (e *endpoints) room() map[string]int {
	left := e.inFlight - len(e.underWay)
	ids := make([]string, 0, len(e.all))
	for id, n := range e.all {
		if n.free(e.perEndpoint) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	room := make(map[string]int, len(ids))
	for granted := true; granted && left > 0; { // one each, until nothing is left
		granted = false
		for i := range ids {
			id := ids[(i+e.first)%len(ids)]
			if left > 0 && room[id] < e.all[id].free(e.perEndpoint) {
				room[id]++
				left--
				granted = true
			}
		}
	}
	e.first++
	return room
}

// free is how many more attempts it may have by itself.
func (n *endpoint) free(limit int) int {
	if !n.Active || len(n.secrets) == 0 {
		return 0
	}
	if n.failing {
		limit = 1
	}
	return limit - n.underWay
}

// begin notes that an attempt is under way; false if one of the same delivery
// is already, or the subscription is gone.
func (e *endpoints) begin(key ports.DeliveryKey) (*endpoint, bool) {
	n := e.all[key.WebhookID]
	if n == nil || e.underWay[key] || len(n.secrets) == 0 {
		return nil, false
	}
	e.underWay[key] = true
	n.underWay++
	return n, true
}

// end notes how an attempt ended.
func (e *endpoints) end(key ports.DeliveryKey, delivered bool) {
	if !e.underWay[key] {
		return
	}
	delete(e.underWay, key)
	n := e.all[key.WebhookID]
	n.underWay--
	n.failing = !delivered
}

// failedFor are the subscriptions that have failed for too long.
func (e *endpoints) failedFor(long time.Duration, now time.Time) []string {
	var ids []string
	for id, n := range e.all {
		if n.Active && !n.FailingSince.IsZero() && now.Sub(n.FailingSince) >= long {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
