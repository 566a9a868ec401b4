package coordination

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// WebhookService keeps webhooks: whom the coordinator tells of which events.
// Package webhook of this module receives them.
type WebhookService struct{ client *Client }

// DeliveriesQuery filters and pages the deliveries of a webhook. A member that
// is empty does not filter; Size is at most 100, by default 20.
type DeliveriesQuery struct {
	Status DeliveryStatus
	Page   int    // from 0; not together with Cursor
	Size   int    // of a page
	Cursor string // Pagination.NextCursor of the page before
}

// Create makes a webhook. Its Secret is in this answer and in no other: keep it.
// If it is empty, an answer that had it was lost on its way to this call, and
// RotateSecret gives another. A URL that webhooks may not be sent to is
// [ErrInvalidRequest].
func (s *WebhookService) Create(ctx context.Context, request WebhookRequest, options ...CallOption) (*Webhook, error) {
	return post[Webhook](ctx, s.client, call{name: "create webhook", path: []string{"webhooks"}, body: request}, options)
}

// List returns all webhooks, oldest first.
func (s *WebhookService) List(ctx context.Context) ([]Webhook, error) {
	var all []Webhook
	for webhook, err := range allPages(position{}, func(at position) ([]Webhook, Pagination, error) {
		list, err := perform[WebhookList](ctx, s.client, call{
			name: "list webhooks", method: http.MethodGet, path: []string{"webhooks"},
			query: url.Values{"page": {strconv.Itoa(at.page)}, "size": {"100"}},
		})
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Webhooks, list.Pagination, nil
	}) {
		if err != nil {
			return nil, err
		}
		all = append(all, webhook)
	}
	return all, nil
}

// Get returns a webhook, or [ErrWebhookNotFound].
func (s *WebhookService) Get(ctx context.Context, webhookID string) (*Webhook, error) {
	return perform[Webhook](ctx, s.client, call{name: "get webhook", method: http.MethodGet, path: []string{"webhooks", webhookID}})
}

// Update changes what update gives. Active true ends that a webhook is disabled.
func (s *WebhookService) Update(ctx context.Context, webhookID string, update WebhookUpdate) (*Webhook, error) {
	return perform[Webhook](ctx, s.client, call{
		name: "update webhook", method: http.MethodPatch, path: []string{"webhooks", webhookID}, body: update,
	})
}

// Delete removes a webhook with its deliveries. One that is gone, perhaps by an
// attempt of this call whose answer was lost, is [ErrWebhookNotFound].
func (s *WebhookService) Delete(ctx context.Context, webhookID string) error {
	_, err := s.client.send(ctx, call{name: "delete webhook", method: http.MethodDelete, path: []string{"webhooks", webhookID}})
	return err
}

// RotateSecret makes a new secret; the one before signs too for overlap, at most
// [MaxSecretOverlap]. Use [DefaultSecretOverlap] unless there is a reason. The
// Secret of the answer is shown once, as that of Create.
func (s *WebhookService) RotateSecret(ctx context.Context, webhookID string, overlap Duration, options ...CallOption) (*RotatedSecret, error) {
	return post[RotatedSecret](ctx, s.client, call{
		name: "rotate webhook secret", path: []string{"webhooks", webhookID, "rotate-secret"}, body: RotateSecretRequest{Overlap: &overlap},
	}, options)
}

// Deliveries returns a page of the deliveries of a webhook, newest event first.
func (s *WebhookService) Deliveries(ctx context.Context, webhookID string, query DeliveriesQuery) (*DeliveryList, error) {
	values := EventsQuery{query.Page, query.Size, query.Cursor}.values()
	set(values, "status", string(query.Status))
	return perform[DeliveryList](ctx, s.client, call{
		name: "list webhook deliveries", method: http.MethodGet, path: []string{"webhooks", webhookID, "deliveries"}, query: values,
	})
}

// AllDeliveries iterates over the deliveries of a webhook, newest event first,
// from the page query names on. An error ends the iteration and comes with a
// zero delivery.
func (s *WebhookService) AllDeliveries(ctx context.Context, webhookID string, query DeliveriesQuery) iter.Seq2[Delivery, error] {
	return allPages(position{query.Page, query.Cursor}, func(at position) ([]Delivery, Pagination, error) {
		query.Page, query.Cursor = at.page, at.cursor
		list, err := s.Deliveries(ctx, webhookID, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Deliveries, list.Pagination, nil
	})
}

// Redeliver has one delivery attempted again, whatever its status. A receiver
// knows the event by its id.
func (s *WebhookService) Redeliver(ctx context.Context, webhookID, deliveryID string, options ...CallOption) (*RedeliverResponse, error) {
	return post[RedeliverResponse](ctx, s.client, call{
		name: "redeliver webhook", path: []string{"webhooks", webhookID, "deliveries", deliveryID, "redeliver"},
	}, options)
}

// Recover has every delivery attempted again that was given up, of events that
// happened at since or later.
func (s *WebhookService) Recover(ctx context.Context, webhookID string, since time.Time, options ...CallOption) (*RecoverResponse, error) {
	return post[RecoverResponse](ctx, s.client, call{
		name: "recover webhook", path: []string{"webhooks", webhookID, "recover"}, body: RecoverRequest{Since: At(since)},
	}, options)
}

// post sends a mutating call that is not waited for.
func post[T any](ctx context.Context, c *Client, call call, options []CallOption) (*T, error) {
	var err error
	if call.mutation, err = newMutation(options); err != nil {
		return nil, err
	}
	call.method = http.MethodPost
	return perform[T](ctx, c, call)
}
