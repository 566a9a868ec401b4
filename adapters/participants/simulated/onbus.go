package simulated

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// busConcurrency is how many commands of a service are worked on at once.
const busConcurrency = 64

// ServeBus plays a service on a message bus, until ctx ends: it takes the
// commands and publishes the replies as a participant in a process of its own
// would. What metadata.simulate asks for is not on the wire, so it is not obeyed.
func (s *Services) ServeBus(ctx context.Context, bus ports.Bus, service string) error {
	return bus.Subscribe(ctx, ports.Subscription{Topic: coordination.TopicCommands(service), Group: service, Concurrency: busConcurrency,
		Handle: func(ctx context.Context, m ports.Message) error {
			reply, err := s.attend(ctx, service, m)
			if err != nil || reply == nil {
				return err
			}
			return bus.Publish(ctx, coordination.TopicReplies, *reply)
		}})
}

// attend works on a command; nil if there is nothing to say.
func (s *Services) attend(ctx context.Context, service string, m ports.Message) (*ports.Message, error) {
	e, err := cloudevents.Read(m.Body)
	if err != nil {
		return nil, ports.Poison("%v", err)
	}
	var c coordination.Command
	if e.Type != coordination.TypeCommand || json.Unmarshal(e.Data, &c) != nil {
		return nil, ports.Poison("not a command")
	}
	a := s.For(service).Send(ctx, fromWire(&c))
	if a.Outcome == domain.Unknown && a.Result == nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answer := coordination.Answer{CommandID: c.CommandID, Attempt: c.Attempt, Outcome: coordination.Outcome(a.Outcome), Result: a.Result}
	if a.Error != nil {
		answer.Error = &coordination.StepError{Code: a.Error.Code, Message: a.Error.Message}
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	reply, err := cloudevents.Message(coordination.CloudEvent{ID: c.CommandID + "/" + strconv.Itoa(c.Attempt) + "/reply",
		Type: coordination.TypeReply, Subject: c.WorkflowID, PartitionKey: c.SagaID,
		TraceParent: e.TraceParent, TraceState: e.TraceState, Data: data})
	return &reply, err
}

// fromWire is a command as it was before it was put on the wire.
func fromWire(c *coordination.Command) domain.Dispatch {
	cmd := domain.Dispatch{WorkflowID: c.WorkflowID, SagaID: c.SagaID, WorkflowType: c.WorkflowType, CommandID: c.CommandID,
		Service: c.Service, Step: c.Step, Action: c.Action, Undo: c.Direction == coordination.DirectionCompensate,
		Attempt: c.Attempt, Deadline: c.Deadline.Time, Parameters: c.Parameters, Context: c.Context}
	if c.Callback != nil {
		cmd.Token = c.Callback.Token
	}
	if f := c.Forward; f != nil {
		cmd.Forward = &domain.ForwardRef{Step: f.Step, CommandID: f.CommandID, Outcome: domain.Outcome(f.Outcome), Result: f.Result}
	}
	return cmd
}
