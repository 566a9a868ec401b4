package rest

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// AuditInput filters and pages the audit.
type AuditInput struct {
	Subject string    `query:"subject" doc:"Filter by who" maxLength:"256"`
	Action  string    `query:"action" doc:"Filter by operation" example:"cancelWorkflow" pattern:"^[A-Za-z]{1,64}$"`
	Target  string    `query:"target" doc:"Filter by what was changed" example:"wf-660e8400-e29b-41d4-a716-446655440000" pattern:"^[A-Za-z0-9-]{1,64}$"`
	From    time.Time `query:"from" doc:"Made at this moment or later"`
	To      time.Time `query:"to" doc:"Made before this moment"`
	Page
}

// Resolve finds the faults that the schema cannot express.
func (in *AuditInput) Resolve(huma.Context) []error { return in.check() }

// AuditOutput is a page of the audit.
type AuditOutput struct {
	Body *coordination.AuditList
}

func (s *service) listAudit(ctx context.Context, in *AuditInput) (*AuditOutput, error) {
	q := ports.AuditQuery{Subject: in.Subject, Action: in.Action, Target: in.Target, From: in.From, To: in.To, Limit: in.Size, Cursor: in.Cursor}
	if q.Cursor == "" {
		q.Offset = in.Page.Page * in.Size
	}
	found, err := s.Queries.Audit(ctx, q)
	if err != nil {
		return nil, err
	}
	list := &coordination.AuditList{Entries: make(coordination.List[coordination.AuditEntry], 0, len(found.Entries)),
		Pagination: in.pagination(found.Total, found.NextCursor)}
	for i := range found.Entries {
		e := &found.Entries[i]
		list.Entries = append(list.Entries, coordination.AuditEntry{ID: e.ID, Timestamp: coordination.At(e.At), Subject: e.Subject, Role: e.Role,
			Action: e.Action, Target: e.Target, Reason: e.Reason, RequestID: e.RequestID, TraceID: e.TraceID, Before: e.Before, After: e.After})
	}
	return &AuditOutput{list}, nil
}
