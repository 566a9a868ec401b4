package memory_test

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenDeliveryPurgers are stores whose purges and deliveries do not go together.
func brokenDeliveryPurgers() []brokenStore {
	const workflows, deliveries = "PurgeWorkflows: ", "PurgeDeliveries: "
	return []brokenStore{
		{fault: "deliveries outlive their workflows", promise: workflows + "removes the deliveries of what it removes", breaks: purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
			page, err := f.Store.List(ctx, ports.ListQuery{Status: c.status, Limit: c.limit})
			return page.Total, err
		})},
		{fault: "a purge does not wait for deliveries", promise: workflows + "those whose deliveries are still on their way stay", breaks: purgers(givesUpAndPurges)},
		{fault: "a purge overlooks a redelivery", promise: workflows + "a workflow of which a delivery is asked for meanwhile stays, or both are gone", breaks: purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
			for pending := 0; pending == 0 && ctx.Err() == nil; {
				page, _ := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{Status: ports.DeliveryPending, Limit: 1})
				pending = page.Total
			}
			return givesUpAndPurges(ctx, f, c)
		})},
		{fault: "a purge waits for what nobody attempts", promise: workflows + "deliveries of inactive subscriptions hold nothing up, for nobody attempts them", breaks: purgers(func(ctx context.Context, f *faulty, c purgeCall) (int, error) {
			if waits, err := anyPending(ctx, f); waits || err != nil {
				return 0, err
			}
			return c.on(ctx, f)
		})},
		{fault: "what nobody attempts stays", promise: deliveries + "removes those of inactive subscriptions, settled or not", breaks: purgesDeliveries(func(ctx context.Context, f *faulty, t time.Time, limit int) (int, error) {
			if waits, err := anyPending(ctx, f); waits || err != nil {
				return 0, err
			}
			return f.Store.PurgeDeliveries(ctx, t, limit)
		})},
		{fault: "deliveries purged to the end", promise: deliveries + "removes settled deliveries of events before t", breaks: purgesDeliveries(func(ctx context.Context, f *faulty, t time.Time, limit int) (int, error) {
			return f.Store.PurgeDeliveries(ctx, t.Add(time.Hour), limit)
		})},
		{fault: "deliveries purged beyond the limit", promise: deliveries + "removes at most limit, oldest first, and returns how many; fewer means no more", breaks: purgesDeliveries(func(ctx context.Context, f *faulty, t time.Time, limit int) (int, error) {
			_, _ = f.Store.PurgeDeliveries(ctx, t, 1)
			return f.Store.PurgeDeliveries(ctx, t, limit)
		})},
	}
}

// anyPending reports whether a delivery is PENDING, whoever it is for.
func anyPending(ctx context.Context, f *faulty) (bool, error) {
	page, err := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{Status: ports.DeliveryPending, Limit: 1})
	return page.Total > 0, err
}

// givesUpAndPurges fails what is on its way before it purges.
func givesUpAndPurges(ctx context.Context, f *faulty, c purgeCall) (int, error) {
	hooks, err := f.Store.Webhooks(ctx)
	if err != nil {
		return 0, err
	}
	for _, w := range hooks {
		_, _ = f.Store.DisableWebhook(ctx, w.ID, "in the way", contracttests.Epoch)
	}
	return c.on(ctx, f)
}

func purgesDeliveries(purge func(ctx context.Context, f *faulty, t time.Time, limit int) (int, error)) func(*faulty) {
	return func(f *faulty) {
		f.purgeDelivery = func(ctx context.Context, t time.Time, limit int) (int, error) { return purge(ctx, f, t, limit) }
	}
}

// brokenWebhookAudits are stores that do not say who changed a subscription.
func brokenWebhookAudits() []brokenStore {
	var list []brokenStore
	for _, promise := range []string{
		"SaveWebhook: writes the audit entry with it", "DeleteWebhook: writes the audit entry with it",
		"Redeliver: writes the audit entry with it", "RecoverDeliveries: writes the audit entry if there are any",
	} {
		list = append(list, brokenStore{fault: "not audited: " + promise, promise: promise, breaks: audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) {
			p.Entries, p.Total = nil, 0
		})})
	}
	return list
}
