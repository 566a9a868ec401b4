package telemetry

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Kinds of errors of messages.
const (
	errDown    = "bus_down"
	errRefused = "message_refused"
	errPoison  = "poison"
	errOther   = "_OTHER"
	// otherTopic stands for topics that callers choose, such as those of answers.
	otherTopic = "_OTHER"
)

// systems are the buses as messaging.system names them, by the scheme of --bus.
var systems = map[string]string{"memory": "memory", "nats": "nats", "kafka": "kafka", "amqp": "rabbitmq", "amqps": "rabbitmq",
	"postgres": "postgresql", "postgresql": "postgresql"}

// BusSystem names the message bus of a URL.
func BusSystem(busURL string) string {
	scheme, _, _ := strings.Cut(busURL, ":")
	return systems[scheme]
}

// Bus measures what is published on a message bus and what is taken from it.
func (t *Telemetry) Bus(system string, next ports.Bus) ports.Bus { return &bus{next, t, system} }

type bus struct {
	ports.Bus
	t      *Telemetry
	system string
}

// Publish publishes a message.
func (b *bus) Publish(ctx context.Context, topic string, m ports.Message) error {
	began := time.Now()
	err := b.Bus.Publish(ctx, topic, m)
	labels := b.t.in.byMessage.of(messageLabels{b.system, "send", knownTopic(topic), "", errorType(err)})
	b.t.in.messagesSent.Add(ctx, 1, labels.add...)
	b.t.in.sendDuration.Record(b.t.exemplar(ctx), time.Since(began).Seconds(), labels.record...)
	return err
}

// Subscribe measures the handling of every message.
func (b *bus) Subscribe(ctx context.Context, s ports.Subscription) error {
	handle := s.Handle
	if handle == nil {
		return b.Bus.Subscribe(ctx, s)
	}
	s.Handle = func(ctx context.Context, m ports.Message) (err error) {
		began := time.Now()
		err = errors.New("panic") // unless the handler returns
		defer func() {
			labels := b.t.in.byMessage.of(messageLabels{b.system, "process", knownTopic(s.Topic), s.Group, errorType(err)})
			b.t.in.messagesConsumed.Add(ctx, 1, labels.add...)
			b.t.in.processDuration.Record(ctx, time.Since(began).Seconds(), labels.record...)
		}()
		err = handle(ctx, m)
		return err
	}
	return b.Bus.Subscribe(ctx, s)
}

// knownTopic is a topic as a label: of those that are ours there are few.
func knownTopic(topic string) string {
	switch topic {
	case coordination.TopicReplies, coordination.TopicEvents, coordination.TopicRequests, coordination.TopicQuarantine:
		return topic
	}
	if strings.HasPrefix(topic, coordination.TopicCommands("")) {
		return topic
	}
	return otherTopic
}

func errorType(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ports.ErrBusDown):
		return errDown
	case errors.Is(err, ports.ErrMessageRefused):
		return errRefused
	case ports.IsPoison(err):
		return errPoison
	}
	return errOther
}

// Quarantined counts a message that was put into quarantine.
func (t *Telemetry) Quarantined(topic, group string) {
	t.in.quarantined.Add(context.Background(), 1, t.in.byMessage.of(messageLabels{topic: knownTopic(topic), group: group}).add...)
}

// Consume begins to handle a CloudEvent in the trace that it carries.
func (t *Telemetry) Consume(ctx context.Context, system, topic string, e *coordination.CloudEvent) (context.Context, func(error)) {
	if !t.tracing {
		return ctx, func(error) {}
	}
	ctx = t.propagator.Extract(ctx, propagation.MapCarrier{"traceparent": e.TraceParent, "tracestate": e.TraceState})
	ctx, span := t.tracer.Start(ctx, "process "+topic, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(semconv.MessagingSystemKey.String(system), semconv.MessagingDestinationName(topic), semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(e.ID), keyWorkflowID.String(e.Subject))
	}
	return ctx, func(err error) {
		if kind := errorType(err); kind != "" {
			span.SetStatus(codes.Error, "")
			span.SetAttributes(semconv.ErrorTypeKey.String(kind))
		}
		span.End()
	}
}
