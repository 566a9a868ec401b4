package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// FirstPause is how long a message whose handler failed waits before it
	// comes again; the pause doubles with each failure, up to MaxPause.
	FirstPause = 100 * time.Millisecond
	MaxPause   = 10 * time.Second
	// MaxPanics is how often, in this process, a message may make its handler
	// panic before it is put into quarantine.
	MaxPanics = 3
	// quarantineTimeout bounds publishing to the quarantine.
	quarantineTimeout = 10 * time.Second
	// maxReasonLength bounds the reason in a header, in bytes.
	maxReasonLength = 512
)

// panicError is a handler's panic. Its text does not quote the panic's value,
// which may be part of a message, unless the runtime made it.
type panicError struct{ reason string }

func (e *panicError) Error() string { return "the handler panicked: " + e.reason }

// receive handles a delivery and acknowledges it or not; the router, which acts
// on what this returns, comes too late to change it.
func (s *subscription) receive(msg *message.Message) error {
	defer msg.Nack() // means nothing after an Ack; for a handler that ended its goroutine
	m := incoming(msg)
	switch err := s.handle(m); {
	case err == nil:
		s.faults.forget(m.ID)
		msg.Ack()
	case s.ctx.Err() == nil:
		s.pause(m, err)
	}
	return nil
}

// handle returns nil if the message is done with: handled, or in quarantine.
func (s *subscription) handle(m ports.Message) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	// The handler gets a message of its own; the quarantine the one that came.
	given := m
	given.Headers, given.Body = maps.Clone(m.Headers), slices.Clone(m.Body)
	err := s.call(given)
	reason, poison := s.judge(m.ID, err)
	if !poison {
		return err
	}
	return s.quarantine(m, reason)
}

// call calls the handler and turns a panic into an error.
func (s *subscription) call(m ports.Message) (err error) {
	defer func() {
		if value := recover(); value != nil {
			reason := fmt.Sprintf("%T", value)
			if fault, ok := value.(runtime.Error); ok {
				reason = fault.Error()
			}
			err = &panicError{reason}
			s.logger.Error("a handler of the message bus panicked",
				slog.String("id", m.ID), slog.String("panic", reason), slog.String("stack", string(debug.Stack())))
		}
	}()
	return s.wish.Handle(s.ctx, m)
}

// judge decides whether a message belongs into quarantine, and why. The
// quarantine's own messages have nowhere else to go.
func (s *subscription) judge(id string, err error) (reason string, poison bool) {
	if err == nil || s.wish.Topic == coordination.TopicQuarantine {
		return "", false
	}
	var said *ports.PoisonError
	if errors.As(err, &said) {
		return said.Reason, true
	}
	var panicked *panicError
	if errors.As(err, &panicked) && s.faults.panicked(id) >= MaxPanics {
		return panicked.Error(), true
	}
	return "", false
}

// quarantine publishes a message to the quarantine, as it is but for the
// headers that say why. An ended subscription does not stop it.
func (s *subscription) quarantine(m ports.Message, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), quarantineTimeout)
	defer cancel()
	reason = headerText(reason)
	copied := outgoing(ctx, m)
	copied.Metadata[ports.HeaderPoisonReason] = reason
	copied.Metadata[ports.HeaderPoisonTopic] = s.wish.Topic
	copied.Metadata[ports.HeaderPoisonGroup] = s.wish.Group
	if err := s.bus.publisher.Publish(coordination.TopicQuarantine, copied); err != nil {
		return fmt.Errorf("poison could not be put into quarantine: %w", err)
	}
	s.bus.quarantined(s.wish.Topic, s.wish.Group)
	s.logger.Warn("a message was put into quarantine", slog.String("id", m.ID), slog.String("reason", reason))
	return nil
}

// headerText makes a reason fit for a header.
func headerText(reason string) string {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReasonLength)], "")
	reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, reason)
	return strings.TrimSpace(reason)
}

// pause waits before a message that failed is given back, so that it does not
// come again at once. The end of the subscription cuts it short.
func (s *subscription) pause(m ports.Message, cause error) {
	pause := s.faults.failed(m.ID)
	s.logger.Warn("a message could not be handled and comes again",
		slog.String("id", m.ID), slog.Duration("pause", pause), slog.Any("error", cause))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}
