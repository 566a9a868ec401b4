// Package busclient carries commands to participants over the message bus, as
// saga-participant/1 describes: one event per command on the service's topic,
// its answer on the topic of replies, to whichever replica gets it.
package busclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// CodeBusUnavailable is the error code of a command that could not be published.
	CodeBusUnavailable = "BUS_UNAVAILABLE"
	// downPause is how long a command is put off when the broker is down; that
	// costs no attempt.
	downPause = 2 * time.Second
	// MaxPublishWait is how long the broker's confirmation is waited for.
	MaxPublishWait = 10 * time.Second
)

// Bus is what a client needs of a message bus.
type Bus interface {
	ports.Publisher
	Ping(ctx context.Context) error
}

// Client is the participant behind one topic.
type Client struct {
	bus       Bus
	topic     string
	callbacks string
	// Inject gives the trace context of ctx, if there is one; see httpclient.
	inject func(ctx context.Context) (traceparent, tracestate string)
}

var _ ports.Participant = (*Client)(nil)

// Config says which service a client stands for.
type Config struct {
	Service string
	// CallbackBaseURL is where participants may answer instead of by a reply.
	CallbackBaseURL string
	// Inject gives the W3C trace context of ctx; optional: without it, or where
	// it gives "", a workflow is a trace.
	Inject func(ctx context.Context) (traceparent, tracestate string)
}

// New makes a client that publishes on bus.
func New(bus Bus, cfg Config) *Client {
	return &Client{bus: bus, topic: coordination.TopicCommands(cfg.Service), callbacks: cfg.CallbackBaseURL, inject: cfg.Inject}
}

// Send publishes a command. The outcome is Sent once the broker has it: the
// answer comes by another way. Deferred if it certainly has it not; Unknown if
// that is in doubt.
func (c *Client) Send(ctx context.Context, cmd domain.Dispatch) domain.Answer {
	m, err := c.message(ctx, &cmd)
	if err != nil {
		return domain.Answer{Outcome: domain.ContractError, Error: &domain.StepError{Code: "COMMAND_NOT_ENCODED", Message: err.Error()}}
	}
	ctx, cancel := context.WithTimeout(ctx, MaxPublishWait)
	defer cancel()
	switch err := c.bus.Publish(ctx, c.topic, m); {
	case err == nil:
		return domain.Answer{Outcome: domain.Sent}
	case errors.Is(err, ports.ErrBusDown):
		return failed(domain.Deferred, "the message bus is unavailable", downPause)
	case errors.Is(err, ports.ErrMessageRefused):
		return failed(domain.ContractError, err.Error(), 0)
	default:
		return failed(domain.Unknown, "the message bus did not confirm the command", 0)
	}
}

func failed(outcome domain.Outcome, message string, wait time.Duration) domain.Answer {
	return domain.Answer{Outcome: outcome, RetryAfter: wait, Error: &domain.StepError{Code: CodeBusUnavailable, Message: message}}
}

func (c *Client) message(ctx context.Context, cmd *domain.Dispatch) (ports.Message, error) {
	attempt := strconv.Itoa(cmd.Attempt)
	trace := wire.Within(wire.TraceOf(cmd.Trace, cmd.WorkflowID), cmd.CommandID+"#"+attempt)
	e := coordination.CloudEvent{ID: cmd.CommandID + "/" + attempt, Type: coordination.TypeCommand, Subject: cmd.WorkflowID,
		PartitionKey: cmd.SagaID, TraceParent: trace.Parent, TraceState: trace.State,
		Data: protocol.Command(cmd, c.callbacks)}
	if c.inject != nil {
		if parent, state := c.inject(ctx); parent != "" {
			e.TraceParent, e.TraceState = parent, state
		}
	}
	return cloudevents.Message(e)
}

// Check reports whether the message bus can be reached. Whether anybody takes
// the commands is not known.
func (c *Client) Check(ctx context.Context) ports.DependencyHealth {
	began := time.Now()
	if err := c.bus.Ping(ctx); err != nil {
		return ports.DependencyHealth{Detail: "the message bus cannot be reached"}
	}
	return ports.DependencyHealth{Up: true, ResponseTime: time.Since(began)}
}

// String names the client for messages.
func (c *Client) String() string { return fmt.Sprintf("topic %s", c.topic) }
