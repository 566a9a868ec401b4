package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/firstviscount/platform-coordination/ports"
)

// BasePath is where the API is served.
const BasePath = "/api/v1"

// Timeouts and limits of a server; see Server.
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 15 * time.Second
	WriteTimeout      = 30 * time.Second
	IdleTimeout       = 60 * time.Second
	MaxHeaderBytes    = 16 << 10
	// RequestTimeout is how long a handler may take, beside what the caller asked to wait.
	RequestTimeout = 25 * time.Second
	// bodyTimeout is how long a body may take to arrive.
	bodyTimeout = 10 * time.Second
)

// Deps is what the API stands on. Workflows, Answers, Queries, Webhooks, Batches
// and Verify are required.
type Deps struct {
	Workflows ports.Workflows
	Answers   ports.Answers
	Queries   ports.Queries
	Webhooks  ports.Webhooks
	Batches   ports.BatchJobs
	// Verify judges bearer tokens.
	Verify Verify
	// Limit counts the requests of each caller, but for those of WithCaller; nil
	// limits nobody.
	Limit Limit
	// LoginFailed counts the requests without a valid token; nil limits nobody.
	LoginFailed LoginFailed
	// Ready reports whether requests can be served now: by default whether the
	// store answers.
	Ready func(context.Context) bool
	// TraceID is the trace ID of a request, 32 hexadecimal digits, or "" if
	// nothing traces it; by default that of its traceparent header, or a new one.
	TraceID func(context.Context) string
	// Observe, if set, is told of each request before it is served, with the
	// context that it gives, and of its end.
	Observe func(*http.Request) (context.Context, func(Served))
	// Logger hears of what went wrong; nobody if nil.
	Logger *slog.Logger
	// Clock tells the time; the system's if nil.
	Clock ports.Clock
}

// service is the API: its dependencies and the little it keeps itself.
type service struct {
	Deps
	api       huma.API
	usage     usage
	streams   atomic.Int64
	waiting   atomic.Int64
	keepAlive time.Duration

	callers, participants admission
}

// New returns the handler of everything that the API's address serves: the API
// under BasePath, /livez and /readyz, /docs, and the OpenAPI documents. The
// error envelope of this package becomes huma's for the whole process.
func New(d Deps) (http.Handler, error) {
	if d.Workflows == nil || d.Answers == nil || d.Queries == nil || d.Webhooks == nil || d.Batches == nil || d.Verify == nil {
		return nil, errors.New("rest: Workflows, Answers, Queries, Webhooks, Batches and Verify are required")
	}
	s := newService(d)
	mux := http.NewServeMux()
	s.register(mux)
	s.serveDocuments(mux)
	mux.HandleFunc("GET /livez", live)
	mux.HandleFunc("GET /readyz", s.ready)
	return s.observe(s.admit(s.route(mux))), nil
}

func newService(d Deps) *service {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = systemClock{}
	}
	if d.Ready == nil {
		d.Ready = func(ctx context.Context) bool { return d.Queries.Health(ctx).StoreUp }
	}
	return &service{Deps: d, keepAlive: KeepAlive}
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// Server is an HTTP server with the limits that this API is made for.
func Server(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: handler,
		ReadHeaderTimeout: ReadHeaderTimeout, ReadTimeout: ReadTimeout, WriteTimeout: WriteTimeout, IdleTimeout: IdleTimeout,
		MaxHeaderBytes: MaxHeaderBytes, DisableGeneralOptionsHandler: true,
	}
}

// useStrictHuma sets what huma keeps in package variables: strict names, and
// errors in our envelope.
var useStrictHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = humaError
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaError(nil, status, message, errs...)
	}
})

// register builds the API and puts its operations on mux.
func (s *service) register(mux *http.ServeMux) {
	useStrictHuma()
	s.api = humago.NewWithPrefix(mux, BasePath, huma.Config{
		OpenAPI:                      newOpenAPI(),
		Formats:                      map[string]huma.Format{contentTypeJSON: {Marshal: marshal, Unmarshal: unmarshal}},
		DefaultFormat:                contentTypeJSON,
		RejectUnknownQueryParameters: true,
	})
	s.api.UseMiddleware(s.authorise)
	s.operations()
	completeOpenAPI(s.api.OpenAPI())
}

// marshal writes a response body.
func marshal(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// operation joins a route to its handler: it bounds the handler's time and
// turns its errors into answers.
func operation[I, O any](s *service, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = MaxBodyBytes + 1 // huma refuses a body that reaches its limit
	op.BodyReadTimeout = bodyTimeout
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		timeout := RequestTimeout
		if waiting, ok := any(in).(interface{ wait() time.Duration }); ok {
			timeout += waiting.wait()
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		out, err := handler(ctx, in)
		if err != nil {
			return nil, s.failure(ctx, err)
		}
		return out, nil
	})
}
