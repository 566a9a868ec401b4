package engine

import (
	"container/heap"
	"time"
)

// timer is the place of a slot in the timers; index -1 is: not in.
type timer struct {
	at    time.Time
	slot  *slot
	index int
}

// timers is a heap of the next wake-ups, earliest first; equal times in order
// of workflow ID, so that the same inputs give the same run.
type timers struct{ list []*timer }

func (t *timers) Len() int { return len(t.list) }
func (t *timers) Less(i, j int) bool {
	if t.list[i].at.Equal(t.list[j].at) {
		return t.list[i].slot.id < t.list[j].slot.id
	}
	return t.list[i].at.Before(t.list[j].at)
}
func (t *timers) Swap(i, j int) {
	t.list[i], t.list[j] = t.list[j], t.list[i]
	t.list[i].index, t.list[j].index = i, j
}
func (t *timers) Push(x any) {
	e := x.(*timer)
	e.index = len(t.list)
	t.list = append(t.list, e)
}
func (t *timers) Pop() any {
	n := len(t.list) - 1
	e := t.list[n]
	t.list[n] = nil
	t.list = t.list[:n]
	e.index = -1
	return e
}

// set arms or moves the timer of a slot.
func (t *timers) set(e *timer, sl *slot, at time.Time) {
	e.at, e.slot = at, sl
	if e.index >= 0 {
		heap.Fix(t, e.index)
		return
	}
	heap.Push(t, e)
}

func (t *timers) remove(e *timer) {
	if e.index >= 0 {
		heap.Remove(t, e.index)
	}
}

func (t *timers) next() time.Time {
	if len(t.list) == 0 {
		return time.Time{}
	}
	return t.list[0].at
}

// pop takes out a slot that is due at now, or gives nil.
func (t *timers) pop(now time.Time) *slot {
	if len(t.list) == 0 || t.list[0].at.After(now) {
		return nil
	}
	return heap.Pop(t).(*timer).slot
}
