package contracttests

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// webhookRules: subscriptions and what becomes of their deliveries with them.
func webhookRules() []StoreRule {
	return []StoreRule{
		rule("SaveWebhook: creates a subscription with every member", keepsWebhook),
		rule("SaveWebhook: replaces the one whose Version is one less", replacesWebhook),
		rule("SaveWebhook: ErrConflict if the stored version is another", refusesStaleWebhook),
		rule("SaveWebhook: ErrNotFound if a later one is not there", func(p *probe) {
			w := WebhookOf(1)
			w.Version = 2
			p.wantErr(p.store.SaveWebhook(p.ctx, w, nil), ports.ErrNotFound, "SaveWebhook of version 2 of nothing")
			p.noWebhook(1)
		}),
		rule("SaveWebhook: ErrTooManyWebhooks when there are MaxWebhooks", limitsWebhooks),
		rule("SaveWebhook: FailingSince is kept as it is stored", keepsFailingSince),
		rule("SaveWebhook: FailingSince is cleared when the stored one was inactive and w is active", revivesWebhook),
		rule("SaveWebhook: a subscription that is made inactive fails its deliveries that are not settled", failsOfInactive),
		rule("SaveWebhook: of concurrent replacements of one version exactly one is saved", oneReplacement),
		rule("SaveWebhook: concurrent ones create no more than MaxWebhooks", limitsRacingWebhooks),
		rule("DeleteWebhook: removes a subscription with its deliveries", deletesWebhook),
		rule("DeleteWebhook: ErrNotFound", func(p *probe) {
			p.wantErr(p.store.DeleteWebhook(p.ctx, WebhookID(1), nil), ports.ErrNotFound, "DeleteWebhook of nothing")
		}),
		rule("Webhook: ErrNotFound", func(p *probe) { p.subscribe(1); p.noWebhook(2) }),
		rule("Webhooks: are all subscriptions, oldest first", listsWebhooks),
		rule("DisableWebhook: makes an active subscription inactive because of what its receiver did", disablesWebhook),
		rule("DisableWebhook: fails its deliveries that are not settled", failsOfDisabled),
		rule("DisableWebhook: reports false if it was inactive or is gone", disablesNothing),
		rule("WebhookStore: what the caller alters afterwards does not change the store", sharesNoWebhook),
	}
}

// noWebhook expects that there is no such subscription.
func (p *probe) noWebhook(n int) {
	_, err := p.store.Webhook(p.ctx, WebhookID(n))
	p.wantErr(err, ports.ErrNotFound, "Webhook of none")
}

// is expects a stored subscription to be the given one.
func (p *probe) is(got, want ports.Webhook) {
	same := got.ID == want.ID && got.URL == want.URL && got.Description == want.Description && slices.Equal(got.Events, want.Events) &&
		got.Active == want.Active && got.Disabled == want.Disabled && got.Version == want.Version &&
		sameTime(got.CreatedAt, want.CreatedAt) && sameTime(got.UpdatedAt, want.UpdatedAt) && sameTime(got.FailingSince, want.FailingSince) &&
		slices.EqualFunc(got.Secrets, want.Secrets, func(a, b ports.SealedSecret) bool {
			return slices.Equal(a.Sealed, b.Sealed) && sameTime(a.Until, b.Until)
		})
	p.want(same, "the stored subscription is %+v, want %+v", got, want)
}

func keepsWebhook(p *probe) {
	full := p.subscribe(1)
	bare := p.subscribe(2, func(w *ports.Webhook) {
		w.Description, w.Active, w.Disabled, w.Secrets = "", false, "HTTP 410", w.Secrets[:1]
	})
	p.is(p.webhook(1), full)
	p.is(p.webhook(2), bare)
}

func replacesWebhook(p *probe) {
	other := p.subscribe(2)
	w := p.subscribe(1)
	for range 3 {
		w = p.resave(w, func(w *ports.Webhook) {
			w.URL, w.Description, w.Events = w.URL+"/v", "é", []string{otherEvent}
			w.UpdatedAt = w.UpdatedAt.Add(time.Second)
			w.Secrets = append([]ports.SealedSecret{{Sealed: []byte("new")}}, w.Secrets...)
		})
		p.is(p.webhook(1), w)
	}
	p.is(p.webhook(2), other)
}

func refusesStaleWebhook(p *probe) {
	w := p.resave(p.subscribe(1))
	for _, version := range []int{1, 2, 4} {
		stale := w
		stale.Version, stale.URL = version, "https://elsewhere.example"
		p.wantErr(p.store.SaveWebhook(p.ctx, stale, nil), ports.ErrConflict, fmt.Sprintf("SaveWebhook of version %d after 2", version))
	}
	p.is(p.webhook(1), w)
}

