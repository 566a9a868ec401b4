package rest

import (
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// DefaultPageSize is the size of a page if nothing is said.
	DefaultPageSize = 20
	// MaxPageSize is the largest page.
	MaxPageSize = 100
	// MaxOffset bounds how far numbered pages reach; beyond it there are cursors.
	MaxOffset = 10_000
)

// Page says which page of a list is wanted.
type Page struct {
	Page   int    `query:"page" doc:"Page number, from 0; not together with cursor" minimum:"0" maximum:"10000" default:"0"`
	Size   int    `query:"size" doc:"Page size" minimum:"1" maximum:"100" default:"20"`
	Cursor string `query:"cursor" doc:"pagination.nextCursor of the page before; iterates stably" pattern:"^[A-Za-z0-9._~=-]+$" maxLength:"2048"`
}

// check refuses what would name two places at once, or one too far away.
func (p *Page) check() []error {
	switch {
	case p.Cursor != "" && p.Page > 0:
		return []error{violation("query.page", "not together with cursor")}
	case p.Page*p.Size > MaxOffset:
		return []error{violation("query.page", "too far away; use cursor")}
	}
	return nil
}

func (p *Page) pagination(total int, next string) coordination.Pagination {
	return coordination.Pagination{Page: p.Page, Size: p.Size, TotalElements: int64(total), TotalPages: (total + p.Size - 1) / p.Size, NextCursor: next}
}

// Sorting orders a list.
type Sorting struct {
	Sort string `query:"sort" doc:"Field and direction" example:"startedAt,desc" pattern:"^(startedAt|updatedAt|status|type|priority)(,(asc|desc))?$" default:"startedAt,desc"`
}

func (o *Sorting) apply(q *ports.ListQuery) {
	field, direction, _ := strings.Cut(o.Sort, ",")
	q.Sort, q.Ascending = ports.SortField(field), direction == "asc"
}

// ActiveInput filters the active workflows.
type ActiveInput struct {
	Type       string `query:"type" doc:"Filter by workflow type" example:"ORDER_FULFILLMENT" pattern:"^[A-Za-z0-9_]{1,128}$"`
	Status     string `query:"status" doc:"Filter by status" example:"IN_PROGRESS" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CustomerID string `query:"customerId" doc:"Filter by customer" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Priority   string `query:"priority" doc:"Filter by priority" example:"NORMAL" enum:"LOW,NORMAL,HIGH"`
	Waiting
	Page
	Sorting
}

// Waiting selects workflows that do not move.
type Waiting struct {
	Stuck         bool      `query:"stuck" doc:"Only those that are PARKED, or that nothing moved when they were due"`
	Parked        bool      `query:"parked" doc:"Only those that wait for a person, the same as status=PARKED"`
	UpdatedBefore time.Time `query:"updatedBefore" doc:"Nothing happened to them since this moment"`
}

// stuckGrace is how long after it was due a workflow counts as stuck.
const stuckGrace = 30 * time.Second

// apply adds the conditions to a query.
func (w *Waiting) apply(q *ports.ListQuery) {
	if w.Stuck {
		q.ActiveOnly, q.Stuck = true, stuckGrace
	}
	if w.Parked {
		q.Status = domain.Parked
	}
	q.UpdatedBefore = w.UpdatedBefore
}

// contradicts finds a status that excludes parked.
func (w *Waiting) contradicts(status string) []error {
	if w.Parked && status != "" && status != string(domain.Parked) {
		return []error{violation("query.parked", "not together with another status")}
	}
	return nil
}

// Resolve finds the faults that the schema cannot express.
func (in *ActiveInput) Resolve(huma.Context) []error {
	return append(in.check(), in.contradicts(in.Status)...)
}

// ListInput filters all workflows.
type ListInput struct {
	Type          string    `query:"type" doc:"Filter by workflow type" example:"ORDER_FULFILLMENT" pattern:"^[A-Za-z0-9_]{1,128}$"`
	Status        string    `query:"status" doc:"Filter by status" example:"FAILED" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	CustomerID    string    `query:"customerId" doc:"Filter by customer" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Priority      string    `query:"priority" doc:"Filter by priority" example:"NORMAL" enum:"LOW,NORMAL,HIGH"`
	BusinessKey   string    `query:"businessKey" doc:"Filter by the identifier of the business object: order, return, replenishment" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	OrderID       string    `query:"orderId" doc:"Another name of businessKey" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"`
	Step          string    `query:"step" doc:"Filter by current step" example:"PAYMENT_PROCESSING" pattern:"^[A-Za-z0-9_]{1,128}$"`
	ErrorCode     string    `query:"errorCode" doc:"Filter by the error code of the last failure" example:"PAYMENT_DECLINED" pattern:"^[\\x20-\\x7e]{1,128}$"`
	StartedAfter  time.Time `query:"startedAfter" doc:"Started at this moment or later"`
	StartedBefore time.Time `query:"startedBefore" doc:"Started before this moment"`
	Waiting
	Page
	Sorting
}

