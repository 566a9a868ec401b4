// Package asyncapi describes what travels over the message bus: an AsyncAPI 3
// document and a JSON Schema for each message, made from the types that the
// code reads and writes.
package asyncapi

import (
	"reflect"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// message is a kind of message of the bus: a CloudEvent with data of one type.
type message struct {
	name    string // of the schema's file, without its end
	title   string // of the schema in the document
	summary string
	event   string // the type of the CloudEvent
	data    reflect.Type
	// needs are members of data that this message must have, although the type
	// leaves them out elsewhere.
	needs []string
	// needsHeaders are the headers that it always has; none of what others send.
	needsHeaders []string
	// correlation is the member that ties question and answer together; "" if none does.
	correlation string
	// asks: the message may name the topic of its answer.
	asks bool
	// examples are names of golden messages.
	examples []string
}

var messages = []message{
	{name: "command", title: "CommandEvent", summary: "Asks a participant to carry out a step, or to undo one",
		event: coordination.TypeCommand, data: reflect.TypeFor[coordination.Command](), needsHeaders: []string{"content-type", "traceparent"},
		correlation: "$message.payload#/data/commandId", examples: []string{"event-command"}},
	{name: "reply", title: "ReplyEvent", summary: "A participant's answer to a command",
		event: coordination.TypeReply, data: reflect.TypeFor[coordination.Answer](), needs: []string{"commandId", "outcome"},
		correlation: "$message.payload#/data/commandId", examples: []string{"event-reply"}},
	{name: "event", title: "WorkflowEvent", summary: "Something that happened to a workflow; each once or more, its sequence says where it belongs",
		event: coordination.TypeEvent, data: reflect.TypeFor[coordination.RecordedEvent](), needsHeaders: []string{"content-type", "traceparent"},
		examples: []string{"event-workflow"}},
	{name: "request", title: "RequestEvent", summary: "Asks the coordinator to start, cancel, retry or compensate; source and id together make it safe to send again",
		event: coordination.TypeRequest, data: reflect.TypeFor[coordination.BusRequest](), asks: true,
		correlation: "$message.payload#/id", examples: []string{"event-request-start", "event-request-cancel", "event-request-retry", "event-request-compensate"}},
	{name: "answer", title: "AnswerEvent", summary: "What the REST API would have answered to a request",
		event: coordination.TypeAnswer, data: reflect.TypeFor[coordination.BusAnswer](), needsHeaders: []string{"content-type"},
		correlation: "$message.payload#/data/requestId", examples: []string{"event-answer"}},
}

// payloads are what travels without an envelope, over HTTP, by the name of its schema.
var payloads = map[string]reflect.Type{
	"participant-command": reflect.TypeFor[coordination.Command](),
	"participant-answer":  reflect.TypeFor[coordination.Answer](),
	"webhook":             reflect.TypeFor[webhookPayload](),
}

// webhookPayload is a webhook as it is sent: an event with its seal.
type webhookPayload struct {
	webhook.Event
	Signature string `json:"signature" pattern:"^sha256=[0-9a-f]{64}$" doc:"HMAC-SHA256 over the canonical form (RFC 8785) of the payload without this member; the headers sign the whole"`
}

const (
	refPrefix = "#/components/schemas/"
	defPrefix = "#/$defs/"
)

// object is a JSON object in the making.
type object = map[string]any
