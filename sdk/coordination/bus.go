package coordination

import (
	"encoding/json"
)

// The topics of the message bus. Commands of a service are on
// [TopicCommands] of its name.
const (
	TopicReplies    = "coordination.replies"
	TopicEvents     = "coordination.events"
	TopicRequests   = "coordination.requests"
	TopicQuarantine = "coordination.quarantine"
)

// TopicCommands is where a service finds its commands.
func TopicCommands(service string) string { return "coordination.commands." + service }

// The types of the events on the bus, all CloudEvents 1.0 in structured mode.
const (
	TypeCommand = "com.firstviscount.coordination.command.v1" // data: Command
	TypeReply   = "com.firstviscount.coordination.reply.v1"   // data: Answer with its CommandID
	TypeEvent   = "com.firstviscount.coordination.event.v1"   // data: RecordedEvent
	TypeRequest = "com.firstviscount.coordination.request.v1" // data: BusRequest
	TypeAnswer  = "com.firstviscount.coordination.answer.v1"  // data: BusAnswer
)

// CloudEventsVersion is the version of the specification that all messages follow.
const CloudEventsVersion = "1.0"

// ContentTypeCloudEvent is the media type of a message's body.
const ContentTypeCloudEvent = "application/cloudevents+json"

// CloudEvent is the envelope of every message: CloudEvents 1.0, JSON format,
// structured mode (https://github.com/cloudevents/spec). PartitionKey,
// TraceParent and TraceState are the documented extensions of those names;
// ReplyTo is ours. Receivers ignore attributes that they do not know.
type CloudEvent struct {
	SpecVersion     string          `json:"specversion" doc:"Version of the CloudEvents specification" enum:"1.0" example:"1.0"`
	ID              string          `json:"id" minLength:"1" maxLength:"255" doc:"Unique for the source; the same if the message is sent again" example:"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute/1"`
	Source          string          `json:"source" minLength:"1" maxLength:"255" doc:"Who sends, a URI reference" example:"/platform-coordination"`
	Type            string          `json:"type" doc:"What the data is" example:"com.firstviscount.coordination.command.v1"`
	Subject         string          `json:"subject,omitempty" doc:"Workflow the message is about" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Time            Time            `json:"time,omitzero" doc:"When it was made" example:"2026-01-15T10:00:06Z"`
	DataContentType string          `json:"datacontenttype,omitempty" doc:"Always JSON" example:"application/json"`
	PartitionKey    string          `json:"partitionkey,omitempty" doc:"Messages with one key keep their order; the saga's id" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	TraceParent     string          `json:"traceparent,omitempty" doc:"W3C trace context" example:"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"`
	TraceState      string          `json:"tracestate,omitempty" doc:"W3C trace context"`
	ReplyTo         string          `json:"replyto,omitempty" doc:"With a request: the topic for the answer" example:"coordination.answers.shop"`
	Data            json.RawMessage `json:"data" doc:"What the type says"`
}

// BusOperation is what a request on the bus asks for.
type BusOperation string

// The operations that can be asked for over the bus.
const (
	OperationStart      BusOperation = "START"
	OperationCancel     BusOperation = "CANCEL"
	OperationRetry      BusOperation = "RETRY"
	OperationCompensate BusOperation = "COMPENSATE"
)

// BusRequest asks over the bus for what the REST API offers; source and id of
// its CloudEvent are the idempotency key. The answer goes to the topic that the
// CloudEvent's replyto names, if it names one.
type BusRequest struct {
	Operation  BusOperation    `json:"operation" doc:"What is asked for" enum:"START,CANCEL,RETRY,COMPENSATE" example:"START"`
	Type       string          `json:"type,omitempty" doc:"With START: the workflow type" example:"ORDER_FULFILLMENT"`
	WorkflowID string          `json:"workflowId,omitempty" doc:"With CANCEL and RETRY" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	SagaID     string          `json:"sagaId,omitempty" doc:"With COMPENSATE" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
	Body       json.RawMessage `json:"body,omitempty" doc:"The body of the same request over REST"`
}

// BusAnswer answers a BusRequest: what REST would have answered.
type BusAnswer struct {
	RequestID string          `json:"requestId" doc:"The id of the request's CloudEvent" example:"req-1"`
	Status    int             `json:"status" doc:"The HTTP status of the same request over REST" example:"201"`
	Body      json.RawMessage `json:"body" doc:"The body of the response over REST"`
}