func limitsWebhooks(p *probe) {
	for n := range ports.MaxWebhooks {
		p.subscribe(n)
	}
	p.wantErr(p.store.SaveWebhook(p.ctx, WebhookOf(ports.MaxWebhooks), nil), ports.ErrTooManyWebhooks, "SaveWebhook of one more than MaxWebhooks")
	p.noWebhook(ports.MaxWebhooks)
	p.resave(p.webhook(0))
	p.must(p.store.DeleteWebhook(p.ctx, WebhookID(7), nil), "DeleteWebhook")
	p.subscribe(ports.MaxWebhooks)
}

// fails makes a subscription fail since a minute after Epoch.
func (p *probe) fails(n int) time.Time {
	p.live("r1")
	p.tell(n)
	d := p.takes("r1", anyRoom(n), delivering(n, n, 1))[0]
	p.settle("r1", attempted(d.DeliveryKey, ports.DeliveryRetrying))
	return Epoch.Add(time.Minute)
}

func keepsFailingSince(p *probe) {
	w := p.subscribe(1, func(w *ports.Webhook) { w.FailingSince = Epoch })
	p.failing(1, time.Time{}, "a new subscription")
	since := p.fails(1)
	p.failing(1, since, "after a failed attempt")
	for _, said := range []time.Time{{}, Epoch.Add(time.Hour)} {
		w = p.resave(w, func(w *ports.Webhook) { w.FailingSince = said })
		p.failing(1, since, "saved with another FailingSince")
	}
	p.resave(w, inactive)
	p.failing(1, since, "made inactive")
}

func revivesWebhook(p *probe) {
	w := p.subscribe(1)
	since := p.fails(1)
	w = p.resave(w, inactive)
	w = p.resave(w, inactive)
	p.failing(1, since, "inactive still")
	w = p.resave(w, func(w *ports.Webhook) { w.Active, w.FailingSince = true, Epoch })
	p.failing(1, time.Time{}, "active again")
	p.is(p.webhook(1), func() ports.Webhook { w.FailingSince = time.Time{}; return w }())
}

// unsettled leaves the deliveries of the first subscription in every status:
// workflow 1 PENDING, 2 RETRYING, 3 DELIVERED, 4 being attempted; and one of a
// second subscription that waits. It returns what the holder of 4 is to settle.
func (p *probe) unsettled() ports.DeliveryKey {
	p.live("r1")
	for n := 2; n <= 4; n++ {
		p.tell(n)
	}
	p.takes("r1", anyRoom(1), delivering(1, 2, 1), delivering(1, 3, 1), delivering(1, 4, 1))
	p.settle("r1", attempted(delivering(1, 2, 1), ports.DeliveryRetrying), attempted(delivering(1, 3, 1), ports.DeliveryDelivered))
	p.tell(1)
	return delivering(1, 4, 1)
}

// gaveUp expects what becomes of unsettled when the first subscription is made inactive.
func (p *probe) gaveUp(underWay ports.DeliveryKey) {
	p.stands(delivering(1, 1, 1), ports.DeliveryFailed, 0, "never attempted")
	p.stands(delivering(1, 2, 1), ports.DeliveryFailed, 1, "to be retried")
	p.stands(delivering(1, 3, 1), ports.DeliveryDelivered, 1, "delivered")
	p.stands(underWay, ports.DeliveryFailed, 0, "being attempted")
	for n := 1; n <= 4; n++ {
		p.stands(delivering(2, n, 1), ports.DeliveryPending, 0, "of another subscription")
	}
	p.takes("r1", anyRoom(1))
	p.settle("r1", attempted(underWay, ports.DeliveryRetrying, retryNow))
	p.stands(underWay, ports.DeliveryFailed, 1, "given up, then seen to fail")
	p.takes("r1", anyRoom(1))
}

func failsOfInactive(p *probe) {
	w := p.subscribe(1)
	p.subscribe(2)
	underWay := p.unsettled()
	w = p.resave(w, func(w *ports.Webhook) { w.Description = "active still" })
	p.stands(underWay, ports.DeliveryPending, 0, "of a subscription that stays active")
	w = p.resave(w, inactive)
	p.gaveUp(underWay)
	p.resave(w, func(w *ports.Webhook) { w.Active = true })
	p.takes("r1", anyRoom(1))
}

func failsOfDisabled(p *probe) {
	p.subscribe(1)
	p.subscribe(2)
	underWay := p.unsettled()
	p.disable(1, true)
	p.gaveUp(underWay)
}

// disable disables a subscription and expects to hear whether it was active.
func (p *probe) disable(n int, want bool) {
	was, err := p.store.DisableWebhook(p.ctx, WebhookID(n), "HTTP 410", Epoch.Add(time.Hour))
	p.must(err, "DisableWebhook")
	p.want(was == want, "DisableWebhook reports %t, want %t", was, want)
}

