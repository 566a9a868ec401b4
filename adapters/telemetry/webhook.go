package telemetry

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Delivery is an attempt to tell a webhook of an event.
type Delivery struct {
	ports.DeliveryKey
	Event   string
	Attempt int          // from 1
	Trace   domain.Trace // of the workflow
	Run     int          // of the workflow, when the event happened
	Host    string       // of the webhook's URL; nothing else of it
}

// Deliver begins an attempt to tell a webhook of an event: a span in the trace
// of its workflow. InjectHTTP has the receiver go on in it. end takes the status
// of the response, 0 if there was none.
func (t *Telemetry) Deliver(ctx context.Context, d Delivery) (_ context.Context, end func(status int, err error)) {
	if !t.tracing {
		return ctx, func(int, error) {}
	}
	ctx = below(ctx, startOf(d.Trace, d.WorkflowID), runSpan(d.WorkflowID, d.Run))
	ctx, span := t.tracer.Start(ctx, "webhook "+d.Event, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(keyWorkflowID.String(d.WorkflowID), keyVersion.Int(d.Sequence), keyEvent.String(d.Event), keyWebhookID.String(d.WebhookID),
			keyAttempt.Int(d.Attempt), semconv.HTTPRequestMethodPost, semconv.ServerAddress(d.Host))
	}
	return ctx, func(status int, err error) {
		if status > 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		}
		if err != nil || status < 200 || status > 299 {
			fail(span, statusText(status), errOther)
		}
		span.End()
	}
}

// Delivered records an attempt that Deliver began: how long it took, and the
// status that the delivery has after it.
func (t *Telemetry) Delivered(event string, status ports.DeliveryStatus, took time.Duration) {
	if t.metering {
		t.in.deliveryDuration.Record(context.Background(), took.Seconds(), t.in.byDelivery.of(deliveryLabels{event, string(status)}).record...)
	}
}

type deliveryLabels struct{ event, status string }

func (l deliveryLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyEvent.String(l.event), keyDelivery.String(l.status)}
}

func statusText(status int) string {
	if status == 0 {
		return ""
	}
	return strconv.Itoa(status)
}
