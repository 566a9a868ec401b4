package memory

import (
	"cmp"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// businessKey is what at most one active or COMPLETED workflow holds.
type businessKey struct{ workflowType, key string }

// index finds rows other than by workflow ID.
type index struct {
	active    map[string]*workflow            // by workflow ID
	held      map[string]map[string]*workflow // active ones by owner, then workflow ID
	due       ordered[*ports.Row]             // active, unheld, with a DueAt
	sagas     map[string]string               // workflow ID by saga ID
	keys      map[businessKey]string          // workflow ID of the holder
	ended     map[ports.SortField]*ordered[*ports.Row]
	endings   map[domain.Status]*ordered[*ports.Row] // ended ones, the first to end first
	customers map[string]map[string]*ports.Row       // ended ones by customer, then workflow ID
	orders    map[string]map[string]*ports.Row       // ended ones by business key, then workflow ID
}

func newIndex() index {
	x := index{
		active:    map[string]*workflow{},
		held:      map[string]map[string]*workflow{},
		due:       ordered[*ports.Row]{compare: compareDue},
		sagas:     map[string]string{},
		keys:      map[businessKey]string{},
		ended:     map[ports.SortField]*ordered[*ports.Row]{},
		endings:   map[domain.Status]*ordered[*ports.Row]{},
		customers: map[string]map[string]*ports.Row{},
		orders:    map[string]map[string]*ports.Row{},
	}
	for field, compare := range rowOrders {
		x.ended[field] = &ordered[*ports.Row]{compare: compare}
	}
	for _, status := range []domain.Status{domain.Completed, domain.Failed, domain.Cancelled} {
		x.endings[status] = &ordered[*ports.Row]{compare: compareEnd}
	}
	return x
}

// place is all that the indexes of active rows depend on.
type place struct {
	owner  string
	due    time.Time
	saga   string
	key    businessKey
	active bool
}

func placeOf(r *ports.Row) place {
	return place{r.Owner, r.DueAt, r.SagaID, keyOf(r), !r.Status.Terminal()}
}

// keyOf is the business key that a row claims; the zero value if none.
func keyOf(r *ports.Row) businessKey {
	if r.BusinessKey == "" || r.Status == domain.Failed || r.Status == domain.Cancelled {
		return businessKey{}
	}
	return businessKey{r.Type, r.BusinessKey}
}

// replace puts a row in the place of the workflow's present one, if any. While
// nothing changes that the indexes of active rows depend on, they are not
// touched; x.due then holds an older row of the same place.
func (x *index) replace(w *workflow, row *ports.Row) {
	old := w.row
	w.row = row
	if old != nil {
		if p := placeOf(old); p.active && p == placeOf(row) {
			return
		}
		x.remove(old)
	}
	x.add(w)
}

func (x *index) add(w *workflow) {
	r := w.row
	x.sagas[r.SagaID] = r.WorkflowID
	if k := keyOf(r); k.key != "" {
		x.keys[k] = r.WorkflowID
	}
	if r.Status.Terminal() {
		x.addEnded(r)
		return
	}
	x.active[r.WorkflowID] = w
	switch {
	case r.Owner != "":
		put(x.held, r.Owner, r.WorkflowID, w)
	case !r.DueAt.IsZero():
		x.due.insert(r)
	}
}

func (x *index) addEnded(r *ports.Row) {
	for _, list := range x.ended {
		list.insert(r)
	}
	x.endings[r.Status].insert(r)
	put(x.customers, r.CustomerID, r.WorkflowID, r)
	put(x.orders, r.BusinessKey, r.WorkflowID, r)
}

func (x *index) remove(r *ports.Row) {
	delete(x.sagas, r.SagaID)
	if k := keyOf(r); k.key != "" {
		delete(x.keys, k)
	}
	if r.Status.Terminal() {
		x.removeEnded(r)
		return
	}
	delete(x.active, r.WorkflowID)
	switch {
	case r.Owner != "":
		drop(x.held, r.Owner, r.WorkflowID)
	case !r.DueAt.IsZero():
		x.due.remove(r)
	}
}

func (x *index) removeEnded(r *ports.Row) {
	for _, list := range x.ended {
		list.remove(r)
	}
	x.endings[r.Status].remove(r)
	drop(x.customers, r.CustomerID, r.WorkflowID)
	drop(x.orders, r.BusinessKey, r.WorkflowID)
}

// put files a value under two keys, unless the first is empty.
func put[V any](m map[string]map[string]V, outer, inner string, v V) {
	if outer == "" {
		return
	}
	if m[outer] == nil {
		m[outer] = map[string]V{}
	}
	m[outer][inner] = v
}

// drop undoes put.
func drop[V any](m map[string]map[string]V, outer, inner string) {
	delete(m[outer], inner)
	if len(m[outer]) == 0 {
		delete(m, outer)
	}
}

// rowOrders are the orders of lists, ascending; ties by workflow ID.
var rowOrders = map[ports.SortField]func(a, b *ports.Row) int{
	ports.SortStartedAt: func(a, b *ports.Row) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), compareID(a, b))
	},
	ports.SortUpdatedAt: func(a, b *ports.Row) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), compareID(a, b))
	},
	ports.SortStatus: func(a, b *ports.Row) int {
		return cmp.Or(strings.Compare(string(a.Status), string(b.Status)), compareID(a, b))
	},
	ports.SortType: func(a, b *ports.Row) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), compareID(a, b))
	},
	ports.SortPriority: func(a, b *ports.Row) int {
		return cmp.Or(rank(a.Priority)-rank(b.Priority), compareID(a, b))
	},
}

func compareID(a, b *ports.Row) int { return strings.Compare(a.WorkflowID, b.WorkflowID) }

func compareDue(a, b *ports.Row) int {
	return cmp.Or(a.DueAt.Compare(b.DueAt), compareID(a, b))
}

func compareEnd(a, b *ports.Row) int {
	return cmp.Or(a.EndedAt.Compare(b.EndedAt), compareID(a, b))
}

func compareAge(a, b *ports.IdempotencyRecord) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.Scope, b.Scope))
}

// rank orders priorities; anything unknown counts as NORMAL.
func rank(priority string) int {
	switch priority {
	case "LOW":
		return 0
	case "HIGH":
		return 2
	default:
		return 1
	}
}
