// Package cloudevents writes and reads the envelope of every message on the
// bus: CloudEvents 1.0, JSON format, structured mode.
package cloudevents

import (
	"errors"
	"fmt"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Source is the source of everything that a coordinator sends.
const Source = "/platform-coordination"

// MaxAttributeLength bounds id, source and type of what is read.
const MaxAttributeLength = 255

// Headers of a message.
const (
	headerContentType = "content-type"
	headerTrace       = "traceparent"
)

// What can be wrong with an envelope. None of the errors quotes it.
var (
	ErrNotJSON  = errors.New("not a CloudEvent in JSON")
	ErrVersion  = errors.New("specversion: want " + coordination.CloudEventsVersion)
	ErrNoData   = errors.New("data: missing")
	errRequired = "%s: want 1 to 255 characters"
)

// Message makes the message of an event: specversion, source and content type
// are filled in, its ID and key are those of the event. Its Data must be valid JSON.
func Message(e coordination.CloudEvent) (ports.Message, error) {
	e.SpecVersion, e.Source, e.DataContentType = coordination.CloudEventsVersion, Source, "application/json"
	body, err := Encode(&e)
	if err != nil {
		return ports.Message{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	headers := map[string]string{headerContentType: coordination.ContentTypeCloudEvent}
	if e.TraceParent != "" {
		headers[headerTrace] = e.TraceParent
	}
	return ports.Message{ID: e.ID, Key: e.PartitionKey, Headers: headers, Body: body}, nil
}

// Read reads an envelope and checks what every one must have. Attributes that
// are not known are ignored, as the specification demands. Data is a copy.
func Read(body []byte) (coordination.CloudEvent, error) {
	e, err := decode(body)
	if err != nil {
		return coordination.CloudEvent{}, err
	}
	if e.SpecVersion != coordination.CloudEventsVersion {
		return coordination.CloudEvent{}, ErrVersion
	}
	for _, a := range [3]struct{ name, value string }{{"id", e.ID}, {"source", e.Source}, {"type", e.Type}} {
		if a.value == "" || len(a.value) > MaxAttributeLength {
			return coordination.CloudEvent{}, fmt.Errorf(errRequired, a.name)
		}
	}
	if len(e.Data) == 0 || string(e.Data) == "null" {
		return coordination.CloudEvent{}, ErrNoData
	}
	return e, nil
}
