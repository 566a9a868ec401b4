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
	return c.sealed()
}

func (c cursor) sealed() string {
	data, _ := json.Marshal(c) // texts and numbers always can be
	return base64.RawURLEncoding.EncodeToString(data)
}

// unsealed reads a cursor of the list with the given name.
func unsealed(text, list string) (c cursor, err error) {
	if len(text) > maxCursor {
		return c, ports.ErrBadCursor
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return c, ports.ErrBadCursor
	}
	if err := json.Unmarshal(data, &c); err != nil || c.List != list || c.ID == "" {
		return c, ports.ErrBadCursor
	}
	return c, nil
}

func (c cursor) time() time.Time { return time.Unix(c.Second, int64(c.Nano)).UTC() }

// parseCursor gives a row that has what the list is ordered by.
func parseCursor(q ports.ListQuery) (*ports.Row, error) {
	c, err := unsealed(q.Cursor, listName(&q))
	if err != nil {
		return nil, err
	}
	return &ports.Row{
		WorkflowID: c.ID, StartedAt: c.time(), UpdatedAt: c.time(),
		Status: domain.Status(c.Value), Type: c.Value, Priority: c.Value,
	}, nil
}

// listName is a fingerprint of filters and order.
func listName(q *ports.ListQuery) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%t %q %q %q %q %q %q %q %d %d %q %t %d %d", q.ActiveOnly, q.Type, q.Status, q.CustomerID, q.Priority,
		q.BusinessKey, q.Step, q.ErrorCode, q.StartedAfter.UnixMilli(), q.StartedBefore.UnixMilli(), q.Sort, q.Ascending,
		q.Stuck, q.UpdatedBefore.UnixMilli())
	return fmt.Sprintf("%016x", h.Sum64())
}
