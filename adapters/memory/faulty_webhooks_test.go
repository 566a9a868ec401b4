package memory_test

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// webhookFaults are the replaced methods of a faulty store that keep webhooks
// and deliveries; nil means unchanged.
type webhookFaults struct {
	saveWebhook       func(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error
	deleteWebhook     func(ctx context.Context, id string, audit *ports.AuditEntry) error
	oneWebhook        func(ctx context.Context, id string) (ports.Webhook, error)
	listWebhooks      func(ctx context.Context) ([]ports.Webhook, error)
	disableWebhook    func(ctx context.Context, id, reason string, at time.Time) (bool, error)
	claimDeliveries   func(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error)
	settleDeliveries  func(ctx context.Context, replica string, attempts []ports.Attempt) error
	listDeliveries    func(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error)
	redeliver         func(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error
	recoverDeliveries func(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error)
	deliveryBacklog   func(ctx context.Context) (int, time.Time, error)
}

func (f *faulty) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	if f.saveWebhook == nil {
		return f.Store.SaveWebhook(ctx, w, audit)
	}
	return f.saveWebhook(ctx, w, audit)
}

func (f *faulty) DeleteWebhook(ctx context.Context, id string, audit *ports.AuditEntry) error {
	if f.deleteWebhook == nil {
		return f.Store.DeleteWebhook(ctx, id, audit)
	}
	return f.deleteWebhook(ctx, id, audit)
}

func (f *faulty) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	if f.oneWebhook == nil {
		return f.Store.Webhook(ctx, id)
	}
	return f.oneWebhook(ctx, id)
}

func (f *faulty) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	if f.listWebhooks == nil {
		return f.Store.Webhooks(ctx)
	}
	return f.listWebhooks(ctx)
}

func (f *faulty) DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error) {
	if f.disableWebhook == nil {
		return f.Store.DisableWebhook(ctx, id, reason, at)
	}
	return f.disableWebhook(ctx, id, reason, at)
}

func (f *faulty) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	if f.claimDeliveries == nil {
		return f.Store.ClaimDeliveries(ctx, replica, room)
	}
	return f.claimDeliveries(ctx, replica, room)
}

func (f *faulty) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	if f.settleDeliveries == nil {
		return f.Store.SettleDeliveries(ctx, replica, attempts)
	}
	return f.settleDeliveries(ctx, replica, attempts)
}

func (f *faulty) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	if f.listDeliveries == nil {
		return f.Store.ListDeliveries(ctx, q)
	}
	return f.listDeliveries(ctx, q)
}

func (f *faulty) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	if f.redeliver == nil {
		return f.Store.Redeliver(ctx, key, once, audit)
	}
	return f.redeliver(ctx, key, once, audit)
}

func (f *faulty) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	if f.recoverDeliveries == nil {
		return f.Store.RecoverDeliveries(ctx, webhookID, since, once, audit)
	}
	return f.recoverDeliveries(ctx, webhookID, since, once, audit)
}

func (f *faulty) DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error) {
	if f.deliveryBacklog == nil {
		return f.Store.DeliveryBacklog(ctx)
	}
	return f.deliveryBacklog(ctx)
}
