package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Headers of requests and responses.
const (
	headerRequestID         = "X-Request-Id"
	headerTraceParent       = "Traceparent"
	headerRetryAfter        = "Retry-After"
	headerReplayed          = "Idempotency-Replayed"
	headerPreferenceApplied = "Preference-Applied"
)

// exchange is one request and its response: what the outermost layer knows and
// handlers need. It is the ResponseWriter that everything below writes to.
type exchange struct {
	http.ResponseWriter
	status    int
	route     string // as registered, never the path itself: a path may hold a callback token
	requestID string
	traceID   string // 32 hexadecimal digits
	caller    Caller
	admitted  *admission // where it has a place; nil if it has none
	overload  bool       // it was refused here because too much was in hand
}

// Served is how a request ended.
type Served struct {
	Method string
	Route  string // as registered, with the base path; "" if no route took the request
	Status int
	// Overload: it was refused because too much was in hand, before any port
	// was asked, which may refuse for the same reason and tells so itself.
	Overload bool
}

type exchangeKey struct{}

// exchangeOf is the exchange that ctx belongs to.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{traceID: strings.Repeat("0", traceIDLength)}
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader notes the status on its way.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the response has begun.
func (x *exchange) Write(data []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(data)
}

// Flush sends what was written so far.
func (x *exchange) Flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }

// writeBy moves the deadline for writing the response.
func (x *exchange) writeBy(t time.Time) {
	if x.ResponseWriter != nil {
		_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(t)
	}
}

const traceIDLength = 32

// requestIDPattern is what a caller's request ID must look like to be kept.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// traceID is the caller's W3C trace ID, or a new one.
func traceID(traceParent string) string {
	if trace, _, ok := wire.ParseTraceParent(traceParent); ok {
		return trace
	}
	return randomHex()
}

func randomHex() string {
	var id [traceIDLength / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// grouped prints 32 hexadecimal digits like a UUID.
func grouped(id string) string {
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// observe is the outermost layer: it gives every response its request ID, turns
// a panic into an error and writes the access log, which holds neither bodies
// nor paths.
func (s *service) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, requestID: r.Header.Get(headerRequestID)}
		if !requestIDPattern.MatchString(x.requestID) {
			x.requestID = randomHex()
		}
		ctx, end := r.Context(), func(Served) {}
		if s.Observe != nil {
			ctx, end = s.Observe(r)
		}
		if s.TraceID != nil {
			x.traceID = s.TraceID(ctx)
		}
		if len(x.traceID) != traceIDLength {
			x.traceID = traceID(r.Header.Get(headerTraceParent))
		}
		w.Header().Set(headerRequestID, x.requestID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
		started := s.Clock.Now()
		defer func() {
			panicked := recover()
			defer func() { end(x.served(r)) }()
			s.finish(x, r, started, panicked)
		}()
		next.ServeHTTP(x, r)
	})
}

// served is how the exchange ended. A handler that wrote nothing has sent 200.
func (x *exchange) served(r *http.Request) Served {
	status := x.status
	if status == 0 {
		status = http.StatusOK
	}
	_, route, _ := strings.Cut(x.route, " ") // without the method
	return Served{Method: r.Method, Route: route, Status: status, Overload: x.overload}
}

// panicText says what a panic was without its value, which may be part of a request.
func panicText(value any) string {
	if fault, ok := value.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", value)
}

// finish ends an exchange, well or by a panic.
func (s *service) finish(x *exchange, r *http.Request, started time.Time, panicked any) {
	ctx := r.Context()
	if panicked != nil {
		if panicked == http.ErrAbortHandler {
			panic(panicked)
		}
		s.Logger.ErrorContext(ctx, "panic in a request handler", "panic", panicText(panicked), "route", x.route,
			"trace_id", x.traceID, "stack", string(debug.Stack()))
		if x.status != 0 { // too late for another answer: break the connection off
			panic(http.ErrAbortHandler)
		}
		s.writeError(x, newError(coordination.ErrInternal, "internal error", nil))
	}
	if s.Logger.Enabled(ctx, slog.LevelDebug) {
		s.Logger.DebugContext(ctx, "request", "method", r.Method, "route", x.route, "status", x.status,
			"duration", s.Clock.Now().Sub(started), "requestId", x.requestID, "trace_id", x.traceID, "subject", x.caller.Subject)
	}
}
