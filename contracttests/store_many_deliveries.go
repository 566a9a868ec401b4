package contracttests

import "github.com/firstviscount/platform-coordination/ports"

// manyDeliveryRules: what holds however many deliveries there are.
func manyDeliveryRules() []StoreRule {
	return []StoreRule{
		rule("ListDeliveries: Total is exact up to MaxCount", manyDeliveries),
		rule("ListDeliveries: Offset and Limit cut pages that join", offsetDeliveries),
		rule("ListDeliveries: a cursor gives no delivery again and leaves none out while others are added", cursorsWhileTelling),
		rule("DeliveryBacklog: counts up to MaxCount", countsManyOfBacklog),
		rule("DeliveryStore: what is done to all deliveries of a subscription is done however many there are", changesMany),
	}
}

// many makes more than MaxCount deliveries, of many subscriptions to be quick,
// and gives the number of subscriptions and how many deliveries each has.
func (p *probe) many() (webhooks, each int) {
	webhooks, each = 100, ports.MaxCount/100+2
	for n := range webhooks {
		p.subscribe(n)
	}
	p.starts(0, each, Telling(FixtureEvent))
	return webhooks, each
}

func manyDeliveries(p *probe) {
	_, each := p.many()
	page := p.deliveries(ports.DeliveryQuery{Limit: 5})
	p.want(page.Total >= ports.MaxCount, "total of more than MaxCount is %d", page.Total)
	p.want(page.Deliveries[0].WorkflowID == WorkflowID(each-1), "the first of many is %v", page.Deliveries[0].DeliveryKey)
	for _, q := range []ports.DeliveryQuery{{WebhookID: WebhookID(7), Limit: 1}, {WebhookID: WebhookID(7), Status: ports.DeliveryPending, Limit: 1}} {
		p.want(p.deliveries(q).Total == each, "total of %+v among many is %d, want %d", q, p.deliveries(q).Total, each)
	}
	page = p.deliveries(ports.DeliveryQuery{Offset: ports.MaxCount + 20, Limit: 10})
	p.want(len(page.Deliveries) == 10 && page.Deliveries[0].WorkflowID == WorkflowID(1), "pages end at MaxCount")
}

// offsetDeliveries goes through deliveries of two subscriptions in two statuses.
func offsetDeliveries(p *probe) {
	const each = 11
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	p.starts(0, each, Telling(FixtureEvent))
	for _, d := range p.take("r1", map[string]int{WebhookID(1): 4, WebhookID(2): 7}) {
		p.settle("r1", attempted(d.DeliveryKey, ports.DeliveryDelivered))
	}
	for q, want := range map[ports.DeliveryQuery]int{
		{Limit: 5}: 2 * each, {Limit: 3, WebhookID: WebhookID(1)}: each, {Limit: 2, WebhookID: WebhookID(2), Status: ports.DeliveryPending}: each - 7,
	} {
		var last ports.Delivery
		seen := map[ports.DeliveryKey]bool{}
		for q.Offset = 0; q.Offset < want+q.Limit; q.Offset += q.Limit {
			page := p.deliveries(q)
			p.want(page.Total == want, "total of %+v is %d, want %d", q, page.Total, want)
			for _, d := range page.Deliveries {
				p.want(len(seen) == 0 || !d.CreatedAt.After(last.CreatedAt), "%v is listed after %v", d.DeliveryKey, last.DeliveryKey)
				p.want(!seen[d.DeliveryKey], "%v is listed twice", d.DeliveryKey)
				seen[d.DeliveryKey], last = true, d
			}
		}
		p.want(len(seen) == want, "pages of %+v give %d deliveries, want %d", q, len(seen), want)
	}
}

// cursorsWhileTelling adds deliveries before the first and after the last that
// was there, as far from the cursor as they may be.
func cursorsWhileTelling(p *probe) {
	const first, each = 100, 14
	p.subscribe(1)
	p.subscribe(2)
	p.starts(first, first+each, Telling(FixtureEvent))
	added := 0
	for _, q := range []ports.DeliveryQuery{{Limit: 3}, {Limit: 3, WebhookID: WebhookID(1)}, {Limit: 3, Status: ports.DeliveryPending}} {
		seen := map[ports.DeliveryKey]bool{}
		for more := true; more; {
			page := p.deliveries(q)
			for _, d := range page.Deliveries {
				p.want(!seen[d.DeliveryKey], "%v is listed twice", d.DeliveryKey)
				seen[d.DeliveryKey] = true
			}
			added++
			p.tell(first - added)
			p.tell(first + each + added)
			q.Cursor, more = page.NextCursor, page.NextCursor != ""
		}
		for n := first; n < first+each; n++ {
			p.want(seen[delivering(1, n, 1)] && (q.WebhookID != "" || seen[delivering(2, n, 1)]), "workflow %d is left out of %+v", n, q)
		}
	}
}

func countsManyOfBacklog(p *probe) {
	webhooks, each := p.many()
	p.pending(ports.MaxCount, "more than MaxCount")
	for n := range webhooks / 2 {
		p.disable(n, true)
	}
	p.pending(webhooks/2*each, "half of them given up")
}

// changesMany has more deliveries than a store may want to change at once.
func changesMany(p *probe) {
	const many = 4*ports.MaxBatch + 10
	p.subscribe(1)
	p.starts(0, many, Telling(FixtureEvent))
	stand := func(status ports.DeliveryStatus, what string) {
		total := p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(1), Status: status, Limit: 1}).Total
		p.want(total == many, "%s: %d deliveries of %d are %s", what, total, many, status)
	}
	recovered := func() {
		p.resave(p.webhook(1), func(w *ports.Webhook) { w.Active = true })
		n, err := p.store.RecoverDeliveries(p.ctx, WebhookID(1), Epoch, nil, nil)
		p.want(err == nil && n == many, "RecoverDeliveries returned %d of %d, %v", n, many, err)
		stand(ports.DeliveryPending, "recovered")
	}
	p.disable(1, true)
	stand(ports.DeliveryFailed, "disabled")
	recovered()
	p.resave(p.webhook(1), inactive)
	stand(ports.DeliveryFailed, "made inactive")
	recovered()
	p.must(p.store.DeleteWebhook(p.ctx, WebhookID(1), nil), "DeleteWebhook")
	p.want(p.deliveries(ports.DeliveryQuery{}).Total == 0, "deliveries of a removed subscription are listed")
	p.pending(0, "removed")
}

// pending expects how large the backlog is.
func (p *probe) pending(want int, what string) {
	got, _, err := p.store.DeliveryBacklog(p.ctx)
	p.must(err, "DeliveryBacklog")
	p.want(got == want, "%s: the backlog is %d, want %d", what, got, want)
}
