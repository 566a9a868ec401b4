package wiring

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/ratelimit"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/ports"
)

// api is the REST API over the engine.
var api = fx.Module("api", fx.Provide(newReadiness, newAPI))

// readiness is whether this replica takes new requests: from the end of its
// start to the beginning of its stop.
type readiness struct{ atomic.Bool }

func newReadiness() *readiness { return &readiness{} }

// apiServer is the HTTP server of the API.
type apiServer struct{ *http.Server }

func newAPI(s config.Service, workflows ports.Workflows, answers ports.Answers, queries ports.Queries, subscriptions ports.Webhooks, jobs ports.BatchJobs,
	quotas ports.Store, verifier *auth.Verifier, ready *readiness, t *telemetry.Telemetry, log *slog.Logger,
) (*apiServer, error) {
	limit, failed, err := limits(s, quotas, log)
	if err != nil {
		return nil, err
	}
	handler, err := rest.New(rest.Deps{
		Workflows: workflows,
		Answers:   answers,
		Queries:   queries,
		Webhooks:  subscriptions,
		Batches:   jobs,
		Verify:    callers(verifier),
		Limit:     limit, LoginFailed: failed,
		Ready: func(ctx context.Context) bool {
			return ready.Load() && queries.Health(ctx).StoreUp
		},
		TraceID: telemetry.TraceID,
		Observe: observed(t),
		Logger:  log,
	})
	if err != nil {
		return nil, err
	}
	return &apiServer{rest.Server("", handler)}, nil
}

// callers lets the verifier of tokens say to the API who calls.
func callers(verifier *auth.Verifier) rest.Verify {
	return func(ctx context.Context, token string) (rest.Caller, error) {
		principal, err := verifier.Verify(ctx, token)
		return rest.Caller{Subject: principal.Subject, Issuer: principal.Issuer, Role: principal.Role, Scopes: principal.Scopes}, err
	}
}

// limits are those of --rate-limit; nil if it is off.
func limits(s config.Service, quotas ports.Quotas, log *slog.Logger) (rest.Limit, rest.LoginFailed, error) {
	if s.RateLimit == config.Off {
		return nil, nil, nil
	}
	limiter, err := ratelimit.New(ratelimit.Config{Logger: log}, quotas)
	if err != nil {
		return nil, nil, err
	}
	limit := func(ctx context.Context, c rest.Caller) (rest.Allowance, error) {
		v, err := limiter.Take(ctx, ratelimit.Subject{Issuer: c.Issuer, Role: c.Role, Name: c.Subject})
		return rest.Allowance{Refused: !v.Allowed, Policy: v.Class, Quota: v.Quota, Window: v.Window, Reset: v.Reset, Remaining: v.Remaining}, err
	}
	return limit, ratelimit.NewFailures(nil).Failed, nil
}
