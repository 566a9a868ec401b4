package ports

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/firstviscount/platform-coordination/domain"
)

// MaxPlannedItems is how many workflows a preview of a batch looks at one by one.
const MaxPlannedItems = 20

// What a batch can do to a workflow.
const (
	BatchRetry      = "RETRY"
	BatchCancel     = "CANCEL"
	BatchCompensate = "COMPENSATE"
)

// Errors of batches.
var (
	// ErrBatchTooLarge: more than MaxBatchItems workflows are selected.
	ErrBatchTooLarge = errors.New("too many workflows for one batch")
	// ErrTooManyBatches: MaxRunningBatches are unfinished.
	ErrTooManyBatches = errors.New("too many unfinished batches")
)

// BatchJobs is everything that can be asked of batches. Each call returns after
// its effect is committed. Errors: ErrNotFound, ErrUnavailable, ErrKeyReused,
// ErrBatchTooLarge, ErrTooManyBatches, or the context's.
type BatchJobs interface {
	// CreateBatch selects workflows and has what is asked done to each of them,
	// by whichever replica gets to it. Who begins to match the filter later is
	// not selected.
	CreateBatch(ctx context.Context, r BatchRequest, key *IdempotencyKey) (BatchReceipt, error)
	// PreviewBatch says what CreateBatch would select, and writes nothing.
	PreviewBatch(ctx context.Context, r BatchRequest) (BatchPreview, error)
	// Batch by ID. Its Request is that of BatchRequest.
	Batch(ctx context.Context, id string) (Batch, error)
	// Batches pages through batches, newest first.
	Batches(ctx context.Context, offset, limit int) (batches []Batch, total int, err error)
	// BatchItems pages through the workflows of a batch, in the order in which
	// they are asked.
	BatchItems(ctx context.Context, id string, offset, limit int) (items []BatchItem, total int, err error)
	// CancelBatch ends a batch: no workflow is asked any more. One that has ended
	// stays as it is.
	CancelBatch(ctx context.Context, id string) (Batch, error)
}

// BatchRequest is what a caller wants done to many workflows. Its Request is
// validated by the transport.
type BatchRequest struct {
	Action string // RETRY, CANCEL or COMPENSATE
	// WorkflowIDs names the workflows, none twice; if there are any, Query and
	// Filter are not looked at.
	WorkflowIDs []string
	// Query selects the workflows; its order and page are not looked at. The one
	// that was started first is asked first.
	Query ListQuery
	// Filter is Query as the caller wrote it.
	Filter json.RawMessage
	// Request is the body that the action takes for one workflow. What it does not
	// say of the reason, the batch does.
	Request   json.RawMessage
	Reason    string
	PerSecond int // at least 1
}

// BatchReceipt is a batch as it was made. A replay by idempotency key gives the
// same Batch as the first time.
type BatchReceipt struct {
	Batch    Batch
	Replayed bool
}

// BatchPreview is what a batch would be for.
type BatchPreview struct {
	Total int
	First []PlannedItem // in the order in which they would be asked, at most MaxPlannedItems
}

// PlannedItem is a workflow that a batch would ask.
type PlannedItem struct {
	WorkflowID string
	Type       string // "" if there is no such workflow
	Status     domain.Status
	Step       string
	// Code and Message say why it would be refused now, as in a BatchItem.
	Code    string
	Message string
}
