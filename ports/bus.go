package ports

import (
	"context"
	"errors"
	"fmt"
)

// MaxMessageBytes bounds the body of a message: with its headers it stays below
// 1 MiB, which is what brokers take unless they are told otherwise.
const MaxMessageBytes = 960 << 10

// Message is what a bus carries. A delivery has the ID, Key, Headers and Body
// that were published.
type Message struct {
	// ID names the message; a repeated delivery has the same one. At most 255
	// printable ASCII characters without a space.
	ID string
	// Key keeps order: of messages with one key, published one after the
	// other's Publish returned, each is first delivered after the one before
	// it. Same form as ID; empty: no order.
	Key string
	// Headers are few and short: content-type, traceparent.
	Headers map[string]string
	Body    []byte
}

// Publisher is how messages leave.
type Publisher interface {
	// Publish returns nil once the broker has taken the message into its care;
	// until then nobody may rely on it. ErrBusDown means that the broker
	// certainly did not take it, ErrMessageRefused that it never will; any other error leaves open whether it did.
	// It returns when ctx ends at the latest. A message for a topic that nobody
	// ever subscribed to may be dropped.
	Publish(ctx context.Context, topic string, m Message) error
}

// Subscription is a standing wish for the messages of a topic.
type Subscription struct {
	Topic string
	// Group shares the work: each message goes to one of the group's
	// subscribers, on any replica, and every group gets all messages from the
	// moment its first subscriber came, also those of the time in which it had
	// none. 1 to 64 of [a-z0-9-].
	Group string
	// Concurrency is how many messages may be handled at once; 0 is 1. Messages
	// with one key are not reordered by it on a bus that keeps their order.
	Concurrency int
	// Handle returns nil when what the message asks for is committed: only then
	// is it acknowledged. An error that IsPoison is true of puts the message
	// into quarantine and acknowledges it; after any other it comes again,
	// after a pause, for as long as it takes. ctx ends when the subscription does.
	Handle func(ctx context.Context, m Message) error
}

// Subscriber is how messages come in.
type Subscriber interface {
	// Subscribe begins to deliver and returns when the broker knows of the
	// group, so that nothing published from now on is missed. Deliveries go on,
	// over losses of the connection too, until ctx ends or the bus is closed.
	// Each message is delivered at least once, possibly again, possibly late.
	Subscribe(ctx context.Context, s Subscription) error
}

// Bus carries messages between services. It promises delivery only as far as
// its broker does; whoever uses it must be able to repeat what was lost.
type Bus interface {
	Publisher
	Subscriber
	// Ping reports whether the broker can be reached; ErrBusDown if not.
	Ping(ctx context.Context) error
	// Close ends all subscriptions, waits for the handlers that run and frees
	// what the bus holds; it may be called twice.
	Close() error
}

// ErrBusDown: the broker cannot be reached, or refused; nothing was published.
var ErrBusDown = errors.New("message bus unavailable")

// ErrMessageRefused: the message breaks a limit of the bus, such as
// MaxMessageBytes, which the error names; no repetition will make it good.
var ErrMessageRefused = errors.New("message refused")

// PoisonError says of a message that no repetition will make it good. Its
// reason is shown to people; it must not quote the message.
type PoisonError struct{ Reason string }

func (e *PoisonError) Error() string { return "poison message: " + e.Reason }

// Poison makes a PoisonError.
func Poison(format string, args ...any) error {
	return &PoisonError{Reason: fmt.Sprintf(format, args...)}
}

// IsPoison reports whether err says that a message is poison.
func IsPoison(err error) bool {
	var poison *PoisonError
	return errors.As(err, &poison)
}

// The headers that a message in quarantine has besides its own.
const (
	HeaderPoisonReason = "poison-reason" // why it is there
	HeaderPoisonTopic  = "poison-topic"  // where it came from
	HeaderPoisonGroup  = "poison-group"  // who could not take it
)
