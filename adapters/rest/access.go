package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Caller is whom a verified token speaks for.
type Caller struct {
	Subject string
	// Issuer is who vouches for the subject; empty if the token does not say.
	Issuer string
	// Role is external, service or admin; any other allows nothing.
	Role string
	// Scopes narrow the role; nil leaves it whole.
	Scopes []string
}

// Verify returns whom a bearer token speaks for. ports.ErrUnavailable means
// that no token can be judged now, any other error that this one is refused.
type Verify func(ctx context.Context, token string) (Caller, error)

type callerKey struct{}

// WithCaller makes whoever serves requests with ctx believe that they come from
// c, without a token: for requests that another transport has authorised.
// Nothing that arrives over the network can have it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// rank orders the roles: each holds what the ones below it hold.
type rank int

const (
	external rank = iota + 1
	internal      // the role "service"
	admin
)

var ranks = map[string]rank{"external": external, "service": internal, "admin": admin}

// rule says who may call an operation.
type rule struct {
	// role is the least role that may; 0 together with open.
	role rank
	// scope must be among the token's scopes, if it has any.
	scope string
	// force is the least role that may call it with force, where that is more.
	force rank
	// open needs no token; the path authorises itself.
	open bool
}

// access is the whole table of who may do what, by operation. An operation
// without a row is refused to everybody, and fails a test.
var access = map[string]rule{
	"startOrderWorkflow":         {role: external, scope: "workflow:start"},
	"startReturnWorkflow":        {role: external, scope: "workflow:start"},
	"startReplenishmentWorkflow": {role: external, scope: "workflow:start"},
	"startWorkflow":              {role: external, scope: "workflow:start"},
	"getWorkflowStatus":          {role: external, scope: "workflow:read"},
	"listWorkflows":              {role: external, scope: "workflow:read"},
	"listActiveWorkflows":        {role: external, scope: "workflow:read"},
	"listWorkflowEvents":         {role: external, scope: "workflow:read"},
	"streamWorkflowEvents":       {role: external, scope: "workflow:read"},
	"cancelWorkflow":             {role: external, scope: "workflow:cancel", force: internal},
	"retryWorkflow":              {role: internal, scope: "workflow:retry"},
	"getWorkflowMetrics":         {role: internal, scope: "metrics:read"},
	"getSaga":                    {role: external, scope: "saga:read"},
	"compensateSaga":             {role: internal, scope: "saga:compensate"},
	"listWorkflowTemplates":      {role: external, scope: "template:read"},
	"getWorkflowTemplate":        {role: external, scope: "template:read"},
	"getHealth":                  {role: internal, scope: "health:read"},
	"listAudit":                  {role: admin, scope: "audit:read"},
	"createWebhook":              {role: admin, scope: "webhook:write"},
	"listWebhooks":               {role: internal, scope: "webhook:read"},
	"getWebhook":                 {role: internal, scope: "webhook:read"},
	"updateWebhook":              {role: admin, scope: "webhook:write"},
	"deleteWebhook":              {role: admin, scope: "webhook:write"},
	"rotateWebhookSecret":        {role: admin, scope: "webhook:write"},
	"listWebhookDeliveries":      {role: internal, scope: "webhook:read"},
	"redeliverWebhook":           {role: admin, scope: "webhook:write"},
	"recoverWebhook":             {role: admin, scope: "webhook:write"},
	"createBatch":                {role: admin, scope: "batch:write"},
	"listBatches":                {role: admin, scope: "batch:write"},
	"getBatch":                   {role: admin, scope: "batch:write"},
	"listBatchItems":             {role: admin, scope: "batch:write"},
	"cancelBatch":                {role: admin, scope: "batch:write"},
	"answerCallback":             {open: true},
	"sendHeartbeat":              {open: true},
}

// allows reports whether a caller may call the operation that r is the row of.
func (r rule) allows(c Caller) bool {
	switch {
	case r.open:
		return true
	case r.role == 0 || ranks[c.Role] < r.role:
		return false
	}
	return c.Scopes == nil || slices.Contains(c.Scopes, r.scope)
}

// requireForce refuses force to callers whose role does not hold it.
func requireForce(ctx context.Context, operation string) error {
	if ranks[exchangeOf(ctx).caller.Role] < access[operation].force {
		return forbidden("force needs a role that this token does not have")
	}
	return nil
}

func forbidden(message string) *apiError {
	return newError(coordination.ErrInsufficientPermissions, message, nil)
}

// challenge is the answer to a request without a valid token.
func challenge(parameters string) *apiError {
	message := "A bearer token is required"
	if parameters != "" {
		message = "The bearer token is not valid"
	}
	return newError(coordination.ErrAuthenticationRequired, message, nil).
		with("WWW-Authenticate", `Bearer realm="platform-coordination"`+parameters)
}

// authorise is the middleware that stands before every operation.
func (s *service) authorise(ctx huma.Context, next func(huma.Context)) {
	x := exchangeOf(ctx.Context())
	row := access[ctx.Operation().OperationID]
	if row.open {
		next(ctx)
		return
	}
	if err := s.check(ctx, x, row); err != nil {
		s.writeError(x, s.failure(ctx.Context(), err))
		return
	}
	if ctx.Method() != http.MethodGet {
		ctx = huma.WithContext(ctx, ports.WithActor(ctx.Context(), ports.Actor{Subject: x.caller.Subject, Role: x.caller.Role,
			Operation: ctx.Operation().OperationID, RequestID: x.requestID, TraceID: x.traceID}))
	}
	next(ctx)
}

// check finds out who calls, and refuses who calls too often or may not. What
// is refused for its role counts, too.
func (s *service) check(ctx huma.Context, x *exchange, row rule) error {
	caller, trusted := ctx.Context().Value(callerKey{}).(Caller)
	if !trusted {
		var err error
		if caller, err = s.identify(ctx); err != nil {
			return err
		}
	}
	x.caller = caller
	if !trusted {
		if err := s.count(ctx.Context(), x); err != nil {
			return err
		}
	}
	if !row.allows(caller) {
		return forbidden("The token does not allow this")
	}
	return nil
}

// identify finds out by the token who calls.
func (s *service) identify(ctx huma.Context) (Caller, error) {
	scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return Caller{}, s.loginFailed(ctx, challenge(""))
	}
	caller, err := s.Verify(ctx.Context(), strings.TrimLeft(token, " "))
	switch {
	case errors.Is(err, ports.ErrUnavailable):
		return Caller{}, err
	case err != nil:
		s.Logger.DebugContext(ctx.Context(), "token refused", "error", err)
		return Caller{}, s.loginFailed(ctx, challenge(`, error="invalid_token"`))
	}
	return caller, nil
}
