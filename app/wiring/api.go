package wiring

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/rest"
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

func newAPI(workflows ports.Workflows, answers ports.Answers, queries ports.Queries,
	verifier *auth.Verifier, ready *readiness, log *slog.Logger,
) (*apiServer, error) {
	handler, err := rest.New(rest.Deps{
		Workflows: workflows,
		Answers:   answers,
		Queries:   queries,
		Verify:    callers(verifier),
		Ready: func(ctx context.Context) bool {
			return ready.Load() && queries.Health(ctx).StoreUp
		},
		Logger: log,
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
		return rest.Caller{Subject: principal.Subject, Role: principal.Role, Scopes: principal.Scopes}, err
	}
}