// Resolve finds the faults that the schema cannot express.
func (in *ListInput) Resolve(huma.Context) []error {
	errs := append(in.check(), in.contradicts(in.Status)...)
	if in.BusinessKey != "" && in.OrderID != "" && in.BusinessKey != in.OrderID {
		errs = append(errs, violation("query.orderId", "differs from businessKey"))
	}
	return errs
}

// ListOutput is a page of workflows.
type ListOutput struct {
	Body *coordination.WorkflowList
}

func (s *service) listActive(ctx context.Context, in *ActiveInput) (*ListOutput, error) {
	q := ports.ListQuery{ActiveOnly: true, Type: in.Type, Status: domain.Status(in.Status), CustomerID: in.CustomerID, Priority: in.Priority}
	in.Waiting.apply(&q)
	return s.list(ctx, q, &in.Page, &in.Sorting)
}

func (s *service) listAll(ctx context.Context, in *ListInput) (*ListOutput, error) {
	key := in.BusinessKey
	if key == "" {
		key = in.OrderID
	}
	q := ports.ListQuery{Type: in.Type, Status: domain.Status(in.Status), CustomerID: in.CustomerID, Priority: in.Priority,
		BusinessKey: key, Step: in.Step, ErrorCode: in.ErrorCode, StartedAfter: in.StartedAfter, StartedBefore: in.StartedBefore}
	in.Waiting.apply(&q)
	return s.list(ctx, q, &in.Page, &in.Sorting)
}

func (s *service) list(ctx context.Context, q ports.ListQuery, page *Page, order *Sorting) (*ListOutput, error) {
	order.apply(&q)
	q.Offset, q.Limit, q.Cursor, q.Now = page.Page*page.Size, page.Size, page.Cursor, s.Clock.Now()
	if q.Cursor != "" {
		q.Offset = 0
	}
	found, err := s.Queries.List(ctx, q)
	if err != nil {
		return nil, err
	}
	list := &coordination.WorkflowList{
		Workflows:  make(coordination.List[coordination.WorkflowSummary], 0, len(found.Rows)),
		Summary:    listSummary(&found),
		Pagination: page.pagination(found.Total, found.NextCursor),
	}
	for i := range found.Rows {
		list.Workflows = append(list.Workflows, s.summary(ctx, &found.Rows[i]))
	}
	return &ListOutput{list}, nil
}

// summary is one workflow of a list, from what the list was read from alone.
func (s *service) summary(ctx context.Context, row *ports.Row) coordination.WorkflowSummary {
	w := coordination.WorkflowSummary{
		WorkflowID: row.WorkflowID, WorkflowType: row.Type, Status: coordination.Status(row.Status), CurrentStep: row.CurrentStep,
		Progress:  coordination.PercentOf(int64(row.SettledSteps), int64(row.TotalSteps)),
		StartedAt: coordination.At(row.StartedAt), CompletedAt: coordination.At(row.EndedAt), Metadata: row.Metadata,
	}
	if row.Status.Terminal() || row.Status == domain.Parked {
		return w
	}
	if t, err := s.Queries.TemplateOf(ctx, row.TemplateHash); err == nil {
		w.EstimatedCompletion = coordination.At(row.StartedAt.Add(estimatedDuration(t)))
	}
	return w
}

func listSummary(found *ports.ListPage) coordination.ListSummary {
	summary := coordination.ListSummary{
		ByType: make(map[string]int64, len(found.ByType)), ByStatus: make(map[coordination.Status]int64, len(found.ByStatus)),
		AverageExecutionTime: coordination.Duration(found.AverageAge.Round(time.Millisecond)),
	}
	for name, n := range found.ByType {
		summary.ByType[name] = int64(n)
	}
	for name, n := range found.ByStatus {
		status := coordination.Status(name)
		summary.ByStatus[status] = int64(n)
		if !status.Terminal() {
			summary.TotalActive += int64(n)
		}
	}
	return summary
}
