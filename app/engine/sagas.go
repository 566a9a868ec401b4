package engine

import "sync"

// maxIndexedSagas bounds the index: more than a replica holds in hand.
const maxIndexedSagas = 2 * DefaultMaxHeld

// sagaIndex remembers the workflows of the sagas whose commands this replica
// sent, so that a reply, which names the saga, costs no query. It only saves
// time: what it has forgotten the store knows. The zero value is empty.
type sagaIndex struct {
	mu        sync.Mutex
	workflows map[string]string // by saga
	order     []string          // sagas, a ring: the oldest makes room
	next      int
}

func (x *sagaIndex) sent(sagaID, workflowID string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.workflows[sagaID]; known {
		return
	}
	if x.workflows == nil {
		x.workflows = make(map[string]string)
	}
	if len(x.order) < maxIndexedSagas {
		x.order = append(x.order, sagaID)
	} else {
		delete(x.workflows, x.order[x.next])
		x.order[x.next] = sagaID
		x.next = (x.next + 1) % maxIndexedSagas
	}
	x.workflows[sagaID] = workflowID
}

func (x *sagaIndex) workflow(sagaID string) (string, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id, ok := x.workflows[sagaID]
	return id, ok
}
