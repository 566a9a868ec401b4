package webhook

import "sync"

// maxRendered is how many payloads are kept: an event goes to several
// subscriptions, and the payload of an event never changes.
const maxRendered = 1_024

// eventKey names an event.
type eventKey struct {
	workflowID string
	sequence   int
}

// rendered are the payloads that were made last.
type rendered struct {
	mu    sync.Mutex
	all   map[eventKey]payload
	order []eventKey // in a ring, oldest at next
	next  int
}

func newRendered() *rendered { return &rendered{all: map[eventKey]payload{}} }

func (r *rendered) get(key eventKey) (payload, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.all[key]
	return p, ok
}

func (r *rendered) put(key eventKey, p payload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.all[key]; ok {
		return
	}
	r.all[key] = p
	if len(r.order) < maxRendered {
		r.order = append(r.order, key)
		return
	}
	delete(r.all, r.order[r.next])
	r.order[r.next] = key
	r.next = (r.next + 1) % maxRendered
}
