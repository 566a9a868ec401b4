package ports

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Workflows is everything that goes into the engine. Each call returns after
// its effect is committed: an acknowledged change is never lost. Errors:
// ErrNotFound, ErrOverloaded, ErrUnavailable, ErrClosed, ErrKeyReused,
// *ExistsError, *domain.StateError, *domain.StepNameError, or the context's.
type Workflows interface {
	// Start begins a workflow of a type; ErrNotFound if there is no such template.
	Start(ctx context.Context, r StartRequest) (Receipt, error)
	// Cancel stops a workflow and undoes what it did; repeated, it answers the same.
	Cancel(ctx context.Context, workflowID string, r domain.CancelRequest, key *IdempotencyKey) (Receipt, error)
	// Retry lets a PARKED or FAILED workflow go on.
	Retry(ctx context.Context, workflowID string, r domain.RetryRequest, key *IdempotencyKey) (Receipt, error)
	// Compensate undoes a saga, wholly or from a step back.
	Compensate(ctx context.Context, workflowID string, r domain.CompensateRequest, key *IdempotencyKey) (Receipt, error)
}

// Answers is the way in for what participants say later than their response.
type Answers interface {
	// Answer takes a participant's answer by callback token. ErrUnknownToken,
	// domain.ErrNotWaiting (recorded all the same if it was a late success),
	// domain.ErrOtherAnswer. The same answer again is no error.
	Answer(ctx context.Context, token string, a domain.Answer) error
	// Heartbeat asks for another timeout's worth of time. ErrUnknownToken, domain.ErrNotWaiting.
	Heartbeat(ctx context.Context, token string) error
}

// Replies is the way in for answers that a message bus brings.
type Replies interface {
	// Reply takes a participant's answer by the command's ID, which authorises
	// nothing: whoever calls it must trust where the answer came from.
	// domain.ErrUnknownCommand, domain.ErrNotWaiting and domain.ErrOtherAnswer as
	// Answers.Answer. RETRY is taken for UNKNOWN: a bus may deliver a command
	// twice, so that one delivery which did nothing proves nothing.
	Reply(ctx context.Context, commandID string, a domain.Answer) error
}

// StartRequest is what a caller gives to begin a workflow. Input is validated
// by the transport; the engine takes any JSON object.
type StartRequest struct {
	Type        string
	BusinessKey string
	CustomerID  string
	Priority    string
	Input       json.RawMessage
	Key         *IdempotencyKey
	Trace       domain.Trace // what the workflow does belongs to it; optional
}

// String says what is started, without the input, which may hold secrets.
func (r StartRequest) String() string { return r.Type + " " + r.BusinessKey }

// GoString is String.
func (r StartRequest) GoString() string { return r.String() }

// LogValue is String.
func (r StartRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// IdempotencyKey makes a repeated request answer as the first did.
type IdempotencyKey struct {
	// Scope identifies caller, route and key; a hash of at most 64 characters.
	Scope string
	// Fingerprint identifies the request's body as a JSON value; a hash of at most 64 characters.
	Fingerprint string
}

// Receipt is the workflow as of the moment an acknowledged request took
// effect. A replay by idempotency key gives the same State as the first time.
type Receipt struct {
	State    domain.State
	Events   []domain.Event
	Replayed bool
}

// Snapshot is a workflow and its whole log, as committed.
type Snapshot struct {
	State  domain.State
	Events []domain.Event
}

// Queries is everything that can be read. Reads see what is committed.
type Queries interface {
	// Workflow by ID. ErrNotFound.
	Workflow(ctx context.Context, workflowID string) (Snapshot, error)
	// Saga finds the workflow of a saga. ErrNotFound.
	Saga(ctx context.Context, sagaID string) (Snapshot, error)
	// Watch returns as soon as the workflow's version is above after, at once
	// if it is; the context's error if it ends first.
	Watch(ctx context.Context, workflowID string, after int) (Snapshot, error)
	// Await returns once the workflow has ended (COMPLETED, FAILED or
	// CANCELLED), at once if it has; the context's error if it ends first.
	Await(ctx context.Context, workflowID string) (Snapshot, error)
	// List pages through workflows.
	List(ctx context.Context, q ListQuery) (ListPage, error)
	// Metrics sums what was counted in [from, to), by bucket. Empty type: all.
	Metrics(ctx context.Context, from, to time.Time, workflowType string) ([]Count, error)
	// Templates are the templates that new workflows can use.
	Templates(ctx context.Context) []*domain.Template
	// Template finds one of them by ID, or an older one still in use. ErrNotFound.
	Template(ctx context.Context, templateID string) (*domain.Template, error)
	// TemplateOf finds the template a row is pinned to. ErrNotFound.
	TemplateOf(ctx context.Context, hash string) (*domain.Template, error)
	// Audit pages through who changed what, newest first.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
	// Health is what the service knows of itself and of what it depends on.
	Health(ctx context.Context) Health
}

// Health is the answer to: does it work, and if not, what is in the way.
type Health struct {
	// StoreUp is false when the store does not answer, or takes no writes; then
	// the service is DOWN.
	StoreUp bool
	// StoreReadOnly: it answers and takes no writes.
	StoreReadOnly bool
	Pool          string // as "8/20 active"; empty where there is no pool
	Active        int
	Stuck         int // PARKED, or without a reason to move again
	// StuckFirst are those of them that have been so longest, at most MaxStuckShown.
	StuckFirst   []StuckWorkflow
	QueueDepth   int // commands that wait to be sent
	BusUp        bool
	Dependencies map[string]DependencyHealth // by service
	CheckedAt    time.Time
}

// MaxStuckShown is how many stuck workflows health names.
const MaxStuckShown = 20

// StuckWorkflow is a workflow that does not move, and why.
type StuckWorkflow struct {
	WorkflowID string
	Type       string
	Status     domain.Status
	Step       string
	ErrorCode  string
	// Reason is that of PARKED, or OVERDUE: nothing moved it when it was due.
	Reason  string
	Since   time.Time
	Until   time.Time // of PARKED; zero: until a person acts
	Actions []string  // what may be asked of it
}

// DependencyHealth is how a participant looks from here.
type DependencyHealth struct {
	Up           bool
	ResponseTime time.Duration
	// Detail says what is wrong in words that are safe to show.
	Detail string
}
