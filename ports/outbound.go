package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Committer is the one way to write a workflow.
type Committer interface {
	// Commit writes a batch of changes and returns one error per change, in
	// order. Each change is atomic: all of its parts are durable when its error
	// is nil, and none is visible when its error is ErrConflict,
	// ErrBusinessKeyTaken or ErrIdempotencyKeyTaken. Such a refusal leaves the
	// others of the batch committed. Any other error leaves open whether the
	// change was committed; load the workflow to know. A batch holds at most
	// one change per workflow and at most MaxBatch changes.
	//
	// A change is refused with ErrConflict unless the stored version is
	// Expected and the stored owner is Holder; a start (Expected 0), if its
	// workflow exists.
	Commit(ctx context.Context, batch []Change) []error
}

// MaxBatch is how many changes one Commit takes.
const MaxBatch = 256

// Change is what one transition of one workflow writes.
type Change struct {
	// Expected is the version the change was decided on; 0 starts a workflow.
	Expected int
	// Holder is the owner that the change's maker last saw; "" is nobody.
	Holder string
	// Row replaces the stored row; its Version is Expected plus the number of
	// events, or Expected if only the owner or due time changes.
	Row Row
	// Events is the encoded list of events Expected+1 … Row.Version; empty if there are none.
	Events []byte
	// Idempotency is written with the change, if set.
	Idempotency *IdempotencyRecord
	// Counts are added to the metrics.
	Counts []Count
	// Owes, on a change after which the workflow has ended, remembers it in the
	// Outbox until its last events are published. Keeper is the replica that
	// will see to that, "" if it is whoever claims it.
	Owes   bool
	Keeper string
	// Notices become deliveries of the subscriptions that want them.
	Notices []Notice
	// Audit is written with the change, if set.
	Audit *AuditEntry
}

// Row is what can be asked of a workflow without reading its events.
type Row struct {
	WorkflowID   string
	SagaID       string
	Type         string
	TemplateHash string
	BusinessKey  string // "" claims no business key
	CustomerID   string
	Priority     string
	Status       domain.Status
	Saga         domain.SagaState
	CurrentStep  string
	SettledSteps int
	TotalSteps   int
	ErrorCode    string // of the last failure; "" if none
	Metadata     json.RawMessage
	Version      int
	// Published is the version up to which the events are known to have
	// reached the message bus; it may lag behind.
	Published int
	Run       int
	StartedAt time.Time
	UpdatedAt time.Time // never before StartedAt
	EndedAt   time.Time // zero while active
	// Owner is the replica that holds the workflow; "" is nobody.
	Owner string
	// DueAt is when an unheld workflow must be claimed; zero: never (ended, or
	// parked until a person acts). Stores index it, so it stays zero while held.
	DueAt time.Time
	// WakeAt is when the holder means to look at it again; never indexed.
	WakeAt time.Time
}

// Record is a stored workflow: its row and the encoded event lists in order.
type Record struct {
	Row    Row
	Events [][]byte
}

// IdempotencyRecord ties a request to what it did. The response is not stored:
// it is a function of the workflow at Version. That of a redelivery is a function
// of its target; a recovery's WorkflowID is the subscription.
type IdempotencyRecord struct {
	Scope       string
	Fingerprint string
	WorkflowID  string
	Version     int
	CreatedAt   time.Time
}

// Of is the record with another Version; nil if r is.
func (r *IdempotencyRecord) Of(version int) *IdempotencyRecord {
	if r == nil {
		return nil
	}
	record := *r
	record.Version = version
	return &record
}

// Loader reads single workflows, as committed. ErrNotFound where there is none.
type Loader interface {
	Load(ctx context.Context, workflowID string) (Record, error)
	// WorkflowOfSaga finds the workflow of a saga.
	WorkflowOfSaga(ctx context.Context, sagaID string) (string, error)
	// BusinessKeyHolder finds the active or COMPLETED workflow of a type with a business key.
	BusinessKeyHolder(ctx context.Context, workflowType, businessKey string) (string, error)
	// Idempotency finds a record by scope.
	Idempotency(ctx context.Context, scope string) (IdempotencyRecord, error)
	// PurgeIdempotency removes up to limit records made before t whose
	// workflows have ended, and returns how many it removed.
	PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error)
}

