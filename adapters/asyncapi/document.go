package asyncapi

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/firstviscount/platform-coordination/adapters/schema"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// Version is the version of the specification that the document follows
// (https://www.asyncapi.com/docs/reference/specification/v3.0.0).
const Version = "3.0.0"

const about = `What the coordinator sends and receives over a message bus, from its own point of view:
an operation with the action send is one that it publishes.

Every message is a CloudEvent 1.0 in structured mode, with at most %d bytes. It is delivered at least
once; messages with one partition key, the saga's id, keep their order as far as the broker does. The
coordinator's database is the truth: a command that a broker loses is sent again, and what it repeats
changes nothing. docs/message-bus.md says more, and what is promised with which broker.

Messages are not signed: the broker says who may publish and read what. Give every program a user of
its own with only the topics that it needs, and encrypt the connections.`

// Document is the AsyncAPI document in YAML; services are the names of those that
// there are commands for.
func Document(services []string) ([]byte, error) {
	tree, err := document(services)
	if err != nil {
		return nil, err
	}
	return schema.YAML(schema.WholeNumbers(tree), "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components")
}

func document(services []string) (object, error) {
	types := []reflect.Type{reflect.TypeFor[coordination.CloudEvent]()}
	for _, m := range messages {
		types = append(types, m.data)
	}
	schemas, err := definitions(refPrefix, types...)
	if err != nil {
		return nil, err
	}
	described := object{}
	for i := range messages {
		m := &messages[i]
		schemas[m.title] = m.envelope(schemas, refPrefix)
		if described[m.name], err = m.describe(); err != nil {
			return nil, err
		}
	}
	delete(schemas, envelopeName)
	described["quarantined"] = quarantined()
	return object{
		"asyncapi": Version,
		"info": object{"title": "Platform Coordination message bus", "version": "1.0.0", "description": fmt.Sprintf(about, ports.MaxMessageBytes),
			"license": object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}},
		"defaultContentType": coordination.ContentTypeCloudEvent,
		"servers":            servers(),
		"channels":           channels(services),
		"operations":         operations(),
		"components":         object{"messages": described, "schemas": schemas, "securitySchemes": securitySchemes()},
	}, nil
}

// describe is the message as a component of the document.
func (m *message) describe() (object, error) {
	d := object{"name": m.event, "title": m.title, "summary": m.summary, "contentType": coordination.ContentTypeCloudEvent,
		"payload": reference(refPrefix + m.title), "headers": m.headers(), "bindings": messageBindings()}
	if m.correlation != "" {
		d["correlationId"] = object{"location": m.correlation}
	}
	var examples []any
	for _, name := range m.examples {
		var payload any
		if err := json.Unmarshal(golden.Message(name), &payload); err != nil {
			return nil, fmt.Errorf("golden message %s: %w", name, err)
		}
		examples = append(examples, object{"name": name, "payload": payload})
	}
	d["examples"] = examples
	return d, nil
}

func text(description string) object { return object{"type": "string", "description": description} }

// headers are what travels beside the body. The coordinator sets them; of
// others it needs none, but without a key there is no order.
func (m *message) headers() object {
	contentType := text("Of the body")
	contentType["const"] = coordination.ContentTypeCloudEvent
	h := object{"type": "object", "properties": object{
		"content-type":  contentType,
		"traceparent":   text("W3C trace context, as in the CloudEvent"),
		"message-id":    text("The id of the CloudEvent: a header with NATS and Kafka, the property message-id with RabbitMQ, a column with PostgreSQL"),
		"partition-key": text("The partitionkey of the CloudEvent: a header with NATS and RabbitMQ, the record's key with Kafka, a column with PostgreSQL"),
	}}
	if m.needsHeaders != nil {
		h["required"] = m.needsHeaders
	}
	return h
}

// quarantined is a message that no repetition would make good: as it came, with
// the reason in its headers.
func quarantined() object {
	return object{"name": "quarantined", "title": "A message in quarantine", "contentType": "application/octet-stream",
		"summary": "A message that its receiver could never take, as it came, with its own headers and these",
		"headers": object{"type": "object", "properties": object{
			ports.HeaderPoisonReason: text("Why it is there; never quotes the message"),
			ports.HeaderPoisonTopic:  text("The topic it came from"),
			ports.HeaderPoisonGroup:  text("Who could not take it: coordinator, or a service"),
		}, "required": []string{ports.HeaderPoisonReason, ports.HeaderPoisonTopic, ports.HeaderPoisonGroup}},
		"payload": object{"description": "Any bytes"}}
}
