package telemetry

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
)

// ids makes random IDs, but for spans whose ID was decided before.
type ids struct{}

var _ sdktrace.IDGenerator = ids{}

type spanIDKey struct{}

// withSpanID has the next span that is started with ctx get an ID.
func withSpanID(ctx context.Context, id trace.SpanID) context.Context {
	return context.WithValue(ctx, spanIDKey{}, id)
}

// NewIDs is called for the first span of a trace.
func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id := randomTraceID()
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID is called for the others.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if id, ok := ctx.Value(spanIDKey{}).(trace.SpanID); ok {
		return id
	}
	return randomSpanID()
}

func randomTraceID() (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1) // not all zeros
	return id
}

func randomSpanID() (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}

// spanOf is the ID of the span of that name.
func spanOf(name string) trace.SpanID {
	id, _ := trace.SpanIDFromHex(wire.Span(name)) // 16 digits, as it wants
	return id
}

// runSpan is the span of a run of a workflow.
func runSpan(workflowID string, run int) trace.SpanID {
	return spanOf(workflowID + "/run/" + strconv.Itoa(run))
}

// stepSpan is the span of a step or undo, of all attempts of one budget.
func stepSpan(commandID string, firstAttempt int) trace.SpanID {
	return spanOf(commandID + "/from/" + strconv.Itoa(firstAttempt))
}

// startOf is the span in whose trace all that a workflow does belongs: that of
// the request which started it.
func startOf(t domain.Trace, workflowID string) trace.SpanContext {
	t = wire.TraceOf(t, workflowID) // whose form is fixed
	var c trace.SpanContextConfig
	c.TraceID, _ = trace.TraceIDFromHex(t.Parent[3:35])
	c.SpanID, _ = trace.SpanIDFromHex(t.Parent[36:52])
	flags, _ := strconv.ParseUint(t.Parent[53:], 16, 8)
	c.TraceFlags, c.Remote = trace.TraceFlags(flags), true
	if t.State != "" {
		c.TraceState, _ = trace.ParseTraceState(t.State) // none if it is broken
	}
	return trace.NewSpanContext(c)
}

// below is a context in which spans are started below one of a workflow's spans.
func below(ctx context.Context, start trace.SpanContext, parent trace.SpanID) context.Context {
	return trace.ContextWithRemoteSpanContext(ctx, start.WithSpanID(parent))
}

// traceOf is the trace context of a span as a workflow keeps it.
func traceOf(sc trace.SpanContext) domain.Trace {
	if !sc.IsValid() {
		return domain.Trace{}
	}
	t := domain.Trace{Parent: "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + (sc.TraceFlags() & trace.FlagsSampled).String()}
	if state := sc.TraceState().String(); len(state) <= wire.MaxTraceState {
		t.State = state
	}
	return t
}