// Leaser hands workflows to replicas. Time is the store's, never the caller's.
type Leaser interface {
	// Renew makes the replica live for ttl from now.
	Renew(ctx context.Context, replica string, ttl time.Duration) error
	// Claim takes over up to limit active workflows that nobody holds and that
	// are due, or whose holder's lease has run out, and returns them with
	// Owner set to replica and DueAt zero. No two claims return the same
	// workflow unless its holder's lease ran out between them. A later change
	// of the earlier holder is refused with ErrConflict.
	Claim(ctx context.Context, replica string, limit int) ([]Record, error)
	// Release gives up everything the replica holds, due at once, and every
	// outbox entry, delivery and batch it keeps, and ends its lease.
	Release(ctx context.Context, replica string) error
}

// Outbox remembers ended workflows whose last events are still to be published.
// An active workflow needs no entry: whoever holds it publishes its events.
type Outbox interface {
	// Published removes the entries of workflows whose events have all been
	// published; an entry made by a later change than Version stays. Unknown
	// ones are ignored. At most MaxBatch.
	Published(ctx context.Context, done []Published) error
	// ClaimOwed takes over up to limit entries that have no keeper or whose
	// keeper's lease has run out, oldest first, and returns their workflows. No
	// two claims return the same entry unless its keeper's lease ran out between them.
	ClaimOwed(ctx context.Context, replica string, limit int) ([]Record, error)
	// Owed counts the entries, up to MaxCount.
	Owed(ctx context.Context) (int, error)
}

// Published names a workflow and the version up to which its events have
// reached the message bus.
type Published struct {
	WorkflowID string
	Version    int
}

// Lister answers lists. It must stay fast however many workflows have ended.
type Lister interface {
	List(ctx context.Context, q ListQuery) (ListPage, error)
}

// SortField is what a list can be ordered by.
type SortField string

// The sort fields.
const (
	SortStartedAt SortField = "startedAt"
	SortUpdatedAt SortField = "updatedAt"
	SortStatus    SortField = "status"
	SortType      SortField = "type"
	SortPriority  SortField = "priority" // LOW < NORMAL < HIGH
)

// MaxCount bounds how far a list counts ended workflows that a filter selects.
const MaxCount = 10_000

// ListQuery selects workflows; empty members select all.
type ListQuery struct {
	ActiveOnly  bool
	Type        string
	Status      domain.Status
	CustomerID  string
	Priority    string
	BusinessKey string
	Step        string
	ErrorCode   string
	// Stuck selects what Monitor.Live counts as stuck with this grace; 0: all.
	Stuck         time.Duration
	StartedAfter  time.Time // inclusive
	StartedBefore time.Time // exclusive
	UpdatedBefore time.Time // exclusive; for how long nothing has happened
	Sort          SortField // default startedAt
	Ascending     bool
	Offset        int
	Limit         int // 1 to 100
	// Cursor continues after the last row of an earlier page with the same
	// filters and order; Offset must then be 0.
	Cursor string
	// Now is what the age of active workflows is measured to.
	Now time.Time
}

// ListPage is one page and the summary of everything the filters select.
// Ties of the sort field are ordered by workflow ID, in the same direction.
type ListPage struct {
	Rows       []Row
	NextCursor string // "" on the last page
	Total      int    // exact up to MaxCount for filters over ended workflows
	ByType     map[string]int
	ByStatus   map[string]int
	// AverageAge is the mean of (EndedAt or Now) − StartedAt over the selection.
	AverageAge time.Duration
}