func disablesWebhook(p *probe) {
	w, other := p.subscribe(1), p.subscribe(2)
	p.disable(1, true)
	w.Active, w.Disabled, w.UpdatedAt = false, "HTTP 410", Epoch.Add(time.Hour)
	p.is(p.webhook(1), w)
	p.is(p.webhook(2), other)
	p.tell(1)
	p.takes("r1", anyRoom(1, 2), delivering(2, 1, 1))
}

func disablesNothing(p *probe) {
	p.disable(1, false)
	w := p.subscribe(1, inactive)
	p.disable(1, false)
	p.is(p.webhook(1), w)
	p.subscribe(2)
	p.disable(2, true)
	p.disable(2, false)
	p.must(p.store.DeleteWebhook(p.ctx, WebhookID(2), nil), "DeleteWebhook")
	p.disable(2, false)
}

func deletesWebhook(p *probe) {
	w := p.subscribe(1)
	p.subscribe(2)
	underWay := p.unsettled()
	p.must(p.store.DeleteWebhook(p.ctx, w.ID, nil), "DeleteWebhook")
	p.noWebhook(1)
	gone := func(what string) {
		p.want(p.deliveries(ports.DeliveryQuery{WebhookID: w.ID}).Total == 0, "%s: deliveries of a removed subscription are listed", what)
		p.want(p.deliveries(ports.DeliveryQuery{}).Total == 4, "%s: the list has %d deliveries of 4", what, p.deliveries(ports.DeliveryQuery{}).Total)
		pending, _, err := p.store.DeliveryBacklog(p.ctx)
		p.want(err == nil && pending == 4, "%s: the backlog is %d, want 4, %v", what, pending, err)
		p.wantErr(p.store.Redeliver(p.ctx, underWay, nil, nil), ports.ErrNotFound, what+": Redeliver")
		p.takes("r1", anyRoom(1))
	}
	gone("removed")
	p.settle("r1", attempted(underWay, ports.DeliveryRetrying, retryNow))
	gone("settled afterwards")
	p.save(w)
	gone("created again")
	p.failing(1, time.Time{}, "created again")
}

func listsWebhooks(p *probe) {
	list := func() []ports.Webhook {
		list, err := p.store.Webhooks(p.ctx)
		p.must(err, "Webhooks")
		return list
	}
	p.want(len(list()) == 0, "an empty store has subscriptions")
	want := []ports.Webhook{WebhookOf(5, inactive), WebhookOf(7), WebhookOf(9), WebhookOf(11)}
	for _, i := range []int{2, 0, 3, 1} {
		p.save(want[i])
	}
	want[0] = p.resave(want[0])
	got := list()
	p.want(len(got) == len(want), "there are %d subscriptions, want %d", len(got), len(want))
	for i := range want {
		p.is(got[i], want[i])
	}
}

func sharesNoWebhook(p *probe) {
	spoil := func(w ports.Webhook) {
		w.Events[0], w.Secrets[0].Sealed[0], w.Secrets[1] = "spoiled", 0xff, ports.SealedSecret{}
	}
	w := WebhookOf(1)
	p.save(w)
	spoil(w)
	p.is(p.webhook(1), WebhookOf(1))
	spoil(p.webhook(1))
	p.is(p.webhook(1), WebhookOf(1))
	list, err := p.store.Webhooks(p.ctx)
	p.must(err, "Webhooks")
	spoil(list[0])
	p.is(p.webhook(1), WebhookOf(1))
}

func oneReplacement(p *probe) {
	w := p.subscribe(1)
	for range 5 {
		errs := make([]error, racers)
		together(racers, func(i int) {
			mine := w
			mine.Version, mine.URL = w.Version+1, fmt.Sprintf("https://racer-%d.example", i)
			errs[i] = p.store.SaveWebhook(p.ctx, mine, nil)
		})
		winner := slices.IndexFunc(errs, func(err error) bool { return err == nil })
		p.want(winner >= 0, "of %d concurrent replacements none was saved", racers)
		for i, err := range errs {
			p.want(i == winner || errors.Is(err, ports.ErrConflict), "a second concurrent replacement gave %v", err)
		}
		w.Version, w.URL = w.Version+1, fmt.Sprintf("https://racer-%d.example", winner)
		p.is(p.webhook(1), w)
	}
}

func limitsRacingWebhooks(p *probe) {
	const room = 3
	for n := range ports.MaxWebhooks - room {
		p.subscribe(n)
	}
	errs := make([]error, racers)
	together(racers, func(i int) { errs[i] = p.store.SaveWebhook(p.ctx, WebhookOf(1000+i), nil) })
	saved := 0
	for _, err := range errs {
		if err == nil {
			saved++
		} else {
			p.wantErr(err, ports.ErrTooManyWebhooks, "a concurrent SaveWebhook")
		}
	}
	list, err := p.store.Webhooks(p.ctx)
	p.must(err, "Webhooks")
	p.want(saved == room && len(list) == ports.MaxWebhooks, "%d of %d concurrent ones were saved, now there are %d", saved, racers, len(list))
}
