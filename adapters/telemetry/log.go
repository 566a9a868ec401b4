package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Names of what is added to log lines: those of OpenTelemetry for formats that
// are not its own, and the API's for the workflow.
const (
	logTraceID    = "trace_id"
	logSpanID     = "span_id"
	logWorkflowID = "workflowId"
)

// LogHandler adds the trace, the span and, as far as it is known, the workflow
// of a line's context to the line, unless it has them.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

// Handle adds and passes on.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	about, _ := ctx.Value(requestKey{}).(*request)
	if !sc.IsValid() && about == nil {
		return h.Handler.Handle(ctx, r)
	}
	var traced, named bool
	r.Attrs(func(a slog.Attr) bool {
		traced = traced || a.Key == logTraceID
		named = named || a.Key == logWorkflowID
		return true
	})
	r = r.Clone()
	if sc.IsValid() {
		if !traced {
			r.AddAttrs(slog.String(logTraceID, sc.TraceID().String()))
		}
		r.AddAttrs(slog.String(logSpanID, sc.SpanID().String()))
	}
	if about != nil && !named {
		if id := about.workflowID.Load(); id != nil {
			r.AddAttrs(slog.String(logWorkflowID, *id))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the handler around the one with more attributes.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler around the one with a group.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
