// Package inbound takes what comes in over the message bus: participants'
// replies, and requests. Each message is acknowledged after its effect is
// committed, so that none is lost; that it may come again does no harm.
package inbound

import (
	"context"
	"errors"
	"log/slog"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// Group is the consumer group of all replicas of a coordinator.
	Group = "coordinator"
	// ReplyConcurrency is how many replies are handled at once: enough for a
	// group commit to be worth it.
	ReplyConcurrency = 256
	// RequestConcurrency is how many requests are handled at once.
	RequestConcurrency = 64
)

// Replies takes participants' answers.
type Replies struct {
	To     ports.Replies
	Logger *slog.Logger
	// Begin, if set, is told of each reply before it is taken, with the context
	// that it gives, and of what came of it.
	Begin func(context.Context, *coordination.CloudEvent) (context.Context, func(error))
}

// Subscription is what Replies wants of the bus.
func (r *Replies) Subscription() ports.Subscription {
	return ports.Subscription{Topic: coordination.TopicReplies, Group: Group, Concurrency: ReplyConcurrency, Handle: r.Handle}
}

// Handle takes one reply. What cannot be read, or answers no command there is,
// is poison; an answer that comes too late or again changes nothing.
func (r *Replies) Handle(ctx context.Context, m ports.Message) error {
	e, err := cloudevents.Read(m.Body)
	if err != nil {
		return ports.Poison("%v", err)
	}
	if r.Begin == nil {
		return r.take(ctx, &e)
	}
	ctx, end := r.Begin(ctx, &e)
	err = r.take(ctx, &e)
	end(err)
	return err
}

func (r *Replies) take(ctx context.Context, e *coordination.CloudEvent) error {
	if e.Type != coordination.TypeReply {
		return ports.Poison("type: want %s", coordination.TypeReply)
	}
	commandID, answer, err := protocol.Reply(e.Data)
	if err != nil {
		return ports.Poison("data: %v", err)
	}
	err = r.To.Reply(ctx, commandID, answer)
	switch {
	case errors.Is(err, domain.ErrUnknownCommand):
		return ports.Poison("data.commandId: no such command")
	case errors.Is(err, domain.ErrNotWaiting):
		return nil
	case errors.Is(err, domain.ErrOtherAnswer):
		r.Logger.WarnContext(ctx, "a second, different reply changes nothing", "workflowId", e.Subject, "outcome", answer.Outcome)
		return nil
	}
	return err
}
