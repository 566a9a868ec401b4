package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// trace makes the spans of a transition: its commit, and the steps and the run
// that it ends.
func (t *Telemetry) trace(tr *ports.Transition) {
	start := startOf(tr.After.Trace, tr.After.WorkflowID)
	t.traceCommit(start, tr)
	if len(tr.Events) == 0 {
		return
	}
	for i := range tr.Before.Steps {
		def := &tr.After.Template.Steps[i]
		t.traceStep(start, tr, &tr.Before.Steps[i], &tr.After.Steps[i], step{name: def.Name, service: def.Service})
	}
	for i := range tr.Before.Undos {
		def := &tr.After.Template.Compensations[i]
		t.traceStep(start, tr, &tr.Before.Undos[i], &tr.After.Undos[i], step{name: def.Name, service: def.Service, undo: true})
	}
	if tr.After.Status.Terminal() && tr.Events[len(tr.Events)-1].Type.Terminal() {
		t.traceRun(start, tr)
	}
}

// traceCommit is the span of one transition's way into the store. It is below
// what caused it, if that is in the same trace, and linked to it if it is not.
func (t *Telemetry) traceCommit(start trace.SpanContext, tr *ports.Transition) {
	s := tr.After
	ctx := below(context.Background(), start, runSpan(s.WorkflowID, s.Run))
	options := []trace.SpanStartOption{trace.WithTimestamp(tr.Began)}
	if tr.Cause != nil {
		if cause := trace.SpanContextFromContext(tr.Cause); cause.TraceID() == start.TraceID() {
			ctx = trace.ContextWithRemoteSpanContext(context.Background(), cause)
		} else if cause.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: cause}))
		}
	}
	_, span := t.tracer.Start(ctx, "commit", options...)
	if span.IsRecording() {
		names := make([]string, len(tr.Events))
		for i := range tr.Events {
			names[i] = string(tr.Events[i].Type)
		}
		span.SetAttributes(append(identity(s), keyVersion.Int(s.Version), keyEvents.StringSlice(names),
			keyStatus.String(string(s.Status)), keyBatch.Int(tr.Batch))...)
	}
	span.End(trace.WithTimestamp(tr.Ended))
}

func identity(s *domain.State) []attribute.KeyValue {
	return []attribute.KeyValue{keyWorkflowID.String(s.WorkflowID), keySagaID.String(s.SagaID), keyType.String(s.Template.Type)}
}

// step is a step or undo.
type step struct {
	name, service string
	undo          bool
}

func (st step) spanName() string {
	if st.undo {
		return "compensate " + st.name
	}
	return "step " + st.name
}

// traceStep ends the span of a step, if the transition ends what its attempts
// have in common: it was in flight, and is not any more, or begins anew.
func (t *Telemetry) traceStep(start trace.SpanContext, tr *ports.Transition, before, after *domain.StepState, of step) {
	if !before.InFlight() || before.Attempt == 0 {
		return
	}
	s := tr.After
	id := stepID(tr.Before, before, of)
	if after.InFlight() && !s.Status.Terminal() && stepID(s, after, of) == id {
		return
	}
	began := before.StartedAt
	if s.ResumedAt.After(began) && before.FirstAttempt() > 1 {
		began = s.ResumedAt
	}
	ctx := withSpanID(below(context.Background(), start, runSpan(s.WorkflowID, s.Run)), id)
	_, span := t.tracer.Start(ctx, of.spanName(), trace.WithTimestamp(began))
	if span.IsRecording() {
		direction := execute
		if of.undo {
			direction = compensate
		}
		span.SetAttributes(append(identity(s), keyStep.String(of.name), keyService.String(of.service), keyDirection.String(direction),
			keyStepStatus.String(string(after.Status)), keyAttempt.Int(before.Attempt))...)
		if after.Status != domain.StepCompleted {
			fail(span, code(after.Error), string(after.Status))
		}
	}
	span.End(trace.WithTimestamp(notBefore(tr.Ended, began)))
}

// stepID is the span of a step's current budget of attempts.
func stepID(s *domain.State, st *domain.StepState, of step) trace.SpanID {
	return stepSpan(domain.CommandID(s.SagaID, st.Run, of.name, of.undo, st.Key), st.FirstAttempt())
}

// traceRun ends the span of a run.
func (t *Telemetry) traceRun(start trace.SpanContext, tr *ports.Transition) {
	s := tr.After
	began := runBegan(s)
	ctx := withSpanID(trace.ContextWithRemoteSpanContext(context.Background(), start), runSpan(s.WorkflowID, s.Run))
	_, span := t.tracer.Start(ctx, "workflow "+s.Template.Type, trace.WithTimestamp(began))
	if span.IsRecording() {
		span.SetAttributes(append(identity(s), keyBusinessKey.String(s.BusinessKey), keyRun.Int(s.Run), keyVersion.Int(s.Version),
			keyStatus.String(string(s.Status)))...)
		if s.Status != domain.Completed {
			fail(span, failure(s), string(s.Status))
		}
	}
	span.End(trace.WithTimestamp(notBefore(tr.Ended, began)))
}

// runBegan is when the current run began: with the workflow, or with the first
// thing that it did.
func runBegan(s *domain.State) time.Time {
	began := s.StartedAt
	if s.Run == 1 {
		return began
	}
	began = s.EndedAt
	for _, list := range [2][]domain.StepState{s.Steps, s.Undos} {
		for i := range list {
			if st := &list[i]; st.Run == s.Run && st.Attempt > 0 && st.StartedAt.Before(began) {
				began = st.StartedAt
			}
		}
	}
	return began
}

// notBefore keeps a span from ending before it began: the log's time may be
// ahead of this clock.
func notBefore(ended, began time.Time) time.Time {
	if ended.Before(began) {
		return began
	}
	return ended
}

// fail marks a span as failed by a code, or by what there is instead.
func fail(span trace.Span, code, otherwise string) {
	if code == "" {
		code = otherwise
	}
	span.SetStatus(codes.Error, "")
	span.SetAttributes(semconv.ErrorTypeKey.String(code))
}
