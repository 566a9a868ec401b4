package engine

import (
	"context"
	"time"
)

// What is in this file is for whoever moves the clock by hand (package
// coordtest): the engine's own timers would notice only by and by.

// Moved makes the engine look at its clock: every timer that is due fires, and
// what has become due in the store is claimed. It returns when that has begun;
// Still tells when it has ended.
func (e *Engine) Moved(ctx context.Context) error {
	e.pump.Expire(e.clock.Now())
	for _, l := range e.loops {
		l.post(func(*Partition, time.Time) {})
	}
	looked := make(chan struct{})
	select {
	case e.look <- looked:
	case <-e.ctx.Done():
		return e.ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-looked:
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

// Still reports that nothing is under way but so many deliveries, as far as
// nobody asks for anything meanwhile.
func (e *Engine) Still(deliveries func() int) bool {
	begun := e.called.Load()
	if int(e.calls.Load()) != deliveries() || e.committer.busy() {
		return false
	}
	// Every answer so far is with its partition: what it leads to shows as a
	// partition that waits for the store, or as another delivery.
	for _, l := range e.loops {
		if l.busy() {
			return false
		}
	}
	return e.called.Load() == begun && !e.committer.busy()
}

// NextTimer is when the first timer of what this replica holds fires; zero if
// there is none.
func (e *Engine) NextTimer() time.Time {
	var first time.Time
	for _, l := range e.loops {
		answer := make(chan time.Time, 1)
		l.post(func(p *Partition, _ time.Time) { answer <- p.NextWake() })
		select {
		case at := <-answer:
			if !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		case <-e.ctx.Done():
			return first
		}
	}
	return first
}
