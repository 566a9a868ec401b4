package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// What became of a change.
const (
	changeCommitted = "committed"
	changeRefused   = "refused"
	changeFailed    = "failed"
)

// Observer is what an engine tells of its work.
func (t *Telemetry) Observer() ports.Observer { return &observer{t} }

type observer struct{ t *Telemetry }

var _ ports.Observer = (*observer)(nil)

// Committed takes one transition.
func (o *observer) Committed(t ports.Transition) {
	if o.t.metering {
		o.t.in.committed(&t)
	}
	if o.t.tracing {
		o.t.trace(&t)
	}
	o.log(&t)
}

// Wrote takes one batch.
func (o *observer) Wrote(errs []error, took time.Duration) {
	if !o.t.metering {
		return
	}
	var committed, refused, failed int64
	for _, err := range errs {
		switch {
		case err == nil:
			committed++
		case errors.Is(err, ports.ErrConflict), errors.Is(err, ports.ErrBusinessKeyTaken), errors.Is(err, ports.ErrIdempotencyKeyTaken):
			refused++
		default:
			failed++
		}
	}
	ctx, in := context.Background(), o.t.in
	in.commitDuration.Record(ctx, took.Seconds())
	in.commitBatch.Record(ctx, int64(len(errs)))
	for _, came := range [...]struct {
		to string
		n  int64
	}{{changeCommitted, committed}, {changeRefused, refused}, {changeFailed, failed}} {
		if came.n > 0 {
			in.commitChanges.Add(ctx, came.n, in.byResult.of(resultLabels{keyResult, came.to}).add...)
		}
	}
}

// log warns of what waits for a person. That an order ends, well or not, is the
// business of every day.
func (o *observer) log(t *ports.Transition) {
	s := t.After
	for i := range t.Events {
		e := &t.Events[i]
		switch e.Type {
		case domain.WorkflowParked:
			more := []any{"reason", e.Reason, "step", e.Step, "errorCode", code(e.Error)}
			if !e.Until.IsZero() {
				more = append(more, "until", e.Until)
			}
			o.say(slog.LevelWarn, "workflow parked: it waits for a person", s, more...)
		case domain.WorkflowCompleted, domain.WorkflowFailed, domain.WorkflowCancelled:
			o.say(slog.LevelDebug, "workflow ended", s, "status", string(s.Status), "saga", string(s.Saga), "errorCode", failure(s))
		}
	}
}

func (o *observer) say(level slog.Level, message string, s *domain.State, more ...any) {
	ctx := context.Background()
	if !o.t.log.Enabled(ctx, level) {
		return
	}
	ctx = below(ctx, startOf(s.Trace, s.WorkflowID), runSpan(s.WorkflowID, s.Run))
	o.t.log.Log(ctx, level, message, append([]any{"workflowId", s.WorkflowID, "sagaId", s.SagaID, "type", s.Template.Type}, more...)...)
}

func code(e *domain.StepError) string {
	if e == nil {
		return ""
	}
	return e.Code
}

func failure(s *domain.State) string {
	if s.Failure == nil {
		return ""
	}
	return s.Failure.Error.Code
}

// committed counts a transition.
func (in *instruments) committed(t *ports.Transition) {
	ctx, s := context.Background(), t.After
	kind := s.Template.Type
	for i := range t.Events {
		e := &t.Events[i]
		switch e.Type {
		case domain.WorkflowStarted:
			in.workflowsStarted.Add(ctx, 1, in.byWorkflow.of(workflowLabels{workflowType: kind}).add...)
		case domain.StepAccepted, domain.UndoAccepted:
			in.attempt(s, e, domain.Accepted)
		case domain.StepDeferred, domain.UndoDeferred:
			in.attempt(s, e, domain.Deferred)
		case domain.StepRetryPlanned, domain.UndoRetryPlanned:
			in.attempt(s, e, e.Outcome)
		case domain.StepSucceeded, domain.UndoSucceeded:
			in.attempt(s, e, domain.Succeeded)
			in.step(s, e)
		case domain.StepGaveUp, domain.UndoGaveUp:
			in.attempt(s, e, e.Outcome)
			in.step(s, e)
		case domain.Compensated:
			in.compensated(s, e, domain.SagaCompensated)
		case domain.WorkflowParked:
			if s.Saga == domain.SagaCompensationFailed {
				in.compensated(s, e, domain.SagaCompensationFailed)
			}
		case domain.WorkflowCompleted, domain.WorkflowFailed, domain.WorkflowCancelled:
			labels := in.byWorkflow.of(workflowLabels{kind, string(s.Status)})
			in.workflowsEnded.Add(ctx, 1, labels.add...)
			in.workflowDuration.Record(ctx, e.At.Sub(s.StartedAt).Seconds(), labels.record...)
		}
	}
}

// attempt counts what an attempt has come to.
func (in *instruments) attempt(s *domain.State, e *domain.Event, outcome domain.Outcome) {
	_, service := find(s, e.Step)
	in.stepAttempts.Add(context.Background(), 1,
		in.byAttempt.of(attemptLabels{s.Template.Type, e.Step, service, string(outcome)}).add...)
}

// step measures a step, or undo, that is settled.
func (in *instruments) step(s *domain.State, e *domain.Event) {
	if st, _ := find(s, e.Step); st != nil {
		in.stepDuration.Record(context.Background(), e.At.Sub(st.StartedAt).Seconds(),
			in.byStep.of(stepLabels{s.Template.Type, e.Step, string(st.Status)}).record...)
	}
}

func (in *instruments) compensated(s *domain.State, e *domain.Event, state domain.SagaState) {
	if s.Compensation != nil {
		in.compensations.Record(context.Background(), e.At.Sub(s.Compensation.StartedAt).Seconds(),
			in.bySaga.of(sagaLabels{s.Template.Type, state}).record...)
	}
}

// find is the state of a step or undo, and who carries it out.
func find(s *domain.State, name string) (*domain.StepState, string) {
	for i := range s.Template.Steps {
		if s.Template.Steps[i].Name == name {
			return &s.Steps[i], s.Template.Steps[i].Service
		}
	}
	for i := range s.Template.Compensations {
		if s.Template.Compensations[i].Name == name {
			return &s.Undos[i], s.Template.Compensations[i].Service
		}
	}
	return nil, ""
}
