package deliveries

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// maxCursor is the length beyond which a text cannot be a cursor.
const maxCursor = 2048

// Place is where a list continues: after the delivery that has these, in the
// order of time, workflow ID, sequence and webhook ID, all descending.
type Place struct {
	CreatedAt  time.Time `json:"t"`
	WorkflowID string    `json:"w"`
	Sequence   int       `json:"s"`
	WebhookID  string    `json:"h"`
}

// cursor is what callers see as opaque text.
type cursor struct {
	Place
	// Filters make a cursor good only for its own list.
	Filters [2]string `json:"f"`
}

// CheckQuery reports whether a query can be answered, and where its list
// continues; nil if it starts. ports.ErrBadCursor if its cursor is not one of
// this list.
func CheckQuery(q *ports.DeliveryQuery) (*Place, error) {
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return nil, fmt.Errorf("limit %d is not in 1 to %d", q.Limit, maxLimit)
	case q.Offset < 0 || q.Offset > 0 && q.Cursor != "":
		return nil, fmt.Errorf("offset %d is negative or comes with a cursor", q.Offset)
	case q.Cursor == "":
		return nil, nil
	case len(q.Cursor) > maxCursor:
		return nil, ports.ErrBadCursor
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(q.Cursor)
	if err != nil {
		return nil, ports.ErrBadCursor
	}
	var c cursor
	if err := json.Unmarshal(data, &c); err != nil || c.Filters != filters(q) || c.WorkflowID == "" {
		return nil, ports.ErrBadCursor
	}
	return &c.Place, nil
}

// Compare orders deliveries as lists do.
func Compare(a, b *ports.Delivery) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.WorkflowID, a.WorkflowID),
		cmp.Compare(b.Sequence, a.Sequence), strings.Compare(b.WebhookID, a.WebhookID))
}

// Page makes a page of deliveries from the cursor on, in any order: at least
// the first Offset+Limit+1 of them, if there are as many.
func Page(q *ports.DeliveryQuery, list []ports.Delivery, total int) ports.DeliveryPage {
	slices.SortFunc(list, func(a, b ports.Delivery) int { return Compare(&a, &b) })
	list = list[min(q.Offset, len(list)):]
	p := ports.DeliveryPage{Deliveries: list, Total: min(total, ports.MaxCount)}
	if len(list) > q.Limit {
		p.Deliveries = list[:q.Limit]
		last := &list[q.Limit-1]
		p.NextCursor = cursor{Place{last.CreatedAt, last.WorkflowID, last.Sequence, last.WebhookID}, filters(q)}.text()
	}
	return p
}

func filters(q *ports.DeliveryQuery) [2]string { return [2]string{q.WebhookID, string(q.Status)} }

func (c cursor) text() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("cursor of %s: %v", c.WorkflowID, err)) // strings, a number and a time of this era
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
