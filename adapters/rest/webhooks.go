package rest

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// webhooks registers the operations of subscriptions.
func (s *service) webhooks() {
	codes := func(more ...coordination.Code) []coordination.Code {
		return append(more, coordination.ErrInvalidRequest, coordination.ErrWebhookNotFound)
	}
	rules := []coordination.Code{coordination.ErrInvalidRequest, coordination.ErrBusinessRuleViolation, coordination.ErrWorkflowAlreadyExists}
	operation(s, s.describe("createWebhook", http.MethodPost, "/webhooks", tagWebhooks, "Subscribe to events",
		"Makes a webhook. Its secret is in this answer and in no other; a replay by idempotency key leaves it out.",
		http.StatusCreated, rules...), s.createWebhook)
	operation(s, s.read("listWebhooks", "/webhooks", tagWebhooks, "List webhooks", "Lists all webhooks, oldest first."), s.listWebhooks)
	operation(s, s.read("getWebhook", "/webhooks/{webhookId}", tagWebhooks, "Get a webhook", "Shows one webhook.",
		coordination.ErrWebhookNotFound), s.getWebhook)
	operation(s, s.describe("updateWebhook", http.MethodPatch, "/webhooks/{webhookId}", tagWebhooks, "Change a webhook",
		"Changes what is given. While a webhook is not active nothing is kept for it, and what was not delivered yet is given up.",
		http.StatusOK, codes()...), s.updateWebhook)
	operation(s, s.describe("deleteWebhook", http.MethodDelete, "/webhooks/{webhookId}", tagWebhooks, "Delete a webhook",
		"Removes a webhook with its deliveries.", http.StatusNoContent, coordination.ErrWebhookNotFound), s.deleteWebhook)
	operation(s, s.describe("rotateWebhookSecret", http.MethodPost, "/webhooks/{webhookId}/rotate-secret", tagWebhooks, "Rotate the secret of a webhook",
		"Makes a new secret. Until the overlap ends the one before signs too, so that a receiver may know either.",
		http.StatusOK, append(rules, coordination.ErrWebhookNotFound)...), s.rotateSecret)
	operation(s, s.read("listWebhookDeliveries", "/webhooks/{webhookId}/deliveries", tagWebhooks, "List the deliveries of a webhook",
		"Pages through deliveries, newest event first.", coordination.ErrWebhookNotFound), s.listDeliveries)
	operation(s, s.describe("redeliverWebhook", http.MethodPost, "/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", tagWebhooks, "Redeliver an event",
		"Has one delivery attempted again, whatever its status. The receiver knows the event by its id.",
		http.StatusAccepted, codes(coordination.ErrDeliveryNotFound)...), s.redeliver)
	operation(s, s.describe("recoverWebhook", http.MethodPost, "/webhooks/{webhookId}/recover", tagWebhooks, "Recover failed deliveries",
		"Has every delivery attempted again that was given up, of events since a moment.", http.StatusAccepted, codes()...), s.recoverDeliveries)
	s.describeWebhooks()
}

// receiveEvent is what a receiver does, as an operation.
const receiveEvent = "receiveEvent"

// describeWebhooks documents what receivers are sent.
func (s *service) describeWebhooks() {
	doc := s.api.OpenAPI()
	if doc.Webhooks == nil {
		doc.Webhooks = map[string]*huma.PathItem{}
	}
	doc.Webhooks["event"] = &huma.PathItem{Post: &huma.Operation{
		OperationID: receiveEvent, Summary: "An event of a workflow",
		Description: "Sent to each webhook that wants the event, signed as Standard Webhooks describes. The same id may come again.",
		Parameters: []*huma.Param{
			{Name: "webhook-id", In: "header", Required: true, Description: "id of the payload", Schema: &huma.Schema{Type: huma.TypeString}},
			{Name: "webhook-timestamp", In: "header", Required: true, Description: "When this attempt was made, in seconds since 1970", Schema: &huma.Schema{Type: huma.TypeString}},
			{Name: "webhook-signature", In: "header", Required: true, Description: "v1, and the HMAC-SHA256 in base64 of id, timestamp and body, joined by dots; several, separated by spaces, while a secret is rotated", Schema: &huma.Schema{Type: huma.TypeString}},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{contentTypeJSON: {
			Schema: s.schema(reflect.TypeFor[coordination.WebhookPayload]()), Example: example(examples[receiveEvent][request])}}},
		Responses: map[string]*huma.Response{
			"2XX": {Description: "The event is in the receiver's care"},
			"410": {Description: "The receiver wants no more events: the webhook is disabled"},
		},
	}}
}

// WebhookPath names a webhook in a path.
type WebhookPath struct {
	WebhookID string `path:"webhookId" doc:"Webhook identifier, with or without whk-" example:"whk-018d0ea9-2c00-7000-8000-0000000000a1"`
}

// CreateWebhookInput is a request to subscribe.
type CreateWebhookInput struct {
	Idempotency
	JSONBody[coordination.WebhookRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *CreateWebhookInput) Resolve(ctx huma.Context) []error {
	return append(in.scan(maxURLLength), in.check(ctx)...)
}

// maxURLLength is how long the strings of a webhook may be; the schema is
// stricter where that is not a URL.
const maxURLLength = 2048

// WebhookOutput is one webhook.
type WebhookOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true if the idempotency key was used before"`
	Body     *coordination.Webhook
}

