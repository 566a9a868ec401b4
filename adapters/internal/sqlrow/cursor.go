package sqlrow

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// maxCursor is the length beyond which a text cannot be a cursor.
const maxCursor = 2048

// cursor is the place of a row in a list; callers see it as opaque text.
type cursor struct {
	// List identifies filters and order, so that a cursor is good only for its own list.
	List  string    `json:"l"`
	ID    string    `json:"i"`
	Time  time.Time `json:"t,omitzero"`
	Value string    `json:"v,omitempty"`
}

// place is where a list continues: after the row with this sort value and ID.
type place struct {
	value any // time.Time, string, or the int of a priority
	id    string
}

// cursorAfter is the cursor that continues after a row.
func cursorAfter(q *ports.ListQuery, r *ports.Row) string {
	c := cursor{List: listName(q), ID: r.WorkflowID}
	switch q.Sort {
	case ports.SortStartedAt:
		c.Time = r.StartedAt
	case ports.SortUpdatedAt:
		c.Time = r.UpdatedAt
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
	data, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("cursor after %s: %v", c.ID, err)) // strings and a time of this era
	}
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

func parseCursor(q ports.ListQuery) (*place, error) {
	c, err := unsealed(q.Cursor, listName(&q))
	if err != nil {
		return nil, err
	}
	p := &place{id: c.ID}
	switch q.Sort {
	case ports.SortStartedAt, ports.SortUpdatedAt:
		p.value = c.Time
	case ports.SortPriority:
		p.value = rank(c.Value)
	default:
		p.value = c.Value
	}
	return p, nil
}

// listName is a fingerprint of filters and order.
func listName(q *ports.ListQuery) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%t %q %q %q %q %q %q %q %d %d %q %t %d %d", q.ActiveOnly, q.Type, q.Status, q.CustomerID, q.Priority,
		q.BusinessKey, q.Step, q.ErrorCode, q.StartedAfter.UnixMilli(), q.StartedBefore.UnixMilli(), q.Sort, q.Ascending,
		q.Stuck, q.UpdatedBefore.UnixMilli())
	return fmt.Sprintf("%016x", h.Sum64())
}

// rank is priorityRank.
func rank(priority string) int {
	switch priority {
	case lowPriority:
		return 0
	case highPriority:
		return 2
	default:
		return 1
	}
}

// reaches reports whether workflows of a combination can come after the
// cursor. Where the order is by what they have in common, all do or none does,
// or those beyond its workflow ID.
func (l *List) reaches(t Total) bool {
	if l.place == nil {
		return true
	}
	c := l.constant(t)
	return c == 0 || c > 0 == l.query.Ascending
}

// constant compares what a combination is ordered by with the cursor; 0 if they
// are equal or the order is by time.
func (l *List) constant(t Total) int {
	switch l.query.Sort {
	case ports.SortStatus:
		return cmp.Compare(t.Status, l.place.value.(string))
	case ports.SortType:
		return cmp.Compare(t.Type, l.place.value.(string))
	case ports.SortPriority:
		return rank(t.Priority) - l.place.value.(int)
	default:
		return 0
	}
}
