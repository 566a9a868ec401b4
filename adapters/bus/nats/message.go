package nats

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
)

const (
	keyHeader = broker.KeyMetadata
	idHeader  = "message-id"
)

// received is a message as Watermill wants it.
func received(ctx context.Context, m jetstream.Msg) *message.Message {
	headers := m.Headers()
	msg := message.NewMessageWithContext(ctx, first(headers[idHeader]), m.Data())
	for name, values := range headers {
		if name != idHeader {
			msg.Metadata[name] = first(values)
		}
	}
	return msg
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
