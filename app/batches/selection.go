package batches

import (
	"context"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// selectPage is how many workflows are read at once while a batch is made.
const selectPage = 100

// selected are the workflows of a request, in the order in which they are asked.
// Those that a filter selects are read by the time of their start, which never
// changes: whatever happens meanwhile, none comes twice, and none that matches
// all the time is missed.
func (s *Service) selected(ctx context.Context, r ports.BatchRequest) ([]string, error) {
	if len(r.WorkflowIDs) > 0 {
		if len(r.WorkflowIDs) > ports.MaxBatchItems {
			return nil, ports.ErrBatchTooLarge
		}
		return r.WorkflowIDs, nil
	}
	q := r.Query
	q.Sort, q.Ascending, q.Offset, q.Limit, q.Cursor = ports.SortStartedAt, true, 0, selectPage, ""
	var ids []string
	for {
		page, err := s.Queries.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			ids = append(ids, page.Rows[i].WorkflowID)
		}
		switch {
		case len(ids) > ports.MaxBatchItems || page.Total > ports.MaxBatchItems:
			return nil, ports.ErrBatchTooLarge
		case page.NextCursor == "":
			return ids, nil
		}
		q.Cursor = page.NextCursor
	}
}

// PreviewBatch says what a batch would be for; see ports.BatchJobs.
func (s *Service) PreviewBatch(ctx context.Context, r ports.BatchRequest) (ports.BatchPreview, error) {
	ids, err := s.selected(ctx, r)
	if err != nil {
		return ports.BatchPreview{}, err
	}
	a, err := newAsk(r.Action, r.Reason, r.Request)
	if err != nil {
		return ports.BatchPreview{}, err
	}
	p := ports.BatchPreview{Total: len(ids)}
	for _, id := range ids[:min(len(ids), ports.MaxPlannedItems)] {
		item, err := s.planned(ctx, a, id)
		if err != nil {
			return ports.BatchPreview{}, err
		}
		p.First = append(p.First, item)
	}
	return p, nil
}

// planned is one workflow as a batch would meet it now: the same decision is
// asked for, and not kept.
func (s *Service) planned(ctx context.Context, a ask, id string) (ports.PlannedItem, error) {
	item := ports.PlannedItem{WorkflowID: id}
	snap, err := s.Queries.Workflow(ctx, id)
	if err == nil {
		state := &snap.State
		item.Type, item.Status, item.Step = state.Template.Type, state.Status, state.CurrentStep()
		_, err = domain.Decide(*state, a.command(domain.Moment{Now: s.Clock.Now(), NewID: "preview"}))
	}
	switch {
	case err == nil:
	case passes(err):
		return item, err
	default:
		item.Code, item.Message = refusal(err)
	}
	return item, nil
}
