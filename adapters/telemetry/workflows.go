package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Workflows has workflows belong to the trace of the request that starts them,
// links other requests to it, and counts refusals.
func (t *Telemetry) Workflows(next ports.Workflows) ports.Workflows { return &workflows{next, t} }

type workflows struct {
	next ports.Workflows
	t    *Telemetry
}

var _ ports.Workflows = (*workflows)(nil)

// Start begins a workflow. Who starts one without a request gets a span of its own.
func (w *workflows) Start(ctx context.Context, r ports.StartRequest) (ports.Receipt, error) {
	if w.t.tracing && !trace.SpanContextFromContext(ctx).IsValid() {
		var span trace.Span
		ctx, span = w.t.tracer.Start(ctx, "start "+r.Type, trace.WithAttributes(keyType.String(r.Type)))
		defer span.End()
	}
	r.Trace = traceOf(trace.SpanContextFromContext(ctx))
	receipt, err := w.next.Start(ctx, r)
	return w.done(ctx, "start", receipt, err)
}

// Cancel stops a workflow.
func (w *workflows) Cancel(ctx context.Context, id string, r domain.CancelRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	about(ctx, id)
	receipt, err := w.next.Cancel(ctx, id, r, key)
	return w.done(ctx, "cancel", receipt, err)
}

// Retry lets a workflow go on.
func (w *workflows) Retry(ctx context.Context, id string, r domain.RetryRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	about(ctx, id)
	receipt, err := w.next.Retry(ctx, id, r, key)
	return w.done(ctx, "retry", receipt, err)
}

// Compensate undoes a saga.
func (w *workflows) Compensate(ctx context.Context, id string, r domain.CompensateRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	about(ctx, id)
	receipt, err := w.next.Compensate(ctx, id, r, key)
	return w.done(ctx, "compensate", receipt, err)
}

// done joins a request to the workflow that it was about.
func (w *workflows) done(ctx context.Context, operation string, receipt ports.Receipt, err error) (ports.Receipt, error) {
	if errors.Is(err, ports.ErrOverloaded) {
		w.t.in.overloads.Add(ctx, 1, w.t.in.byResult.of(resultLabels{keyOperation, operation}).add...)
	}
	if err != nil {
		return receipt, err
	}
	about(ctx, receipt.State.WorkflowID)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		start := startOf(receipt.State.Trace, receipt.State.WorkflowID)
		if start.TraceID() != span.SpanContext().TraceID() {
			span.AddLink(trace.Link{SpanContext: start})
		}
	}
	return receipt, nil
}

// Answers notes which workflow a callback is about.
func (t *Telemetry) Answers(next ports.Answers) ports.Answers { return &answers{next, t} }

type answers struct {
	next ports.Answers
	t    *Telemetry
}

var _ ports.Answers = (*answers)(nil)

// Answer takes a participant's answer.
func (a *answers) Answer(ctx context.Context, token string, answer domain.Answer) error {
	err := a.next.Answer(ctx, token, answer)
	a.done(ctx, "callback", token, err)
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(keyOutcome.String(string(answer.Outcome)))
	}
	return err
}

// Heartbeat asks for more time.
func (a *answers) Heartbeat(ctx context.Context, token string) error {
	err := a.next.Heartbeat(ctx, token)
	a.done(ctx, "heartbeat", token, err)
	return err
}

func (a *answers) done(ctx context.Context, operation, token string, err error) {
	if errors.Is(err, ports.ErrOverloaded) {
		a.t.in.overloads.Add(ctx, 1, a.t.in.byResult.of(resultLabels{keyOperation, operation}).add...)
	}
	if errors.Is(err, ports.ErrUnknownToken) {
		return // it may name any workflow
	}
	if id, _, err := domain.ParseCallbackToken(token); err == nil {
		about(ctx, id)
	}
}
