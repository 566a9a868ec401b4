package rabbitmq

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
)

const (
	contentType = "content-type"
	// maxShortString bounds AMQP's short strings, in bytes.
	maxShortString = 255
)

// publishing is a message as RabbitMQ takes it: the ID is the property
// message-id, all metadata are headers. The content type is a property too, for
// the tools that look there.
func publishing(m *message.Message) amqp.Publishing {
	headers := make(amqp.Table, len(m.Metadata))
	for name, value := range m.Metadata {
		headers[name] = value
	}
	p := amqp.Publishing{MessageId: m.UUID, DeliveryMode: amqp.Persistent, Headers: headers, Body: m.Payload}
	if kind := m.Metadata[contentType]; len(kind) <= maxShortString {
		p.ContentType = kind
	}
	return p
}

// received is a message as Watermill wants it. Others may publish too, with
// headers that are no strings.
func received(ctx context.Context, d *amqp.Delivery) *message.Message {
	m := message.NewMessageWithContext(ctx, d.MessageId, d.Body)
	for name, value := range d.Headers {
		m.Metadata[name] = text(value)
	}
	if d.ContentType != "" && m.Metadata[contentType] == "" {
		m.Metadata[contentType] = d.ContentType
	}
	return m
}

func key(d *amqp.Delivery) string {
	value, ok := d.Headers[broker.KeyMetadata]
	if !ok {
		return ""
	}
	return text(value)
}

func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	return fmt.Sprint(value)
}
