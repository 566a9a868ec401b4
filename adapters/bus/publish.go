package bus

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of names and headers, which every broker can carry.
const (
	MaxTopicLength       = 200
	MaxHeaders           = 32
	MaxHeaderValueLength = 1024 // bytes
)

const (
	maxIDLength         = 255 // of a key too
	maxHeaderNameLength = 64
)

var groupForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// Publish publishes a message; see ports.Publisher. The message's context
// carries ctx to the transport, since Watermill's Publish has none.
func (b *messageBus) Publish(ctx context.Context, topic string, m ports.Message) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if err := checkMessage(m); err != nil {
		return err
	}
	if b.isClosed() {
		return errClosed
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: nothing was sent: %w", ports.ErrBusDown, ctx.Err())
	}
	return b.publisher.Publish(topic, outgoing(ctx, m))
}

// outgoing is a message as a transport takes it.
func outgoing(ctx context.Context, m ports.Message) *message.Message {
	msg := message.NewMessageWithContext(ctx, m.ID, m.Body)
	for name, value := range m.Headers {
		msg.Metadata[name] = value
	}
	if m.Key != "" {
		msg.Metadata[broker.KeyMetadata] = m.Key
	}
	return msg
}

// incoming is what outgoing was made of.
func incoming(msg *message.Message) ports.Message {
	m := ports.Message{ID: msg.UUID, Key: msg.Metadata[broker.KeyMetadata], Body: msg.Payload}
	for name, value := range msg.Metadata {
		if name == broker.KeyMetadata {
			continue
		}
		if m.Headers == nil {
			m.Headers = make(map[string]string, len(msg.Metadata))
		}
		m.Headers[name] = value
	}
	return m
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ports.ErrMessageRefused}, args...)...)
}

func checkTopic(topic string) error {
	if len(topic) > MaxTopicLength || !isTopic(topic) {
		return refused("topic: want up to %d of A-Z a-z 0-9 _ - in parts separated by dots", MaxTopicLength)
	}
	return nil
}

func checkMessage(m ports.Message) error {
	switch {
	case m.ID == "" || !isName(m.ID):
		return refused("ID: want 1 to 255 printable ASCII characters without a space")
	case !isName(m.Key):
		return refused("Key: want up to 255 printable ASCII characters without a space")
	case len(m.Body) > ports.MaxMessageBytes:
		return refused("a body of %d bytes exceeds the limit of %d bytes", len(m.Body), ports.MaxMessageBytes)
	case len(m.Headers) > MaxHeaders:
		return refused("%d headers exceed the limit of %d", len(m.Headers), MaxHeaders)
	}
	for name, value := range m.Headers {
		if !isHeaderName(name) || name == broker.KeyMetadata {
			return refused("header name: want up to 64 of a-z 0-9 -, and not %s", broker.KeyMetadata)
		}
		if !isHeaderValue(value) {
			return refused("header %s: want up to %d bytes of UTF-8 without control characters or space at the ends", name, MaxHeaderValueLength)
		}
	}
	return nil
}

// isTopic reports parts of A-Z a-z 0-9 _ - separated by dots; the first
// character is none of _ and -.
func isTopic(topic string) bool {
	before := byte('.')
	for i := range len(topic) {
		switch c := topic[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '_' || c == '-') && i > 0, c == '.' && before != '.':
		default:
			return false
		}
		before = topic[i]
	}
	return before != '.'
}

// isName reports up to maxIDLength printable ASCII characters without a space.
// Every message is checked: no regular expression here.
func isName(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= maxIDLength
}

// isHeaderName reports 1 to maxHeaderNameLength of a-z 0-9 -, the first no dash.
func isHeaderName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-' && i > 0:
		default:
			return false
		}
	}
	return name != "" && len(name) <= maxHeaderNameLength
}

func isHeaderValue(value string) bool {
	return len(value) <= MaxHeaderValueLength && utf8.ValidString(value) &&
		strings.TrimSpace(value) == value && strings.IndexFunc(value, unicode.IsControl) < 0
}
