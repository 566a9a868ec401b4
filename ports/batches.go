package ports

import (
	"context"
	"encoding/json"
	"time"
)

// Limits of batches.
const (
	// MaxBatchItems is how many workflows one batch is for.
	MaxBatchItems = 10_000
	// MaxRunningBatches is how many batches may be unfinished at once.
	MaxRunningBatches = 20
)

// BatchStatus is where a batch stands.
type BatchStatus string

// The statuses of a batch. The last two are final.
const (
	BatchRunning   BatchStatus = "RUNNING"
	BatchCompleted BatchStatus = "COMPLETED" // every item has its result
	BatchCancelled BatchStatus = "CANCELLED" // the items left have none
)

// Batch does one thing to many workflows, which were selected when it was made.
type Batch struct {
	ID        string // bat-…
	Action    string // RETRY, CANCEL or COMPENSATE
	Reason    string
	Request   json.RawMessage // what each workflow is asked
	Filter    json.RawMessage // how they were selected
	PerSecond int             // how many at most
	CreatedBy string
	Role      string
	CreatedAt time.Time
	EndedAt   time.Time // zero while RUNNING
	Status    BatchStatus
	Total     int
	Succeeded int
	Failed    int
}

// BatchItem is one workflow of a batch.
type BatchItem struct {
	WorkflowID string
	Done       bool
	Succeeded  bool
	Code       string // why it failed: the code that the API would answer with
	Message    string
	At         time.Time // zero before
}

// Batches keeps batches and how far they are.
type Batches interface {
	// CreateBatch keeps a batch and its workflows, in order, with its audit
	// entry. It is RUNNING, with as many items as there are workflows, whatever b
	// says of that; without any it is COMPLETED at once. At most MaxBatchItems,
	// none twice. ErrConflict if there is one with this ID, ErrOverloaded if
	// MaxRunningBatches are unfinished.
	CreateBatch(ctx context.Context, b Batch, workflowIDs []string, audit *AuditEntry) error
	// Batch by ID. ErrNotFound.
	Batch(ctx context.Context, id string) (Batch, error)
	// ListBatches pages through batches, newest first.
	ListBatches(ctx context.Context, offset, limit int) (batches []Batch, total int, err error)
	// BatchItems pages through the items of a batch, in order. ErrNotFound.
	BatchItems(ctx context.Context, id string, offset, limit int) ([]BatchItem, error)
	// CancelBatch ends a RUNNING batch, with the audit entry; one that has ended
	// stays as it is, and nothing is written. ErrNotFound.
	CancelBatch(ctx context.Context, id string, at time.Time, audit *AuditEntry) (Batch, error)
	// ClaimBatch hands the oldest unfinished batch that nobody holds, or whose
	// holder's lease has run out, to a replica. ErrNotFound if there is none.
	ClaimBatch(ctx context.Context, replica string) (Batch, error)
	// NextItems are up to limit items of a batch without a result, in order, for
	// its holder; none once it has ended. ErrConflict for anybody else.
	NextItems(ctx context.Context, id, replica string, limit int) ([]BatchItem, error)
	// SettleItems records results and counts them; when every item has one, the
	// batch is COMPLETED at the time of the last. ErrConflict unless the replica
	// holds the batch. An item that has a result keeps it; what is no item is
	// passed over. What was under way when the batch was cancelled is recorded
	// too; the batch stays CANCELLED.
	SettleItems(ctx context.Context, id, replica string, items []BatchItem) error
}
