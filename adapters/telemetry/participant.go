package telemetry

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Directions of a command.
const (
	execute    = "execute"
	compensate = "compensate"
)

// Link says how a participant is reached.
type Link struct {
	Service string
	URL     string // over HTTP: without the action
	Topic   string // over the bus
	System  string // the bus's, as messaging.system names it
}

// Participant makes each command that is sent to a participant a span, an
// attempt of its step, and measures it.
func (t *Telemetry) Participant(l Link, next ports.Participant) ports.Participant {
	p := &participant{next: next, t: t, link: l, kind: trace.SpanKindInternal}
	switch address, err := url.Parse(l.URL); {
	case l.Topic != "":
		p.kind, p.name = trace.SpanKindProducer, "send "+l.Topic
		p.attributes = []attribute.KeyValue{semconv.MessagingSystemKey.String(l.System), semconv.MessagingDestinationName(l.Topic),
			semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend}
	case l.URL != "" && err == nil:
		p.kind = trace.SpanKindClient
		p.attributes = []attribute.KeyValue{semconv.HTTPRequestMethodPost, semconv.ServerAddress(address.Hostname())}
		if port, err := strconv.Atoi(address.Port()); err == nil {
			p.attributes = append(p.attributes, semconv.ServerPort(port))
		}
	}
	return p
}

type participant struct {
	next       ports.Participant
	t          *Telemetry
	link       Link
	kind       trace.SpanKind
	name       string // "" takes the action's
	attributes []attribute.KeyValue
}

var _ ports.Participant = (*participant)(nil)

// Send delivers a command.
func (p *participant) Send(ctx context.Context, cmd domain.Dispatch) domain.Answer {
	began := time.Now()
	ctx, span := p.begin(ctx, &cmd)
	a := p.next.Send(ctx, cmd)
	p.t.in.commandDuration.Record(p.t.exemplar(ctx), time.Since(began).Seconds(),
		p.t.in.byCommand.of(commandLabels{p.link.Service, cmd.Step, direction(&cmd), string(a.Outcome)}).record...)
	endAttempt(span, &a)
	return a
}

// Check reports whether the participant can be reached.
func (p *participant) Check(ctx context.Context) ports.DependencyHealth { return p.next.Check(ctx) }

func direction(cmd *domain.Dispatch) string {
	if cmd.Undo {
		return compensate
	}
	return execute
}

// begin starts the span of an attempt below that of its step.
func (p *participant) begin(ctx context.Context, cmd *domain.Dispatch) (context.Context, trace.Span) {
	if !p.t.tracing {
		return ctx, trace.SpanFromContext(context.Background())
	}
	ctx = below(ctx, startOf(cmd.Trace, cmd.WorkflowID), stepSpan(cmd.CommandID, cmd.FirstAttempt))
	ctx, span := p.t.tracer.Start(ctx, p.nameOf(cmd), trace.WithSpanKind(p.kind))
	if !span.IsRecording() {
		return ctx, span
	}
	span.SetAttributes(p.attributes...)
	span.SetAttributes(keyWorkflowID.String(cmd.WorkflowID), keySagaID.String(cmd.SagaID), keyType.String(cmd.WorkflowType),
		keyStep.String(cmd.Step), keyService.String(p.link.Service), keyDirection.String(direction(cmd)),
		keyCommandID.String(cmd.CommandID), keyAttempt.Int(cmd.Attempt))
	switch p.kind {
	case trace.SpanKindClient:
		span.SetAttributes(semconv.URLFull(strings.TrimRight(p.link.URL, "/")+"/"+cmd.Action), semconv.URLTemplate("/"+cmd.Action))
	case trace.SpanKindProducer:
		span.SetAttributes(semconv.MessagingMessageID(cmd.CommandID + "/" + strconv.Itoa(cmd.Attempt)))
	}
	return ctx, span
}

func (p *participant) nameOf(cmd *domain.Dispatch) string {
	switch {
	case p.name != "":
		return p.name
	case p.kind == trace.SpanKindClient:
		return "POST /" + cmd.Action
	}
	return cmd.Action
}

// endAttempt ends the span of an attempt. What was not done, or is in doubt, is
// an error; its message is the participant's and stays with the workflow.
func endAttempt(span trace.Span, a *domain.Answer) {
	if span.IsRecording() {
		span.SetAttributes(keyOutcome.String(string(a.Outcome)))
		switch a.Outcome {
		case domain.Succeeded, domain.Accepted, domain.Sent:
		default:
			kind := string(a.Outcome)
			if a.Error != nil && a.Error.Code != "" {
				kind = a.Error.Code
			}
			span.SetStatus(codes.Error, "")
			span.SetAttributes(semconv.ErrorTypeKey.String(kind))
		}
	}
	span.End()
}

// InjectHTTP adds the headers of ctx's span, if it has one.
func (t *Telemetry) InjectHTTP(ctx context.Context, h http.Header) {
	t.propagator.Inject(ctx, propagation.HeaderCarrier(h))
}

// Inject gives the W3C trace context of ctx's span, "" if it has none.
func (t *Telemetry) Inject(ctx context.Context) (traceparent, tracestate string) {
	carrier := propagation.MapCarrier{}
	t.propagator.Inject(ctx, carrier)
	return carrier["traceparent"], carrier["tracestate"]
}

// Responded notes the status of an HTTP response on the span of its request.
func Responded(ctx context.Context, status int) {
	trace.SpanFromContext(ctx).SetAttributes(semconv.HTTPResponseStatusCode(status))
}
