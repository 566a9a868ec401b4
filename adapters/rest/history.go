package rest

import (
	"context"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// HistoryInput pages the events of a workflow.
type HistoryInput struct {
	WorkflowPath
	Page
}

// Resolve finds the faults that the schema cannot express.
func (in *HistoryInput) Resolve(huma.Context) []error {
	errs := in.check()
	if _, err := in.first(); err != nil {
		errs = append(errs, violation("query.cursor", "is not one that this list gave"))
	}
	return errs
}

// first is how many events stand before the page. A cursor is the sequence of
// the last event of the page before: the log only grows, so that is stable.
func (in *HistoryInput) first() (int, error) {
	if in.Cursor == "" {
		return in.Page.Page * in.Size, nil
	}
	n, err := strconv.ParseUint(in.Cursor, 10, 31)
	return int(n), err
}

// HistoryOutput is a page of events.
type HistoryOutput struct {
	Body *coordination.EventHistory
}

func (s *service) listEvents(ctx context.Context, in *HistoryInput) (*HistoryOutput, error) {
	snap, err := s.workflow(ctx, &in.WorkflowPath)
	if err != nil {
		return nil, err
	}
	total := len(snap.Events)
	first, err := in.first()
	if err != nil {
		return nil, err
	}
	first = min(first, total)
	last := min(first+in.Size, total)
	history := &coordination.EventHistory{Events: make(coordination.List[coordination.RecordedEvent], 0, last-first)}
	for i := first; i < last; i++ {
		history.Events = append(history.Events, wire.Recorded(snap.State.Template, snap.State.WorkflowID, i+1, &snap.Events[i]))
	}
	next := ""
	if last < total {
		next = strconv.Itoa(last)
	}
	history.Pagination = in.pagination(total, next)
	return &HistoryOutput{history}, nil
}
