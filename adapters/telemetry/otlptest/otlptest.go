// Package otlptest is a receiver of OpenTelemetry's protocol (OTLP over HTTP,
// protobuf) for tests: it keeps what is exported to it.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxBody bounds one export.
const maxBody = 64 << 20

// Receiver takes exports of all signals. It may be used by several goroutines.
type Receiver struct {
	server *httptest.Server

	mu     sync.Mutex
	spans  []Span
	bodies []string
}

// Span is a span as it was exported.
type Span struct {
	TraceID, SpanID, Parent string // hexadecimal; Parent is "" for a root
	Name                    string
	Kind                    string // SERVER, CLIENT, PRODUCER, CONSUMER or INTERNAL
	Start, End              time.Time
	Failed                  bool
	// Attributes are texts, integers and lists of texts.
	Attributes map[string]any
	// Links are the IDs of the traces that the span is linked to.
	Links []string
	// Resource is who exported the span.
	Resource map[string]any
}

// New starts a receiver that ends with the test.
func New(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	tb.Cleanup(r.server.Close)
	return r
}

// URL is what OTEL_EXPORTER_OTLP_ENDPOINT must be.
func (r *Receiver) URL() string { return r.server.URL }

// Spans are all spans so far, in the order of their start.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.spans)
	slices.SortStableFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return all
}

// Trace is the spans of one trace, in the order of their start.
func (r *Receiver) Trace(id string) []Span {
	return slices.DeleteFunc(r.Spans(), func(s Span) bool { return s.TraceID != id })
}

// Text is everything that was received, as it came: texts are in it as they
// are, so that a test can look for what must not be there.
func (r *Receiver) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.bodies, "\n")
}

func (r *Receiver) serve(w http.ResponseWriter, request *http.Request) {
	body, err := read(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, string(body))
	if request.URL.Path == "/v1/traces" {
		var export collectortrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.keep(&export)
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty message: all was taken
}

func read(request *http.Request) ([]byte, error) {
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	return io.ReadAll(io.LimitReader(body, maxBody))
}

func (r *Receiver) keep(export *collectortrace.ExportTraceServiceRequest) {
	for _, of := range export.ResourceSpans {
		resource := attributes(of.Resource.GetAttributes())
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.spans = append(r.spans, span(s, resource))
			}
		}
	}
}

func span(s *tracepb.Span, resource map[string]any) Span {
	out := Span{TraceID: hex.EncodeToString(s.TraceId), SpanID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), Name: s.Name,
		Kind:  strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_"),
		Start: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
		Failed:     s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Attributes: attributes(s.Attributes), Resource: resource}
	for _, l := range s.Links {
		out.Links = append(out.Links, hex.EncodeToString(l.TraceId))
	}
	return out
}

func attributes(list []*common.KeyValue) map[string]any {
	out := make(map[string]any, len(list))
	for _, kv := range list {
		switch v := kv.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			out[kv.Key] = v.IntValue
		case *common.AnyValue_BoolValue:
			out[kv.Key] = v.BoolValue
		case *common.AnyValue_ArrayValue:
			var texts []string
			for _, one := range v.ArrayValue.GetValues() {
				texts = append(texts, one.GetStringValue())
			}
			out[kv.Key] = texts
		}
	}
	return out
}
