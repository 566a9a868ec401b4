package coordination

import (
	"context"
	"fmt"
	"iter"
	"net/http"
)

// BatchService does one thing to many workflows: retries, cancels or
// compensates them at a bounded rate, as a job that survives its coordinator. It
// needs the role admin.
type BatchService struct{ client *Client }

// BatchesQuery pages batches, or the workflows of one; Size is at most 100, by
// default 20.
type BatchesQuery struct {
	Page int // from 0
	Size int // of a page
}

// Create makes a batch of the workflows that request selects now; which these
// are does not change any more. More than [MaxBatchItems] are
// [ErrBusinessRuleViolation]. DryRun of the request is not looked at; see the
// method of that name.
func (s *BatchService) Create(ctx context.Context, request BatchRequest, options ...CallOption) (*Batch, error) {
	request.DryRun = false
	return post[Batch](ctx, s.client, call{name: "create batch", path: []string{"batches"}, body: request}, options)
}

// DryRun returns what Create would select, and changes nothing. It fails as
// Create would.
func (s *BatchService) DryRun(ctx context.Context, request BatchRequest) (*BatchPreview, error) {
	request.DryRun = true
	return perform[BatchPreview](ctx, s.client, call{name: "preview batch", method: http.MethodPost, path: []string{"batches"}, body: request})
}

// Get returns a batch, or [ErrBatchNotFound].
func (s *BatchService) Get(ctx context.Context, batchID string) (*Batch, error) {
	return perform[Batch](ctx, s.client, call{name: "get batch", method: http.MethodGet, path: []string{"batches", batchID}})
}

// List returns a page of batches, newest first.
func (s *BatchService) List(ctx context.Context, query BatchesQuery) (*BatchList, error) {
	return perform[BatchList](ctx, s.client, call{
		name: "list batches", method: http.MethodGet, path: []string{"batches"}, query: EventsQuery{Page: query.Page, Size: query.Size}.values(),
	})
}

// All iterates over batches, newest first, from the page query names on. An
// error ends the iteration and comes with a zero batch.
func (s *BatchService) All(ctx context.Context, query BatchesQuery) iter.Seq2[Batch, error] {
	return allPages(position{page: query.Page}, func(at position) ([]Batch, Pagination, error) {
		query.Page = at.page
		list, err := s.List(ctx, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Batches, list.Pagination, nil
	})
}

// Items returns a page of the workflows of a batch, in the order in which they
// are asked.
func (s *BatchService) Items(ctx context.Context, batchID string, query BatchesQuery) (*BatchItemList, error) {
	return perform[BatchItemList](ctx, s.client, call{
		name: "list batch items", method: http.MethodGet, path: []string{"batches", batchID, "items"},
		query: EventsQuery{Page: query.Page, Size: query.Size}.values(),
	})
}

// AllItems iterates over the workflows of a batch, in the order in which they
// are asked, from the page query names on. An error ends the iteration and
// comes with a zero item.
func (s *BatchService) AllItems(ctx context.Context, batchID string, query BatchesQuery) iter.Seq2[BatchItem, error] {
	return allPages(position{page: query.Page}, func(at position) ([]BatchItem, Pagination, error) {
		query.Page = at.page
		list, err := s.Items(ctx, batchID, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Items, list.Pagination, nil
	})
}

// Cancel ends a batch: the workflows that are pending are not asked any more.
// What was done stays. One that has ended is returned as it is.
func (s *BatchService) Cancel(ctx context.Context, batchID string, options ...CallOption) (*Batch, error) {
	return post[Batch](ctx, s.client, call{name: "cancel batch", path: []string{"batches", batchID, "cancel"}}, options)
}

// Wait returns a batch as soon as it has ended; bound it with ctx. It asks at
// intervals that grow to ten seconds. That every workflow has done as it was
// asked is told by Failed, that it has come to its end by [WorkflowService.Wait].
func (s *BatchService) Wait(ctx context.Context, batchID string) (*Batch, error) {
	for interval := minPollInterval; ; interval = min(interval*3/2, maxPollInterval) {
		batch, err := s.Get(ctx, batchID)
		if err != nil || batch.Status != BatchRunning {
			return batch, err
		}
		if !sleep(ctx, interval) {
			return nil, fmt.Errorf("coordination: wait for batch: %w", ctx.Err())
		}
	}
}
