package engine

import (
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// decide handles one request: events to commit, or an answer at once.
func (p *Partition) decide(now time.Time, sl *slot, r Request) {
	_, isTick := r.Command.(domain.Tick)
	if isTick && (sl.owner != p.replica || p.draining) {
		return // what is due is the business of its holder, or of the next one
	}
	moment := domain.Moment{Now: now.UTC().Truncate(Resolution), Random: p.world.Random(), NewID: p.world.UUID()}
	if moment.Now.Before(sl.state.UpdatedAt) {
		moment.Now = sl.state.UpdatedAt // the log's time never runs backwards, whatever this clock says
	}
	if a, ok := r.Command.(domain.Answer); ok {
		a.HeldSince = sl.since
		r.Command = a
	}
	next, events, err := domain.Advance(sl.state, domain.At(r.Command, moment))
	switch {
	case len(events) == 0 && (err != nil || r.Key == nil):
		sl.idle = isTick
		r.reply(Result{State: sl.state, Err: err})
		return
	case r.Template != nil && len(events) == 0: // a start that had been committed although that was in doubt
		r.reply(Result{State: sl.state})
		return
	}
	data, encodeErr := encodeEvents(events)
	if encodeErr != nil {
		r.reply(Result{Err: encodeErr})
		return
	}
	c := ports.Change{Expected: sl.state.Version, Holder: sl.owner, Row: project(&next, p.holdFor(now, &next)),
		Events: data, Counts: counts(&sl.state, &next, events), Notices: notices(&next, events)}
	if r.Key != nil {
		c.Idempotency = &ports.IdempotencyRecord{Scope: r.Key.Scope, Fingerprint: r.Key.Fingerprint,
			WorkflowID: sl.id, Version: next.Version, CreatedAt: moment.Now}
	}
	if len(events) > 0 { // what is asked for again changes nothing
		c.Audit = p.audited(&r, &sl.state, &next, moment.Now)
	}
	p.owes(&c, &next)
	p.write(sl, &pending{request: r, began: now, next: next, events: events, change: c, refusal: err})
}

// notices are what subscribers are told of the last events of a workflow, now
// in state s.
func notices(s *domain.State, events []domain.Event) []ports.Notice {
	var list []ports.Notice
	first := s.Version - len(events) + 1
	for i := range events {
		if name := events[i].Announced(s.Template); name != "" {
			list = append(list, ports.Notice{Sequence: first + i, Event: string(name), At: events[i].At})
		}
	}
	return list
}

// write has a change committed; until its result comes nothing is decided.
func (p *Partition) write(sl *slot, change *pending) {
	sl.pending, sl.waiting = change, true
	change.change.Row.Published = sl.published
	p.timers.remove(&sl.timer)
	p.world.Commit(change.change)
}

// holdFor decides who looks after a workflow in state s: this replica while
// something is in flight or due soon, or while its events are not published;
// otherwise whoever is there when it is due.
func (p *Partition) holdFor(now time.Time, s *domain.State) hold {
	wake := s.WakeAt()
	switch {
	case s.Status.Terminal():
		return hold{}
	case p.draining:
		return hold{dueAt: now.UTC().Truncate(Resolution)}
	case p.publishes && wake.IsZero(): // parked: held until that is published
		return hold{owner: p.replica, wakeAt: now.UTC().Add(HoldFor).Truncate(Resolution)}
	case p.publishes || p.mustHold(now, s, wake):
		return hold{owner: p.replica, wakeAt: wake}
	default:
		return hold{dueAt: wake}
	}
}

// Committed brings the result of World.Commit.
func (p *Partition) Committed(now time.Time, workflowID string, err error) {
	sl := p.slots[workflowID]
	if sl == nil || sl.pending == nil {
		return
	}
	done := sl.pending
	sl.pending, sl.waiting = nil, false
	switch {
	case err == nil:
		p.committed(now, sl, done)
	case errors.Is(err, ports.ErrConflict):
		// Somebody else moved the workflow on. Read it and decide again.
		sl.queue = append([]Request{done.request}, sl.queue...)
		sl.stale = true
	case errors.Is(err, ports.ErrBusinessKeyTaken), errors.Is(err, ports.ErrIdempotencyKeyTaken):
		done.request.reply(Result{State: sl.state, Err: err})
	default:
		// It may have been committed or not, or may yet be: the slot stays until
		// the store says which.
		keeps := done.change.Owes && done.change.Keeper == p.replica
		if done.change.Holder != p.replica && (keeps || done.change.Row.Owner == p.replica) {
			sl.looks = looksInDoubt
		}
		if keeps {
			sl.mayOwe = max(sl.mayOwe, done.change.Row.Version)
		}
		sl.queue = append([]Request{done.request}, sl.queue...)
		sl.stale = true
		p.later(now, sl, err)
		return
	}
	p.run(now, sl)
}

// committed makes a durable transition known: only now may its caller be told
// and its commands be sent.
func (p *Partition) committed(now time.Time, sl *slot, done *pending) {
	before := &done.next
	sl.state, done.next = done.next, sl.state
	sl.owner, sl.backoff = done.change.Row.Owner, 0
	// Before the caller knows: whoever asks for traces or metrics then finds this in them.
	p.world.Changed(ports.Transition{Before: before, After: &sl.state, Events: done.events, Command: done.request.Command,
		Cause: done.request.Cause, Began: done.began, Ended: now})
	done.request.reply(Result{State: sl.state, Err: done.refusal})
	p.recorded(sl, done)
	if p.draining {
		return
	}
	if sl.resend { // the store handed it to us meanwhile: what it says now, and what is unanswered
		sl.stale = true
		return
	}
	if done.change.Holder != p.replica { // taken over from whoever held it, who may be gone with what it sent
		sl.since, sl.sent = done.change.Expected, 0
	}
	p.send(sl)
}

// recorded sends the events of a durable transition on their way to the bus.
func (p *Partition) recorded(sl *slot, done *pending) {
	if !p.publishes {
		return
	}
	sl.unpublished = append(sl.unpublished, done.events...)
	if done.change.Owes && done.change.Keeper == p.replica {
		p.owe(sl, sl.state.Version)
	}
	if !p.draining {
		p.offer(sl)
	}
}
