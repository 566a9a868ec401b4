// Package keyed keeps the order of messages that are handled at the same time.
package keyed

import (
	"context"
	"sync"
)

// Queue hands out items in the order in which they were put, but of those with
// one key only one at a time: the next one when the one before is done. The key
// "" keeps no order. It is safe for many goroutines on both sides and has no
// bound of its own.
type Queue[T any] struct {
	mu    sync.Mutex
	ready fifo[entry[T]]
	// behind holds, for each key that is ready or handed out, the items that
	// wait for it; a key is in the map exactly as long as it is busy.
	behind map[string]*fifo[T]
	wake   chan struct{} // one signal for all takers, who pass it on
}

type entry[T any] struct {
	key  string
	item T
}

// New makes an empty queue.
func New[T any]() *Queue[T] {
	return &Queue[T]{behind: make(map[string]*fifo[T]), wake: make(chan struct{}, 1)}
}

// Put adds an item.
func (q *Queue[T]) Put(key string, item T) {
	q.mu.Lock()
	q.put(key, item)
	q.mu.Unlock()
}

func (q *Queue[T]) put(key string, item T) {
	if key != "" {
		waiting, busy := q.behind[key]
		switch {
		case !busy:
			q.behind[key] = nil
		case waiting == nil:
			waiting = &fifo[T]{}
			q.behind[key] = waiting
			fallthrough
		default:
			waiting.push(item)
			return
		}
	}
	q.ready.push(entry[T]{key, item})
	q.nudge()
}

// Take waits for an item until ctx ends. Whoever took it calls Done or Return
// with its key when it was handled.
func (q *Queue[T]) Take(ctx context.Context) (key string, item T, err error) {
	for {
		q.mu.Lock()
		if err = ctx.Err(); err != nil {
			q.nudge() // the signal may have been for somebody else
			q.mu.Unlock()
			return "", item, err
		}
		if e, ok := q.ready.pop(); ok {
			q.nudge()
			q.mu.Unlock()
			return e.key, e.item, nil
		}
		q.mu.Unlock()
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
	}
}

// Done makes way for the next item of a key.
func (q *Queue[T]) Done(key string) {
	q.mu.Lock()
	q.done(key)
	q.mu.Unlock()
}

// Return puts an item that was taken back, behind all others.
func (q *Queue[T]) Return(key string, item T) {
	q.mu.Lock()
	q.done(key)
	q.put(key, item)
	q.mu.Unlock()
}

func (q *Queue[T]) done(key string) {
	if key == "" {
		return
	}
	if waiting := q.behind[key]; waiting != nil {
		if next, ok := waiting.pop(); ok {
			q.ready.push(entry[T]{key, next})
			q.nudge()
			return
		}
	}
	delete(q.behind, key)
}

// nudge wakes a taker if there is something to take.
func (q *Queue[T]) nudge() {
	if q.ready.len() == 0 {
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
