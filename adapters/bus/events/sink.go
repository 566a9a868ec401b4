// Package events brings the events of workflows to the message bus.
package events

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Sink publishes each event of a workflow as a CloudEvent whose data is the
// event as the API shows it. The key is the saga, so that a bus keeps the order;
// the ID is the same whenever the event is published again.
type Sink struct{ bus ports.Publisher }

var _ ports.EventSink = (*Sink)(nil)

// New makes a sink.
func New(bus ports.Publisher) *Sink { return &Sink{bus} }

// Emit publishes one event; see ports.EventSink.
func (s *Sink) Emit(ctx context.Context, e ports.EmittedEvent) error {
	data, err := json.Marshal(wire.Recorded(e.Template, e.WorkflowID, e.Sequence, e.Event))
	if err != nil {
		return err
	}
	id := e.WorkflowID + ":" + strconv.Itoa(e.Sequence)
	trace := wire.TraceOf(e.Trace, e.WorkflowID)
	m, err := cloudevents.Message(coordination.CloudEvent{ID: id, Type: coordination.TypeEvent, Subject: e.WorkflowID,
		Time: coordination.At(e.Event.At), PartitionKey: e.SagaID, TraceParent: trace.Parent, TraceState: trace.State, Data: data})
	if err != nil {
		return err
	}
	return s.bus.Publish(ctx, coordination.TopicEvents, m)
}
