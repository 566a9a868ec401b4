package telemetry

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Response is how a request ended.
type Response struct {
	Method string
	Route  string // as registered; "" if no route took the request
	Status int
	// Overload: refused because too much was in hand, before Workflows or
	// Answers, which count what they refuse, were asked.
	Overload bool
}

// request is what is found out about a request while it is served.
type request struct {
	workflowID atomic.Pointer[string]
}

type requestKey struct{}

// probes are asked so often that spans of them would hide the others.
var probes = []string{"/livez", "/readyz"}

// Request begins a request to the API: its context has the span of the request
// or, where none is made, the caller's trace or a new one, so that it always has
// a trace ID. Neither path nor query are told: they may hold a callback's token.
func (t *Telemetry) Request(r *http.Request) (context.Context, func(Response)) {
	began := time.Now()
	ctx, span := t.server(r)
	ctx = context.WithValue(ctx, requestKey{}, &request{})
	method := t.in.byRequest.of(requestLabels{method: knownMethod(r.Method)})
	t.in.requestsActive.Add(ctx, 1, method.add...)
	return ctx, func(res Response) {
		t.in.requestsActive.Add(ctx, -1, method.add...)
		t.in.requestDuration.Record(t.exemplar(ctx), time.Since(began).Seconds(),
			t.in.byRequest.of(requestLabels{knownMethod(r.Method), res.Route, res.Status}).record...)
		if res.Overload {
			t.in.overloads.Add(ctx, 1, t.in.byResult.of(resultLabels{keyOperation, "request"}).add...)
		}
		endServer(span, res)
	}
}

// server is the context of a request and its span, which may be none.
func (t *Telemetry) server(r *http.Request) (context.Context, trace.Span) {
	ctx := r.Context()
	if r.Header.Get("Traceparent") != "" {
		ctx = t.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if t.tracing && !slices.Contains(probes, r.URL.Path) {
		return t.tracer.Start(ctx, knownMethod(r.Method), trace.WithSpanKind(trace.SpanKindServer))
	}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: randomTraceID(), SpanID: randomSpanID(), TraceFlags: trace.FlagsSampled}))
	}
	return ctx, trace.SpanFromContext(context.Background())
}

func endServer(span trace.Span, res Response) {
	if span.IsRecording() {
		method := knownMethod(res.Method)
		attributes := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(method), semconv.HTTPResponseStatusCode(res.Status), semconv.URLScheme("http")}
		if res.Route != "" {
			span.SetName(method + " " + res.Route)
			attributes = append(attributes, semconv.HTTPRoute(res.Route))
		}
		if res.Status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
			attributes = append(attributes, semconv.ErrorTypeKey.String(strconv.Itoa(res.Status)))
		}
		span.SetAttributes(attributes...)
	}
	span.End()
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions}

// knownMethod keeps a caller from making up labels.
func knownMethod(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "_OTHER"
}

// exemplar is the context for a measurement: one of a span that is exported.
func (t *Telemetry) exemplar(ctx context.Context) context.Context {
	if t.tracing {
		return ctx
	}
	return context.Background()
}

// about notes which workflow a request is about.
func about(ctx context.Context, workflowID string) {
	if r, ok := ctx.Value(requestKey{}).(*request); ok && workflowID != "" {
		r.workflowID.Store(&workflowID)
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(keyWorkflowID.String(workflowID))
	}
}

// TraceID is the trace ID of ctx, "" if it has none.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
