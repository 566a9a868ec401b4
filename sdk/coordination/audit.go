package coordination

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// AuditEntry says who changed what, and why.
type AuditEntry struct {
	ID        string          `json:"id" doc:"Identifier of the entry" example:"aud-018d0ea9-2c00-7000-8000-0000000000a1"`
	Timestamp Time            `json:"timestamp" doc:"When it took effect" example:"2024-01-15T10:05:00Z"`
	Subject   string          `json:"subject" doc:"Who: the subject of the token" example:"ada"`
	Role      string          `json:"role,omitempty" doc:"Role of the token" example:"admin"`
	Action    string          `json:"action" doc:"What: the operation" example:"cancelWorkflow"`
	Target    string          `json:"target" doc:"Workflow, webhook or batch that was changed" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Reason    string          `json:"reason,omitempty" doc:"Reason code that the request gave" example:"CUSTOMER_REQUESTED"`
	RequestID string          `json:"requestId,omitempty" doc:"X-Request-Id of the request"`
	TraceID   string          `json:"traceId,omitempty" doc:"W3C trace of the request"`
	Before    json.RawMessage `json:"before,omitempty" doc:"Where the target stood before; absent if it is new"`
	After     json.RawMessage `json:"after,omitempty" doc:"Where it stood right after; absent if it is gone"`
}

// AuditList is a page of the audit, the answer of GET /audit.
type AuditList struct {
	Entries    List[AuditEntry] `json:"entries" doc:"Entries of the page, newest first"`
	Pagination Pagination       `json:"pagination" doc:"Where the page stands"`
}

// AuditService reads who changed what. It needs the role admin.
type AuditService struct{ client *Client }

// AuditQuery filters and pages the audit. A member that is empty does not
// filter; Size is at most 100, by default 20.
type AuditQuery struct {
	Subject string
	Action  string
	Target  string
	From    time.Time // inclusive
	To      time.Time // exclusive
	Page    int       // from 0; not together with Cursor
	Size    int       // of a page
	Cursor  string    // Pagination.NextCursor of the page before
}

// List returns a page of entries, newest first.
func (s *AuditService) List(ctx context.Context, query AuditQuery) (*AuditList, error) {
	values := EventsQuery{query.Page, query.Size, query.Cursor}.values()
	set(values, "subject", query.Subject)
	set(values, "action", query.Action)
	set(values, "target", query.Target)
	setTime(values, "from", query.From)
	setTime(values, "to", query.To)
	return perform[AuditList](ctx, s.client, call{name: "list audit", method: http.MethodGet, path: []string{"audit"}, query: values})
}

// All iterates over entries, newest first, from the page query names on. An
// error ends the iteration and comes with a zero entry.
func (s *AuditService) All(ctx context.Context, query AuditQuery) iter.Seq2[AuditEntry, error] {
	return allPages(position{query.Page, query.Cursor}, func(at position) ([]AuditEntry, Pagination, error) {
		query.Page, query.Cursor = at.page, at.cursor
		list, err := s.List(ctx, query)
		if err != nil {
			return nil, Pagination{}, err
		}
		return list.Entries, list.Pagination, nil
	})
}
