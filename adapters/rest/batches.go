package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// batches registers the operations that change many workflows.
func (s *service) batches() {
	create := s.describe("createBatch", http.MethodPost, "/batches", tagBatches, "Retry, cancel or compensate many workflows",
		"Selects workflows, by a filter or by name, and asks each of them the same, as a job. What is selected does not change any more; "+
			"every workflow gets a result of its own.",
		http.StatusAccepted, coordination.ErrInvalidRequest, coordination.ErrBusinessRuleViolation, coordination.ErrWorkflowAlreadyExists)
	create.Responses["202"] = s.jsonResponse("Accepted", reflect.TypeFor[coordination.Batch]())
	create.Responses["200"] = s.jsonResponse("With dryRun: what would be selected", reflect.TypeFor[coordination.BatchPreview]())
	operation(s, create, s.createBatch)
	operation(s, s.read("listBatches", "/batches", tagBatches, "List batches", "Pages through batches, newest first."), s.listBatches)
	operation(s, s.read("getBatch", "/batches/{batchId}", tagBatches, "Get a batch", "Shows a batch and how far it is.",
		coordination.ErrBatchNotFound), s.getBatch)
	operation(s, s.read("listBatchItems", "/batches/{batchId}/items", tagBatches, "List the workflows of a batch",
		"Pages through the workflows of a batch and what came of each, in the order in which they are asked.",
		coordination.ErrBatchNotFound), s.listBatchItems)
	operation(s, s.describe("cancelBatch", http.MethodPost, "/batches/{batchId}/cancel", tagBatches, "Cancel a batch",
		"Asks no workflow any more; what was done stays. A batch that has ended is answered as it is.",
		http.StatusAccepted, coordination.ErrInvalidRequest, coordination.ErrBatchNotFound), s.cancelBatch)
}

// BatchPath names a batch in a path.
type BatchPath struct {
	BatchID string `path:"batchId" doc:"Batch identifier, with or without bat-" example:"bat-018d0ea9-2c00-7000-8000-0000000000b1"`
}

// Numbered says which page of a list without cursors is wanted.
type Numbered struct {
	Page int `query:"page" doc:"Page number, from 0" minimum:"0" maximum:"10000" default:"0"`
	Size int `query:"size" doc:"Page size" minimum:"1" maximum:"100" default:"20"`
}

// Resolve refuses what is too far away.
func (n *Numbered) Resolve(huma.Context) []error {
	if n.Page*n.Size > MaxOffset {
		return []error{violation("query.page", fmt.Sprintf("too far away; page times size is at most %d", MaxOffset))}
	}
	return nil
}

func (n *Numbered) pagination(total int) coordination.Pagination {
	page := Page{Page: n.Page, Size: n.Size}
	return page.pagination(total, "")
}

// CreateBatchInput is a request to change many workflows.
type CreateBatchInput struct {
	Idempotency
	JSONBody[coordination.BatchRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *CreateBatchInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, batchFaults(&in.Body, in.RawBody)...)
}

// CreatedBatch is a new batch, or the preview of one.
type CreatedBatch struct {
	Status   int
	Location string `header:"Location" doc:"Path of the batch"`
	Replayed string `header:"Idempotency-Replayed" doc:"true if the idempotency key was used before"`
	Body     any
}

func (s *service) createBatch(ctx context.Context, in *CreateBatchInput) (*CreatedBatch, error) {
	r, err := batchRequest(&in.Body)
	if err != nil {
		return nil, err
	}
	if in.Body.DryRun {
		p, err := s.Batches.PreviewBatch(ctx, r)
		if err != nil {
			return nil, err
		}
		return &CreatedBatch{Status: http.StatusOK, Body: shownPreview(r.Action, &p)}, nil
	}
	receipt, err := s.Batches.CreateBatch(ctx, r, in.key(exchangeOf(ctx), "createBatch", "", in.canonical))
	if err != nil {
		return nil, err
	}
	return &CreatedBatch{Status: http.StatusAccepted, Location: BasePath + "/batches/" + receipt.Batch.ID,
		Replayed: replayed(receipt.Replayed), Body: shownBatch(&receipt.Batch)}, nil
}

// batchRequest is a request as the port takes it, with its defaults.
func batchRequest(b *coordination.BatchRequest) (ports.BatchRequest, error) {
	r := ports.BatchRequest{Action: string(b.Action), Reason: b.Reason, PerSecond: b.PerSecond}
	if r.PerSecond == 0 {
		r.PerSecond = coordination.DefaultBatchRate
	}
	for _, text := range b.WorkflowIDs {
		id, err := workflowID(text)
		if err != nil {
			return r, err
		}
		r.WorkflowIDs = append(r.WorkflowIDs, id)
	}
	var err error
	if b.Filter != nil {
		r.Query = batchQuery(b.Filter)
		if r.Filter, err = json.Marshal(b.Filter); err != nil {
			return r, err
		}
	}
	if b.Request != nil {
		b.Request.Metadata = orAbsent(b.Request.Metadata)
		r.Request, err = json.Marshal(b.Request)
	}
	return r, err
}

