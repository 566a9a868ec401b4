// Package broker is what stands between the bus and the brokers: each broker
// has a package beside this one that opens a Transport.
package broker

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// KeyMetadata is the metadata member of a Watermill message that holds the key
// of a ports.Message; its UUID is the ID, every other member is a header.
const KeyMetadata = "partition-key"

// Transport is one broker behind Watermill's interfaces.
type Transport interface {
	// Publisher publishes messages one by one. Its Publish returns nil once the
	// broker has confirmed, ports.ErrBusDown if the broker certainly did not
	// get the message, and by the time the message's context ends.
	Publisher() message.Publisher
	// Subscriber subscribes for a group of competing consumers. Up to
	// concurrency messages of a topic are out at once, before they are
	// acknowledged; those with one key keep their order. A message that is not
	// acknowledged, for whatever reason, comes again.
	Subscriber(group string, concurrency int) (message.Subscriber, error)
	// Ping reports whether the broker can be reached; ports.ErrBusDown if not.
	Ping(ctx context.Context) error
	// Close frees what the transport holds; it may be called twice.
	Close() error
}
