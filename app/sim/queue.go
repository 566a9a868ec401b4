package sim

import "time"

// event is something that happens at a moment of virtual time: to a replica,
// or (nil) to the world around them.
type event struct {
	at       time.Duration
	seq      uint64 // equal times happen in the order they were planned
	replica  *replica
	periodic bool // comes back by itself and keeps nothing waiting
	do       func()
}

func (e *event) before(o *event) bool {
	if e.at != o.at {
		return e.at < o.at
	}
	return e.seq < o.seq
}

// queue is a heap of events, the next one first.
type queue struct {
	list []event
	seq  uint64
	// waiting counts the events that are not periodic.
	waiting int
}

func (q *queue) push(e event) {
	q.seq++
	e.seq = q.seq
	if !e.periodic {
		q.waiting++
	}
	q.list = append(q.list, e)
	for i := len(q.list) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.list[i].before(&q.list[parent]) {
			break
		}
		q.list[i], q.list[parent] = q.list[parent], q.list[i]
		i = parent
	}
}

func (q *queue) pop() event {
	first := q.list[0]
	n := len(q.list) - 1
	q.list[0] = q.list[n]
	q.list[n] = event{}
	q.list = q.list[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && q.list[child+1].before(&q.list[child]) {
			child++
		}
		if !q.list[child].before(&q.list[i]) {
			break
		}
		q.list[i], q.list[child] = q.list[child], q.list[i]
		i = child
	}
	if !first.periodic {
		q.waiting--
	}
	return first
}