func (s *service) createWebhook(ctx context.Context, in *CreateWebhookInput) (*WebhookOutput, error) {
	r := ports.WebhookRequest{URL: in.Body.URL, Description: in.Body.Description, Events: eventNames(in.Body.Events),
		Active: in.Body.Active == nil || *in.Body.Active}
	receipt, err := s.Webhooks.CreateWebhook(ctx, r, in.key(exchangeOf(ctx), "createWebhook", "", in.canonical))
	if err != nil {
		return nil, err
	}
	out := &WebhookOutput{Replayed: replayed(receipt.Replayed), Body: shownWebhook(&receipt.Webhook, s.Clock.Now())}
	out.Body.Secret = receipt.Secret
	return out, nil
}

func eventNames(events []coordination.WebhookEvent) []string {
	var names []string
	for _, e := range events {
		names = append(names, string(e))
	}
	return names
}

// shownWebhook is a webhook without its secrets.
func shownWebhook(w *ports.Webhook, now time.Time) *coordination.Webhook {
	shown := &coordination.Webhook{ID: w.ID, URL: w.URL, Description: w.Description, Active: w.Active, Disabled: w.Disabled,
		FailingSince: coordination.At(w.FailingSince), CreatedAt: coordination.At(w.CreatedAt), UpdatedAt: coordination.At(w.UpdatedAt)}
	for _, name := range w.Events {
		shown.Events = append(shown.Events, coordination.WebhookEvent(name))
	}
	var until time.Time
	for _, secret := range w.Secrets {
		if secret.Until.After(now) && secret.Until.After(until) {
			until = secret.Until
		}
	}
	shown.SecretOverlapUntil = coordination.At(until)
	return shown
}

// ListWebhooksInput pages the webhooks: there are so few that numbers will do.
type ListWebhooksInput struct {
	Page int `query:"page" doc:"Page number, from 0" minimum:"0" maximum:"200" default:"0"`
	Size int `query:"size" doc:"Page size" minimum:"1" maximum:"100" default:"20"`
}

// WebhookListOutput is a page of webhooks.
type WebhookListOutput struct {
	Body *coordination.WebhookList
}

func (s *service) listWebhooks(ctx context.Context, in *ListWebhooksInput) (*WebhookListOutput, error) {
	all, err := s.Webhooks.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	page := Page{Page: in.Page, Size: in.Size}
	first := min(in.Page*in.Size, len(all))
	list := &coordination.WebhookList{Pagination: page.pagination(len(all), "")}
	for i := range all[first:min(first+in.Size, len(all))] {
		list.Webhooks = append(list.Webhooks, *shownWebhook(&all[first+i], s.Clock.Now()))
	}
	return &WebhookListOutput{list}, nil
}

func (s *service) getWebhook(ctx context.Context, in *WebhookPath) (*WebhookOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	w, err := s.Webhooks.Webhook(ctx, id)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	return &WebhookOutput{Body: shownWebhook(&w, s.Clock.Now())}, nil
}

// UpdateWebhookInput is a request to change a webhook.
type UpdateWebhookInput struct {
	WebhookPath
	JSONBody[coordination.WebhookUpdate]
}

// Resolve finds the faults that the schema cannot express.
func (in *UpdateWebhookInput) Resolve(huma.Context) []error { return in.scan(maxURLLength) }

func (s *service) updateWebhook(ctx context.Context, in *UpdateWebhookInput) (*WebhookOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	w, err := s.Webhooks.UpdateWebhook(ctx, id, ports.WebhookChange{URL: in.Body.URL, Description: in.Body.Description,
		Events: eventNames(in.Body.Events), Active: in.Body.Active})
	if err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	return &WebhookOutput{Body: shownWebhook(&w, s.Clock.Now())}, nil
}

func (s *service) deleteWebhook(ctx context.Context, in *WebhookPath) (*struct{}, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	return nil, isNotFound(s.Webhooks.DeleteWebhook(ctx, id), coordination.ErrWebhookNotFound, "webhook")
}

// RotateSecretInput is a request for a new secret.
type RotateSecretInput struct {
	WebhookPath
	Idempotency
	JSONBody[coordination.RotateSecretRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *RotateSecretInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	if o := in.Body.Overlap; o != nil && time.Duration(*o) > ports.MaxSecretOverlap {
		errs = append(errs, violation("body.overlap", "expected at most PT168H"))
	}
	return errs
}

// RotatedOutput is a new secret.
type RotatedOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true if the idempotency key was used before"`
	Body     *coordination.RotatedSecret
}

func (s *service) rotateSecret(ctx context.Context, in *RotateSecretInput) (*RotatedOutput, error) {
	id, err := webhookID(in.WebhookID)
	if err != nil {
		return nil, err
	}
	overlap := time.Duration(coordination.DefaultSecretOverlap)
	if in.Body.Overlap != nil {
		overlap = time.Duration(*in.Body.Overlap)
	}
	receipt, err := s.Webhooks.RotateSecret(ctx, id, overlap, in.key(exchangeOf(ctx), "rotateWebhookSecret", id, in.canonical))
	if err != nil {
		return nil, isNotFound(err, coordination.ErrWebhookNotFound, "webhook")
	}
	return &RotatedOutput{Replayed: replayed(receipt.Replayed), Body: &coordination.RotatedSecret{ID: id, Secret: receipt.Secret,
		RotatedAt: coordination.At(receipt.RotatedAt), SecretOverlapUntil: coordination.At(receipt.OverlapUntil)}}, nil
}
