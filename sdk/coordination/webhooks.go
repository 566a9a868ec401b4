package coordination

import "encoding/json"

// WebhookEvent is the name of an event that subscribers are told of.
type WebhookEvent string

// The events of webhooks, in the order in which a workflow can have them. The
// three that say so must be asked for by name.
const (
	WebhookWorkflowStarted        WebhookEvent = "workflow.started"
	WebhookStepCompleted          WebhookEvent = "workflow.step.completed"
	WebhookStepFailed             WebhookEvent = "workflow.step.failed" // only if asked for
	WebhookWorkflowParked         WebhookEvent = "workflow.parked"      // only if asked for
	WebhookSagaCompensating       WebhookEvent = "saga.compensating"
	WebhookSagaCompensationFailed WebhookEvent = "saga.compensation.failed" // only if asked for
	WebhookSagaCompensated        WebhookEvent = "saga.compensated"
	WebhookWorkflowCompleted      WebhookEvent = "workflow.completed"
	WebhookWorkflowFailed         WebhookEvent = "workflow.failed"
	WebhookWorkflowCancelled      WebhookEvent = "workflow.cancelled"
)

// Limits of webhooks.
const (
	// DefaultSecretOverlap is how long the secret before a rotation signs too,
	// MaxSecretOverlap how long it may.
	DefaultSecretOverlap = Duration(24 * 60 * 60 * 1e9)
	MaxSecretOverlap     = 7 * DefaultSecretOverlap
)

// WebhookRequest is the body of POST /webhooks.
type WebhookRequest struct {
	URL         string         `json:"url" doc:"Where events are posted to: https, a public host, port 443 or 8443" example:"https://shop.example.com/hooks/orders" minLength:"1" maxLength:"2048"`
	Events      []WebhookEvent `json:"events,omitempty" doc:"Events that are wanted; by default the seven that are not marked as opt-in" example:"workflow.completed,workflow.failed" enum:"workflow.started,workflow.step.completed,workflow.step.failed,workflow.parked,saga.compensating,saga.compensation.failed,saga.compensated,workflow.completed,workflow.failed,workflow.cancelled" minItems:"1" maxItems:"10" uniqueItems:"true"`
	Description string         `json:"description,omitempty" doc:"For people" example:"Order status of the shop" maxLength:"1024"`
	Active      *bool          `json:"active,omitempty" doc:"Whether events are sent; true by default" example:"true"`
}

// WebhookUpdate is the body of PATCH /webhooks/{webhookId}: members that are
// given replace what was there.
type WebhookUpdate struct {
	URL         *string        `json:"url,omitempty" doc:"Where events are posted to" example:"https://shop.example.com/hooks/orders" minLength:"1" maxLength:"2048"`
	Events      []WebhookEvent `json:"events,omitempty" doc:"Events that are wanted" example:"workflow.completed,workflow.failed" enum:"workflow.started,workflow.step.completed,workflow.step.failed,workflow.parked,saga.compensating,saga.compensation.failed,saga.compensated,workflow.completed,workflow.failed,workflow.cancelled" minItems:"1" maxItems:"10" uniqueItems:"true"`
	Description *string        `json:"description,omitempty" doc:"For people" example:"Order status of the shop" maxLength:"1024"`
	Active      *bool          `json:"active,omitempty" doc:"Whether events are sent; true ends that the webhook is disabled" example:"true"`
}

// Webhook is a subscription: whom to tell of which events.
type Webhook struct {
	ID          string             `json:"id" doc:"Webhook identifier" example:"whk-018d0ea9-2c00-7000-8000-0000000000a1"`
	URL         string             `json:"url" doc:"Where events are posted to" example:"https://shop.example.com/hooks/orders"`
	Events      List[WebhookEvent] `json:"events" doc:"Events that are sent" example:"workflow.completed,workflow.failed"`
	Description string             `json:"description,omitempty" doc:"For people" example:"Order status of the shop"`
	Active      bool               `json:"active" doc:"Whether events are sent" example:"true"`
	// Disabled says why the coordinator made it inactive.
	Disabled     string `json:"disabled,omitempty" doc:"Why the coordinator made it inactive; absent if it did not" example:"the receiver answered 410 Gone"`
	FailingSince Time   `json:"failingSince,omitzero" doc:"First failed attempt since one was delivered; after five days the webhook is disabled"`
	// Secret is given once, in the answer that made it.
	Secret string `json:"secret,omitempty" doc:"Signs the deliveries; given once, in the answer that made it"`
	// SecretOverlapUntil is until when secrets before the current one sign too.
	SecretOverlapUntil Time `json:"secretOverlapUntil,omitzero" doc:"Until when an earlier secret signs too; absent if none does"`
	CreatedAt          Time `json:"createdAt" doc:"When it was made" example:"2024-01-15T10:00:00Z"`
	UpdatedAt          Time `json:"updatedAt" doc:"When it was last changed" example:"2024-01-15T10:00:00Z"`
}

