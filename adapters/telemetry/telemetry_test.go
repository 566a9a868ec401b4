package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// traced is telemetry whose spans a test can look at.
func traced(t *testing.T) (*Telemetry, *tracetest.SpanRecorder) {
	t.Helper()
	tel, err := Open(t.Context(), Config{Metrics: true})
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithIDGenerator(ids{}))
	tel.tracer, tel.tracing = provider.Tracer(scope), true
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel, spans
}

func attributeOf(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

const workflowID = "wf-660e8400-e29b-41d4-a716-446655440000"

func TestWithoutAReceiverNoSpansAreMade(t *testing.T) {
	t.Parallel()
	tel, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if tel.Tracing() || tel.Handler() != nil || tel.metering {
		t.Errorf("tracing %t, metrics %v", tel.Tracing(), tel.Handler())
	}
	p := tel.Participant(Link{Service: "s", URL: "http://127.0.0.1:1"}, answering(domain.Succeeded))
	p.Send(t.Context(), domain.Dispatch{WorkflowID: workflowID})
	tel.Observer().Committed(ports.Transition{Before: &domain.State{}, After: &domain.State{}})
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnEnvironmentThatCannotBeObeyedIsNamed(t *testing.T) {
	for variable, value := range map[string]string{"OTEL_TRACES_EXPORTER": "carrier-pigeon", "OTEL_METRICS_EXPORTER": "carrier-pigeon",
		"OTEL_RESOURCE_ATTRIBUTES": "broken"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			if _, err := Open(t.Context(), Config{}); err == nil || !strings.HasPrefix(err.Error(), variable+": ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheStandardVariablesSwitchExportsOnAndOff(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want bool
	}{
		"receiver":            {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true},
		"receiver of traces":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true},
		"console":             {map[string]string{"OTEL_TRACES_EXPORTER": "console"}, true},
		"none":                {map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, false},
		"disabled":            {map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, false},
		"receiver of metrics": {map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1/v1/metrics"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_METRICS_EXPORTER", "none")
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			tel, err := Open(t.Context(), Config{})
			if err != nil {
				t.Fatal(err)
			}
			if tel.Tracing() != c.want {
				t.Errorf("tracing is %t", tel.Tracing())
			}
			if err := tel.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// answering is a participant with one answer.
type answering domain.Outcome

func (a answering) Send(context.Context, domain.Dispatch) domain.Answer {
	answer := domain.Answer{Outcome: domain.Outcome(a)}
	if answer.Outcome != domain.Succeeded {
		answer.Error = &domain.StepError{Code: "CODE", Message: "the customer lives in Main Street"}
	}
	return answer
}

func (answering) Check(context.Context) ports.DependencyHealth {
	return ports.DependencyHealth{Up: true}
}

func TestAttemptsAreBelowTheirStep(t *testing.T) {
	t.Parallel()
	tel, spans := traced(t)
	cmd := domain.Dispatch{WorkflowID: workflowID, SagaID: "saga-1", CommandID: "saga-1:1:PAY:execute", Step: "PAY", Action: "pay", Attempt: 2, FirstAttempt: 1,
		Trace: domain.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "a=b"}}
	var header http.Header
	send := participantFunc(func(ctx context.Context, _ domain.Dispatch) domain.Answer {
		header = http.Header{}
		tel.InjectHTTP(ctx, header)
		Responded(ctx, 422)
		return answering(domain.Rejected).Send(ctx, cmd)
	})
	tel.Participant(Link{Service: "payment-service", URL: "http://pay.example:9002/base/"}, send).Send(t.Context(), cmd)
	tel.Participant(Link{Service: "payment-service", Topic: "coordination.commands.payment-service", System: "nats"}, answering(domain.Succeeded)).Send(t.Context(), cmd)
	tel.Participant(Link{Service: "payment-service"}, answering(domain.Succeeded)).Send(t.Context(), cmd)
	all := spans.Ended()
	for i, want := range []struct {
		name string
		kind trace.SpanKind
	}{{"POST /pay", trace.SpanKindClient}, {"send coordination.commands.payment-service", trace.SpanKindProducer}, {"pay", trace.SpanKindInternal}} {
		s := all[i]
		if s.Name() != want.name || s.SpanKind() != want.kind || s.Parent().SpanID() != stepSpan(cmd.CommandID, 1) ||
			s.SpanContext().TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" || attributeOf(s, keyAttempt) != "2" {
			t.Errorf("%s (%s) below %s: %v", s.Name(), s.SpanKind(), s.Parent().SpanID(), s.Attributes())
		}
	}
	first := all[0]
	for key, want := range map[attribute.Key]string{"url.full": "http://pay.example:9002/base/pay", "server.address": "pay.example", "server.port": "9002",
		"http.response.status_code": "422", "error.type": "CODE", keyOutcome: "REJECTED", keyWorkflowID: workflowID, keySagaID: "saga-1"} {
		if got := attributeOf(first, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if want := "00-4bf92f3577b34da6a3ce929d0e0e4736-" + first.SpanContext().SpanID().String() + "-01"; header.Get("traceparent") != want || header.Get("tracestate") != "a=b" {
		t.Errorf("the participant gets %v, want %s", header, want)
	}
	for _, kv := range first.Attributes() {
		if strings.Contains(kv.Value.String(), "Main Street") || strings.Contains(first.Status().Description, "Main Street") {
			t.Errorf("what the participant said is in %s", kv.Key)
		}
	}
}

type participantFunc func(context.Context, domain.Dispatch) domain.Answer

func (f participantFunc) Send(ctx context.Context, cmd domain.Dispatch) domain.Answer {
	return f(ctx, cmd)
}
func (participantFunc) Check(context.Context) ports.DependencyHealth { return ports.DependencyHealth{} }

func TestATraceIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	for _, want := range []domain.Trace{{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}, {Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "a=b,c=d"}} {
		if got := traceOf(startOf(want, workflowID)); got != want {
			t.Errorf("%v became %v", want, got)
		}
	}
	derived := startOf(domain.Trace{}, workflowID)
	if derived.TraceID().String() != "660e8400e29b41d4a716446655440000" || !derived.IsSampled() || !derived.IsValid() {
		t.Errorf("a workflow without a trace has %v", derived)
	}
	tel, _ := traced(t)
	long := strings.Repeat("v", 250)
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	request.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	request.Header.Set("tracestate", "a="+long+",b="+long+",c="+long)
	ctx, _ := tel.Request(request)
	if got := traceOf(trace.SpanContextFromContext(ctx)); got.State != "" || len(got.Parent) != 55 {
		t.Errorf("a tracestate of more than %d bytes is kept: %v", wire.MaxTraceState, got)
	}
}

func TestEveryRequestHasATrace(t *testing.T) {
	t.Parallel()
	silent, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 2 {
		ctx, end := silent.Request(httptest.NewRequest(http.MethodGet, "/", nil))
		id := TraceID(ctx)
		if len(id) != 32 || seen[id] {
			t.Errorf("trace %q", id)
		}
		seen[id] = true
		end(Response{})
	}
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if ctx, _ := silent.Request(request); TraceID(ctx) != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("trace %q", TraceID(ctx))
	}
}

func TestWhatIsToldOfARequest(t *testing.T) {
	t.Parallel()
	tel, spans := traced(t)
	ctx, end := tel.Request(httptest.NewRequest(http.MethodPost, "/api/v1/callbacks/cbt_secret?q=secret", nil))
	about(ctx, workflowID)
	end(Response{Method: http.MethodPost, Route: "/api/v1/callbacks/{token}", Status: 503})
	_, end = tel.Request(httptest.NewRequest(http.MethodGet, "/livez", nil))
	end(Response{Method: http.MethodGet, Route: "/livez", Status: 200})
	_, end = tel.Request(httptest.NewRequest("BREW", "/nowhere", nil))
	end(Response{Method: "BREW", Status: 404})
	all := spans.Ended()
	if len(all) != 2 {
		t.Fatalf("%d spans", len(all))
	}
	s := all[0]
	if s.Name() != "POST /api/v1/callbacks/{token}" || s.SpanKind() != trace.SpanKindServer || attributeOf(s, "http.route") != "/api/v1/callbacks/{token}" ||
		attributeOf(s, "error.type") != "503" || attributeOf(s, keyWorkflowID) != workflowID {
		t.Errorf("%s: %v", s.Name(), s.Attributes())
	}
	for _, kv := range s.Attributes() {
		if strings.Contains(kv.Value.String(), "secret") {
			t.Errorf("%s tells the path", kv.Key)
		}
	}
	if all[1].Name() != "_OTHER" || attributeOf(all[1], "http.response.status_code") != "404" {
		t.Errorf("%s: %v", all[1].Name(), all[1].Attributes())
	}
}

func TestADeliveryIsInTheTraceOfItsWorkflow(t *testing.T) {
	t.Parallel()
	tel, spans := traced(t)
	d := Delivery{DeliveryKey: ports.DeliveryKey{WebhookID: "whk-1", WorkflowID: workflowID, Sequence: 11}, Event: "workflow.completed", Attempt: 2, Run: 1,
		Trace: domain.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, Host: "shop.example"}
	for _, c := range []struct {
		status int
		err    error
		kind   string
	}{{204, nil, ""}, {500, nil, "500"}, {0, errors.New("refused"), "_OTHER"}} {
		ctx, end := tel.Deliver(t.Context(), d)
		header := http.Header{}
		tel.InjectHTTP(ctx, header)
		end(c.status, c.err)
		s := spans.Ended()[len(spans.Ended())-1]
		if s.Name() != "webhook workflow.completed" || s.SpanKind() != trace.SpanKindClient || s.Parent().SpanID() != runSpan(workflowID, 1) ||
			attributeOf(s, "error.type") != c.kind || !strings.HasPrefix(header.Get("traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-"+s.SpanContext().SpanID().String()) {
			t.Errorf("%d: %s below %s, %v; header %v", c.status, s.Name(), s.Parent().SpanID(), s.Attributes(), header)
		}
	}
}

func TestAReplyGoesOnInTheTraceThatItCarries(t *testing.T) {
	t.Parallel()
	tel, spans := traced(t)
	for _, err := range []error{nil, ports.Poison("no")} {
		ctx, end := tel.Consume(t.Context(), "nats", "coordination.replies", &coordination.CloudEvent{ID: "e", Subject: workflowID,
			TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
		if TraceID(ctx) != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("trace %s", TraceID(ctx))
		}
		end(err)
	}
	first, second := spans.Ended()[0], spans.Ended()[1]
	if first.Name() != "process coordination.replies" || first.SpanKind() != trace.SpanKindConsumer || first.Parent().SpanID().String() != "00f067aa0ba902b7" ||
		attributeOf(first, "error.type") != "" || attributeOf(second, "error.type") != "poison" {
		t.Errorf("%s: %v, %v", first.Name(), first.Attributes(), second.Attributes())
	}
}

func TestLinesTellTheirTraceAndWorkflow(t *testing.T) {
	t.Parallel()
	tel, _ := traced(t)
	var out bytes.Buffer
	log := slog.New(LogHandler(slog.NewJSONHandler(&out, nil))).With("a", 1)
	request := httptest.NewRequest(http.MethodPost, "/", nil)
	request.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx, end := tel.Request(request)
	defer end(Response{})
	line := func(ctx context.Context, args ...any) map[string]any {
		out.Reset()
		log.InfoContext(ctx, "m", args...)
		var fields map[string]any
		if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte(logTraceID)); n > 1 {
			t.Errorf("the trace is told %d times: %s", n, out.Bytes())
		}
		return fields
	}
	if got := line(context.Background()); got[logTraceID] != nil || got[logWorkflowID] != nil {
		t.Errorf("without a trace: %v", got)
	}
	if got := line(ctx); got[logTraceID] != "4bf92f3577b34da6a3ce929d0e0e4736" || got[logSpanID] == nil || got[logWorkflowID] != nil {
		t.Errorf("in a request: %v", got)
	}
	about(ctx, workflowID)
	if got := line(ctx); got[logWorkflowID] != workflowID {
		t.Errorf("in a request about a workflow: %v", got)
	}
	if got := line(ctx, logTraceID, "own", logWorkflowID, "own"); got[logTraceID] != "own" || got[logWorkflowID] != "own" {
		t.Errorf("with its own: %v", got)
	}
}

func TestFailedExportsAreLoggedRarely(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newRare(slog.New(slog.NewTextHandler(&out, nil)))
	for range 100 {
		h.Handle(errors.New("connection refused"))
	}
	h.last = h.last.Add(-rareEvery)
	h.Handle(errors.New("connection refused"))
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "failuresBefore=99") {
		t.Errorf("%d lines: %s", n, out.String())
	}
}

func TestShutdownGivesADeadReceiverUp(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", hanging.URL)
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	tel, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, end := tel.Request(httptest.NewRequest(http.MethodGet, "/", nil))
	end(Response{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := tel.Shutdown(ctx); err != nil || time.Since(began) > FlushTimeout {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
