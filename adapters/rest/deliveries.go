package rest

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// DeliveriesInput pages the deliveries of a webhook.
type DeliveriesInput struct {
	WebhookPath
	Status string `query:"status" doc:"Filter by status" example:"FAILED" enum:"PENDING,RETRYING,DELIVERED,FAILED"`
	Page
}

// Resolve finds the faults that the schema cannot express.
func (in *DeliveriesInput) Resolve(huma.Context) []error { return in.check() }

// DeliveriesOutput is a page of deliveries.
type DeliveriesOutput struct {
	Body *coordination.DeliveryList
}

func (s *service) listDeliveries(ctx context.Context, in *DeliveriesInput) (*DeliveriesOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	q := ports.DeliveryQuery{WebhookID: id, Status: ports.DeliveryStatus(in.Status), Limit: in.Size, Cursor: in.Cursor}
	if q.Cursor == "" {
		q.Offset = in.Page.Page * in.Size
	}
	found, err := s.Webhooks.Deliveries(ctx, q)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	list := &coordination.DeliveryList{Pagination: in.pagination(found.Total, found.NextCursor)}
	for i := range found.Deliveries {
		list.Deliveries = append(list.Deliveries, shownDelivery(&found.Deliveries[i]))
	}
	return &DeliveriesOutput{list}, nil
}

func shownDelivery(d *ports.Delivery) coordination.Delivery {
	return coordination.Delivery{DeliveryID: deliveryID(d.DeliveryKey), EventID: wire.EventID(d.WorkflowID, d.Sequence, d.CreatedAt),
		Event: coordination.WebhookEvent(d.Event), WorkflowID: d.WorkflowID, Status: coordination.DeliveryStatus(d.Status), Attempts: d.Attempts,
		LastAttemptAt: coordination.At(d.LastAttemptAt), NextAttemptAt: coordination.At(d.NextAttemptAt),
		ResponseStatus: d.ResponseStatus, Error: d.Error}
}

// RedeliverInput names a delivery.
type RedeliverInput struct {
	WebhookPath
	DeliveryID string `path:"deliveryId" doc:"Delivery identifier, with or without dlv-" example:"dlv-660e8400-e29b-41d4-a716-446655440000-4"`
	Idempotency
}

// Resolve finds the faults that the schema cannot express.
func (in *RedeliverInput) Resolve(ctx huma.Context) []error { return in.check(ctx) }

// RedeliveredOutput says that a delivery is attempted again.
type RedeliveredOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true if the idempotency key was used before"`
	Body     *coordination.RedeliverResponse
}

func (s *service) redeliver(ctx context.Context, in *RedeliverInput) (*RedeliveredOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	if _, err := s.Webhooks.Webhook(ctx, id); err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	key, err := deliveryKey(id, in.DeliveryID)
	if err != nil {
		return nil, err
	}
	again, err := s.Webhooks.Redeliver(ctx, key, in.key(exchangeOf(ctx), "redeliverWebhook", deliveryID(key), nil))
	if err != nil {
		return nil, isNotFound(err, coordination.ErrDeliveryNotFound, "delivery")
	}
	return &RedeliveredOutput{replayed(again), &coordination.RedeliverResponse{DeliveryID: deliveryID(key), Status: coordination.DeliveryPending}}, nil
}

// RecoverInput says since when.
type RecoverInput struct {
	WebhookPath
	Idempotency
	JSONBody[coordination.RecoverRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *RecoverInput) Resolve(ctx huma.Context) []error {
	return append(in.scan(MaxStringLength), in.check(ctx)...)
}

// RecoveredOutput says how many deliveries are attempted again.
type RecoveredOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true if the idempotency key was used before"`
	Body     *coordination.RecoverResponse
}

func (s *service) recoverDeliveries(ctx context.Context, in *RecoverInput) (*RecoveredOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Webhooks.Recover(ctx, id, in.Body.Since.Time, in.key(exchangeOf(ctx), "recoverWebhook", id, in.canonical))
	if err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	return &RecoveredOutput{replayed(receipt.Replayed), &coordination.RecoverResponse{Recovered: receipt.Recovered}}, nil
}
