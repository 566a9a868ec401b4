package memory

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// maxCursor is the length beyond which a text cannot be a cursor.
const maxCursor = 2048

// cursor is the place of a row in a list; callers see it as opaque text.
type cursor struct {
	// List identifies filters and order, so that a cursor is good only for its own list.
	List   string `json:"l"`
	ID     string `json:"i"`
	Second int64  `json:"s,omitempty"`
	Nano   int    `json:"n,omitempty"`
	Value  string `json:"v,omitempty"`
}

// cursorAfter is the cursor that continues after a row.
func cursorAfter(q *ports.ListQuery, r *ports.Row) string {
	c := cursor{List: listName(q), ID: r.WorkflowID}
	switch q.Sort {
	case ports.SortStartedAt:
		c.Second, c.Nano = r.StartedAt.Unix(), r.StartedAt.Nanosecond()
	case ports.SortUpdatedAt:
		c.Second, c.Nano = r.UpdatedAt.Unix(), r.UpdatedAt.Nanosecond()
	case ports.SortStatus:
		c.Value = string(r.Status)
	case ports.SortType:
		c.Value = r.Type
	case ports.SortPriority:
		c.Value = r.Priority
	}
	data, _ := json.Marshal(c) // texts and numbers always can be
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseCursor gives a row that has what the list is ordered by.
func parseCursor(q ports.ListQuery) (*ports.Row, error) {
	if len(q.Cursor) > maxCursor {
		return nil, ports.ErrBadCursor
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil {
		return nil, ports.ErrBadCursor
	}
	var c cursor
	if err := json.Unmarshal(data, &c); err != nil || c.List != listName(&q) || c.ID == "" {
		return nil, ports.ErrBadCursor
	}
	at := time.Unix(c.Second, int64(c.Nano)).UTC()
	return &ports.Row{
		WorkflowID: c.ID, StartedAt: at, UpdatedAt: at,
		Status: domain.Status(c.Value), Type: c.Value, Priority: c.Value,
	}, nil
}

// listName is a fingerprint of filters and order.
func listName(q *ports.ListQuery) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%t %q %q %q %q %q %q %q %d %d %q %t", q.ActiveOnly, q.Type, q.Status, q.CustomerID, q.Priority,
		q.BusinessKey, q.Step, q.ErrorCode, q.StartedAfter.UnixMilli(), q.StartedBefore.UnixMilli(), q.Sort, q.Ascending)
	return fmt.Sprintf("%016x", h.Sum64())
}
