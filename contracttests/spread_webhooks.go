package contracttests

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

func (s *spread) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	return s.next().SaveWebhook(ctx, w, audit)
}

func (s *spread) DeleteWebhook(ctx context.Context, id string, audit *ports.AuditEntry) error {
	return s.next().DeleteWebhook(ctx, id, audit)
}

func (s *spread) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	return s.next().Webhook(ctx, id)
}

func (s *spread) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	return s.next().Webhooks(ctx)
}

func (s *spread) DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error) {
	return s.next().DisableWebhook(ctx, id, reason, at)
}

func (s *spread) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	return s.next().ClaimDeliveries(ctx, replica, room)
}

func (s *spread) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	return s.next().SettleDeliveries(ctx, replica, attempts)
}

func (s *spread) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	return s.next().ListDeliveries(ctx, q)
}

func (s *spread) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	return s.next().Redeliver(ctx, key, once, audit)
}

func (s *spread) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	return s.next().RecoverDeliveries(ctx, webhookID, since, once, audit)
}

func (s *spread) DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error) {
	return s.next().DeliveryBacklog(ctx)
}