// WebhookList is a page of subscriptions, oldest first.
type WebhookList struct {
	Webhooks   List[Webhook] `json:"webhooks" doc:"Webhooks of the page"`
	Pagination Pagination    `json:"pagination" doc:"Where the page stands"`
}

// RotateSecretRequest is the body of POST /webhooks/{webhookId}/rotate-secret.
type RotateSecretRequest struct {
	Overlap *Duration `json:"overlap,omitempty" doc:"How long the secret before signs too, at most PT168H; PT24H by default, PT0S ends it at once" example:"PT24H"`
}

// RotatedSecret is the answer to POST /webhooks/{webhookId}/rotate-secret.
type RotatedSecret struct {
	ID                 string `json:"id" doc:"Webhook identifier" example:"whk-018d0ea9-2c00-7000-8000-0000000000a1"`
	Secret             string `json:"secret,omitempty" doc:"The new secret; given once, not in a replay"`
	RotatedAt          Time   `json:"rotatedAt" doc:"Since when the new secret signs" example:"2024-01-15T12:00:00Z"`
	SecretOverlapUntil Time   `json:"secretOverlapUntil" doc:"Until when the secret before signs too" example:"2024-01-16T12:00:00Z"`
}

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending   DeliveryStatus = "PENDING"  // not attempted, or asked for again
	DeliveryRetrying  DeliveryStatus = "RETRYING" // failed, and will be attempted again
	DeliveryDelivered DeliveryStatus = "DELIVERED"
	DeliveryFailed    DeliveryStatus = "FAILED" // given up; can be asked for again
)