// Count is an increment of a metric, or the sum of such increments: written
// with the change that causes it, never recomputed by scanning.
type Count struct {
	Bucket time.Time // the UTC hour
	Type   string    // workflow type
	Name   CountName
	Label  string // step, error code or reason, depending on the name
	N      int64
	Total  time.Duration // sum of durations, where the name has one
}

// CountName names a metric.
type CountName string

// The metrics that are counted.
const (
	CountStarted            CountName = "started"
	CountCompleted          CountName = "completed"           // Total: start to end
	CountFailed             CountName = "failed"              // Total: start to end
	CountCancelled          CountName = "cancelled"           // Total: start to end
	CountStepCompleted      CountName = "step.completed"      // Label: step; Total: its duration
	CountStepFailed         CountName = "step.failed"         // Label: step
	CountStepFailure        CountName = "step.failure"        // Label: step + "|" + error code
	CountCompensated        CountName = "compensated"         // Label: reason; Total: its duration
	CountCompensationFailed CountName = "compensation.failed" // Label: reason
)

// CountedOther stands for all reasons that are not written as codes:
// capital letters, digits and underscores.
const CountedOther = "OTHER"

// Meter reads the sums of counts.
type Meter interface {
	// Counts sums the counts with from <= Bucket < to by bucket, type, name
	// and label. Empty type: all.
	Counts(ctx context.Context, from, to time.Time, workflowType string) ([]Count, error)
}

// TemplateStore keeps every template that a workflow was ever started with.
type TemplateStore interface {
	// SaveTemplate keeps a template under its hash; saving it again changes nothing.
	SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error
	// LoadTemplate gives what was saved under a hash. ErrNotFound.
	LoadTemplate(ctx context.Context, hash string) ([]byte, error)
}

// Monitor is what health needs to know of a store.
type Monitor interface {
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Live counts active workflows, and those of them that are stuck: PARKED,
	// unheld without a DueAt or past it by more than grace, or held without a
	// WakeAt or past it by more than grace.
	Live(ctx context.Context, grace time.Duration) (active, stuck int, err error)
	// Pool describes the connection pool as "8/20 active"; "" where there is none.
	Pool() string
}

// Store is everything a store adapter implements.
type Store interface {
	Committer
	Loader
	Leaser
	Outbox
	Lister
	Meter
	TemplateStore
	AuditLog
	Quotas
	Settings
	Batches
	Purger
	Monitor
	WebhookStore
	DeliveryStore
	// Close frees what the store holds; it may be called twice.
	Close() error
}

// Participant carries commands to one service.
type Participant interface {
	// Send delivers one command and returns what its participant said, or what
	// the lack of an answer means (domain.Outcome says which). It returns by
	// the command's deadline or when ctx ends. It never retries by itself. Of
	// the answer it fills in Outcome, Result, Error and RetryAfter. Outcome
	// Sent means that a carrier has the command and that the answer will come
	// in by Answers, from whichever replica it reaches.
	Send(ctx context.Context, cmd domain.Dispatch) domain.Answer
	// Check reports whether the participant can be reached, and how long that took.
	Check(ctx context.Context) DependencyHealth
}

// EventSink takes the events of workflows to whoever listens.
type EventSink interface {
	// Emit returns nil once the event is in the care of the message bus; after
	// any error it may be there or not. The same event may be emitted again.
	// Those of one workflow are emitted in order, one after the other.
	Emit(ctx context.Context, e EmittedEvent) error
}

// EmittedEvent is one event of a workflow's log.
type EmittedEvent struct {
	Template   *domain.Template
	WorkflowID string
	SagaID     string
	Trace      domain.Trace // of the workflow
	Sequence   int          // from 1, without a gap
	Event      *domain.Event
}

// Clock tells the time of this replica. It decides nothing about safety.
type Clock interface {
	Now() time.Time
}

// Entropy is where IDs, secrets and jitter come from.
type Entropy interface {
	// UUID is a new UUIDv7 in text form.
	UUID() string
	// Random is a uniformly distributed number.
	Random() uint64
	// Secret is 16 unguessable bytes.
	Secret() []byte
}
