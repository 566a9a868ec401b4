package coordination

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ActiveQuery filters and pages the active workflows. A member that is empty
// does not filter; Size is at most 100, by default 20.
type ActiveQuery struct {
	Type       string
	Status     Status
	CustomerID string
	Priority   Priority
	Page       int    // from 0; not together with Cursor
	Size       int    // of a page
	Sort       string // field,asc or field,desc: startedAt, updatedAt, status, type, priority
	Cursor     string // Pagination.NextCursor of the page before
}

// ListQuery filters and pages all workflows, the ended ones too. A member that
// is empty does not filter; Size is at most 100, by default 20.
type ListQuery struct {
	Type          string
	Status        Status
	CustomerID    string
	Priority      Priority
	BusinessKey   string // the order, return, … identifier
	Step          string // current step
	ErrorCode     string // of a participant
	StartedAfter  time.Time
	StartedBefore time.Time
	UpdatedBefore time.Time // nothing has happened to them since
	Stuck         bool      // PARKED, or not moved when they were due
	Page          int       // from 0; not together with Cursor
	Size          int       // of a page
	Sort          string    // field,asc or field,desc: startedAt, updatedAt, status, type, priority
	Cursor        string    // Pagination.NextCursor of the page before
}

// EventsQuery pages the events of a workflow; Size is at most 100, by default 20.
type EventsQuery struct {
	Page   int    // from 0; not together with Cursor
	Size   int    // of a page
	Cursor string // Pagination.NextCursor of the page before
}

// MetricsQuery says which figures are wanted.
type MetricsQuery struct {
	Period            Period // by default PeriodToday
	Type              string // by default all
	IncludeHistorical bool   // with trends
}

// ListActive returns a page of the active workflows.
func (s *WorkflowService) ListActive(ctx context.Context, query ActiveQuery) (*ActiveList, error) {
	return perform[ActiveList](ctx, s.client, call{
		name: "list active workflows", method: http.MethodGet,
		path: []string{"workflows", "active"}, query: query.values(),
	})
}

// List returns a page of all workflows, the ended ones too.
func (s *WorkflowService) List(ctx context.Context, query ListQuery) (*WorkflowList, error) {
	return perform[WorkflowList](ctx, s.client, call{
		name: "list workflows", method: http.MethodGet,
		path: []string{"workflows"}, query: query.values(),
	})
}

// Events returns a page of the events of a workflow, oldest first.
func (s *WorkflowService) Events(ctx context.Context, workflowID string, query EventsQuery) (*EventHistory, error) {
	return perform[EventHistory](ctx, s.client, call{
		name: "list workflow events", method: http.MethodGet,
		path: []string{"workflows", workflowID, "events"}, query: query.values(),
	})
}

// GetMetrics returns the figures of a calendar period.
func (s *WorkflowService) GetMetrics(ctx context.Context, query MetricsQuery) (*Metrics, error) {
	return perform[Metrics](ctx, s.client, call{
		name: "get workflow metrics", method: http.MethodGet,
		path: []string{"workflows", "metrics"}, query: query.values(),
	})
}

// AllActive iterates over the active workflows of all pages from the one query
// names on. An error ends the iteration and comes with a zero workflow.
func (s *WorkflowService) AllActive(ctx context.Context, query ActiveQuery) iter.Seq2[WorkflowSummary, error] {
	return allPages(position{query.Page, query.Cursor}, func(at position) ([]WorkflowSummary, Pagination, error) {
		query.Page, query.Cursor = at.page, at.cursor
		list, err := s.ListActive(ctx, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Workflows, list.Pagination, nil
	})
}

// All iterates over all workflows of all pages from the one query names on. An
// error ends the iteration and comes with a zero workflow.
func (s *WorkflowService) All(ctx context.Context, query ListQuery) iter.Seq2[WorkflowSummary, error] {
	return allPages(position{query.Page, query.Cursor}, func(at position) ([]WorkflowSummary, Pagination, error) {
		query.Page, query.Cursor = at.page, at.cursor
		list, err := s.List(ctx, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Workflows, list.Pagination, nil
	})
}

// AllEvents iterates over the events of a workflow, oldest first, from the page
// query names on. An error ends the iteration and comes with a zero event.
func (s *WorkflowService) AllEvents(ctx context.Context, workflowID string, query EventsQuery) iter.Seq2[RecordedEvent, error] {
	return allPages(position{query.Page, query.Cursor}, func(at position) ([]RecordedEvent, Pagination, error) {
		query.Page, query.Cursor = at.page, at.cursor
		history, err := s.Events(ctx, workflowID, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return history.Events, history.Pagination, nil
	})
}

// position is where a page is: behind a cursor or, without one, by its number.
type position struct {
	page   int
	cursor string
}

// after returns the position after the page at at. It follows cursors where the
// service gives them, since numbered pages shift while workflows come and go.
func (at position) after(page Pagination) (position, bool) {
	if page.NextCursor != "" {
		return position{cursor: page.NextCursor}, true
	}
	if at.cursor != "" { // the last page of a chain of cursors
		return position{}, false
	}
	return position{page: page.Page + 1}, page.Page+1 < page.TotalPages
}

// errSamePage stops an iteration that would never end.
var errSamePage = errors.New("coordination: the service led from a page to the same page")

// allPages iterates over the elements of all pages that fetch returns, from at on.
func allPages[T any](at position, fetch func(position) ([]T, Pagination, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for at, more := at, true; more; {
			elements, page, err := fetch(at)
			if err != nil {
				yield(none, err)
				return
			}
			for _, element := range elements {
				if !yield(element, nil) {
					return
				}
			}
			next, goOn := at.after(page)
			if goOn && next == at {
				yield(none, errSamePage)
				return
			}
			at, more = next, goOn
		}
	}
}

func (q ActiveQuery) values() url.Values {
	return ListQuery{
		Type: q.Type, Status: q.Status, CustomerID: q.CustomerID, Priority: q.Priority,
		Page: q.Page, Size: q.Size, Sort: q.Sort, Cursor: q.Cursor,
	}.values()
}

func (q ListQuery) values() url.Values {
	values := EventsQuery{q.Page, q.Size, q.Cursor}.values()
	set(values, "type", q.Type)
	set(values, "status", string(q.Status))
	set(values, "customerId", q.CustomerID)
	set(values, "priority", string(q.Priority))
	set(values, "businessKey", q.BusinessKey)
	set(values, "step", q.Step)
	set(values, "errorCode", q.ErrorCode)
	setTime(values, "startedAfter", q.StartedAfter)
	setTime(values, "startedBefore", q.StartedBefore)
	setTime(values, "updatedBefore", q.UpdatedBefore)
	if q.Stuck {
		values.Set("stuck", "true")
	}
	set(values, "sort", q.Sort)
	return values
}

func (q EventsQuery) values() url.Values {
	values := url.Values{}
	setInt(values, "page", q.Page)
	setInt(values, "size", q.Size)
	set(values, "cursor", q.Cursor)
	return values
}

func (q MetricsQuery) values() url.Values {
	values := url.Values{}
	set(values, "period", string(q.Period))
	set(values, "type", q.Type)
	if q.IncludeHistorical {
		values.Set("includeHistorical", "true")
	}
	return values
}

func set(values url.Values, name, value string) {
	if value != "" {
		values.Set(name, value)
	}
}

func setInt(values url.Values, name string, value int) {
	if value != 0 {
		values.Set(name, strconv.Itoa(value))
	}
}

func setTime(values url.Values, name string, value time.Time) {
	if !value.IsZero() {
		values.Set(name, At(value).String())
	}
}