// Delivery is one event on its way to one subscription.
type Delivery struct {
	DeliveryID     string         `json:"deliveryId" doc:"Delivery identifier" example:"dlv-660e8400-e29b-41d4-a716-446655440000-4"`
	EventID        string         `json:"eventId" doc:"Identifier of the event: id of the payload and header webhook-id" example:"evt-018d0ea9-2c00-7000-8000-0000000000e4"`
	Event          WebhookEvent   `json:"event" doc:"Name of the event" example:"workflow.step.completed"`
	WorkflowID     string         `json:"workflowId" doc:"Workflow that the event is of" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Status         DeliveryStatus `json:"status" doc:"Where the delivery stands" example:"RETRYING" enum:"PENDING,RETRYING,DELIVERED,FAILED"`
	Attempts       int            `json:"attempts" doc:"Number of attempts so far" example:"2"`
	LastAttemptAt  Time           `json:"lastAttemptAt,omitzero" doc:"When it was last attempted" example:"2024-01-15T10:00:36Z"`
	NextAttemptAt  Time           `json:"nextAttemptAt,omitzero" doc:"When it is attempted again; absent once it is settled" example:"2024-01-15T10:05:36Z"`
	ResponseStatus int            `json:"responseStatus,omitempty" doc:"HTTP status that answered the last attempt; absent if there was none" example:"503"`
	Error          string         `json:"error,omitempty" doc:"What was wrong with the last attempt" example:"answered 503"`
}

// DeliveryList is a page of the deliveries of a subscription, newest event first.
type DeliveryList struct {
	Deliveries List[Delivery] `json:"deliveries" doc:"Deliveries of the page"`
	Pagination Pagination     `json:"pagination" doc:"Where the page stands"`
}

// RedeliverResponse is the answer to POST /webhooks/{webhookId}/deliveries/{deliveryId}/redeliver.
type RedeliverResponse struct {
	DeliveryID string         `json:"deliveryId" doc:"Delivery identifier" example:"dlv-660e8400-e29b-41d4-a716-446655440000-4"`
	Status     DeliveryStatus `json:"status" doc:"Always PENDING: it is attempted now" example:"PENDING" enum:"PENDING,RETRYING,DELIVERED,FAILED"`
}

// RecoverRequest is the body of POST /webhooks/{webhookId}/recover.
type RecoverRequest struct {
	Since Time `json:"since" doc:"Deliveries that have failed of events since then are attempted again" example:"2024-01-15T00:00:00Z"`
}

// RecoverResponse is the answer to POST /webhooks/{webhookId}/recover.
type RecoverResponse struct {
	Recovered int `json:"recovered" doc:"Number of deliveries that are attempted again" example:"3"`
}

// WebhookPayload is the body of a delivery, of which package webhook reads all
// but Data. ID, Timestamp and Data are the same in every attempt.
type WebhookPayload struct {
	ID        string       `json:"id" doc:"Identifier of the event, the same in every delivery of it" example:"evt-018d0ea9-2c00-7000-8000-0000000000e4"`
	Timestamp Time         `json:"timestamp" doc:"When it happened" example:"2024-01-15T10:00:30Z"`
	Event     WebhookEvent `json:"event" doc:"Name of the event" example:"workflow.step.completed" enum:"workflow.started,workflow.step.completed,workflow.step.failed,workflow.parked,saga.compensating,saga.compensation.failed,saga.compensated,workflow.completed,workflow.failed,workflow.cancelled"`
	Data      WebhookData  `json:"data" doc:"What happened"`
	Signature string       `json:"signature,omitempty" doc:"sha256= and the HMAC-SHA256, in hexadecimal digits, of the RFC 8785 form of the other members" example:"sha256=9b1f63b1f0a1d0a3c2d7bb6e3c35d2f5b6e2a5a0f6a9d1f0c3e4b5a69788a1b2"`
}

// WebhookData says what happened. It has what the event has; nothing in it is
// personal or secret.
type WebhookData struct {
	WorkflowID      string            `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	WorkflowType    string            `json:"workflowType" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	SagaID          string            `json:"sagaId" doc:"Saga identifier" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	Sequence        int64             `json:"sequence" doc:"Number of the event in the log of its workflow: a later event has a higher one" example:"4"`
	OrderID         string            `json:"orderId,omitempty" doc:"Order identifier" example:"ord-550e8400-e29b-41d4-a716-446655440000"`
	ReturnID        string            `json:"returnId,omitempty" doc:"Return identifier"`
	ReplenishmentID string            `json:"replenishmentId,omitempty" doc:"Replenishment identifier"`
	BusinessKey     string            `json:"businessKey,omitempty" doc:"Identifier of the business object of another template"`
	Step            string            `json:"step,omitempty" doc:"Step, or compensation step, that it is about" example:"PAYMENT_PROCESSING"`
	Status          string            `json:"status" doc:"Status after it, of the step, saga or workflow that it is about" example:"COMPLETED"`
	StartedAt       Time              `json:"startedAt,omitzero" doc:"When the workflow or compensation started"`
	CompletedAt     Time              `json:"completedAt,omitzero" doc:"When the step, compensation or workflow ended, well or not" example:"2024-01-15T10:00:30Z"`
	Until           Time              `json:"until,omitzero" doc:"When a parked workflow is compensated unless somebody acts"`
	Result          json.RawMessage   `json:"result,omitempty" doc:"Identifiers, states, amounts and counts of what the step answered"`
	NextStep        string            `json:"nextStep,omitempty" doc:"Step that starts now" example:"ORDER_CONFIRMATION"`
	Reason          string            `json:"reason,omitempty" doc:"Reason code of the compensation, cancellation or stop" example:"PAYMENT_FAILED"`
	Error           *WebhookStepError `json:"error,omitempty" doc:"Why the step, compensation or workflow failed"`
}

// WebhookStepError is the code of a failure; the text for people is in the
// status of the workflow.
type WebhookStepError struct {
	Code string `json:"code" doc:"Error code" example:"PAYMENT_DECLINED"`
}