func shownPreview(action string, p *ports.BatchPreview) *coordination.BatchPreview {
	shown := &coordination.BatchPreview{DryRun: true, Action: coordination.BatchAction(action), Total: p.Total}
	for i := range p.First {
		item := &p.First[i]
		shown.First = append(shown.First, coordination.PlannedItem{WorkflowID: item.WorkflowID, WorkflowType: item.Type,
			Status: coordination.Status(item.Status), CurrentStep: item.Step, Code: coordination.Code(item.Code), Message: item.Message})
	}
	return shown
}

// shownBatch is a batch without what its workflows are told and nobody is shown.
func shownBatch(b *ports.Batch) *coordination.Batch {
	shown := &coordination.Batch{BatchID: b.ID, Action: coordination.BatchAction(b.Action), Status: coordination.BatchStatus(b.Status),
		Reason: b.Reason, PerSecond: b.PerSecond, Total: b.Total, Pending: b.Total - b.Succeeded - b.Failed, Succeeded: b.Succeeded,
		Failed: b.Failed, CreatedBy: b.CreatedBy, CreatedAt: coordination.At(b.CreatedAt), EndedAt: coordination.At(b.EndedAt)}
	var filter coordination.BatchFilter
	if len(b.Filter) > 0 && json.Unmarshal(b.Filter, &filter) == nil {
		shown.Filter = &filter
	}
	var request coordination.BatchItemRequest
	if len(b.Request) > 0 && json.Unmarshal(b.Request, &request) == nil {
		request.ReasonDetails, request.Metadata = "", nil
		shown.Request = &request
	}
	return shown
}

// BatchListOutput is a page of batches.
type BatchListOutput struct {
	Body *coordination.BatchList
}

func (s *service) listBatches(ctx context.Context, in *Numbered) (*BatchListOutput, error) {
	found, total, err := s.Batches.Batches(ctx, in.Page*in.Size, in.Size)
	if err != nil {
		return nil, err
	}
	list := &coordination.BatchList{Pagination: in.pagination(total)}
	for i := range found {
		list.Batches = append(list.Batches, *shownBatch(&found[i]))
	}
	return &BatchListOutput{list}, nil
}

// BatchOutput is one batch.
type BatchOutput struct {
	Body *coordination.Batch
}

func (s *service) getBatch(ctx context.Context, in *BatchPath) (*BatchOutput, error) {
	id, err := batchID(in.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Batches.Batch(ctx, id)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrBatchNotFound, "batch")
	}
	return &BatchOutput{shownBatch(&b)}, nil
}

// BatchItemsInput pages the workflows of a batch.
type BatchItemsInput struct {
	BatchPath
	Numbered
}

// BatchItemsOutput is a page of the workflows of a batch.
type BatchItemsOutput struct {
	Body *coordination.BatchItemList
}

func (s *service) listBatchItems(ctx context.Context, in *BatchItemsInput) (*BatchItemsOutput, error) {
	id, err := batchID(in.BatchID)
	if err != nil {
		return nil, err
	}
	items, total, err := s.Batches.BatchItems(ctx, id, in.Page*in.Size, in.Size)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrBatchNotFound, "batch")
	}
	list := &coordination.BatchItemList{Pagination: in.pagination(total)}
	for i := range items {
		list.Items = append(list.Items, shownItem(&items[i]))
	}
	return &BatchItemsOutput{list}, nil
}

func shownItem(item *ports.BatchItem) coordination.BatchItem {
	shown := coordination.BatchItem{WorkflowID: item.WorkflowID, Status: coordination.BatchItemPending,
		Code: coordination.Code(item.Code), Message: item.Message, SettledAt: coordination.At(item.At)}
	switch {
	case item.Done && item.Succeeded:
		shown.Status = coordination.BatchItemSucceeded
	case item.Done:
		shown.Status = coordination.BatchItemFailed
	}
	return shown
}

// CancelBatchInput names a batch to be cancelled.
type CancelBatchInput struct {
	BatchPath
	Idempotency
}

// Resolve finds the faults that the schema cannot express.
func (in *CancelBatchInput) Resolve(ctx huma.Context) []error { return in.check(ctx) }

// cancelBatch needs no record of its idempotency key: asked again it changes nothing.
func (s *service) cancelBatch(ctx context.Context, in *CancelBatchInput) (*BatchOutput, error) {
	id, err := batchID(in.BatchID)
	if err != nil {
		return nil, err
	}
	b, err := s.Batches.CancelBatch(ctx, id)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrBatchNotFound, "batch")
	}
	return &BatchOutput{shownBatch(&b)}, nil
}
