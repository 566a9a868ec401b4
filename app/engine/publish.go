package engine

import (
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// maxOwing bounds the ended workflows that a partition keeps in hand only to
// publish their last events. What is beyond it stays in the store's outbox
// until there is room.
const maxOwing = 1_000

// Publication is a run of committed events of one workflow for the message bus.
type Publication struct {
	WorkflowID string
	SagaID     string
	Trace      domain.Trace
	Template   *domain.Template
	First      int // the sequence number of Events[0]
	Events     []domain.Event
}

// last is the sequence number of the last event.
func (p Publication) last() int { return p.First + len(p.Events) - 1 }

// outgoing is what a slot knows of its events' way to the message bus.
type outgoing struct {
	// unpublished are the events from offered+1 on.
	unpublished []domain.Event
	// offered is the version up to which the world was given the events.
	offered int
	// published is the version up to which they have arrived, as far as is known.
	published int
	// owed, if above 0, is the version of the outbox entry that this replica keeps.
	owed int
	// mayOwe, if above 0, is the version with which the end of the workflow may
	// have been committed, or may yet be, with this replica as the keeper of its
	// outbox entry: that commit gave no verdict.
	mayOwe int
}

// PublishEvents makes the partition give every committed event to World.Publish.
// Call it before anything else.
func (p *Partition) PublishEvents() { p.publishes = true }

// Owing is how many ended workflows are in hand only until their last events
// are published.
func (p *Partition) Owing() int { return p.owing }

// Owe takes over an ended workflow whose last events the store says are not
// published.
func (p *Partition) Owe(now time.Time, s domain.State, unpublished []domain.Event) {
	sl := p.slots[s.WorkflowID]
	if sl == nil {
		sl = &slot{id: s.WorkflowID, timer: timer{index: -1}, state: s}
		p.slots[s.WorkflowID] = sl
		p.read(sl, unpublished)
	}
	if sl.waiting || sl.stale || sl.state.Version < s.Version {
		sl.mayOwe = max(sl.mayOwe, s.Version) // looked at when its state is known
		if !sl.waiting && !sl.stale {
			sl.stale = true // others have moved it on since it ended here
			p.run(now, sl)
		}
		return
	}
	p.owe(sl, s.Version)
	p.offer(sl)
	p.settle(sl)
	p.run(now, sl)
}

// Emitted tells that the events of a workflow up to a version have arrived at
// the message bus.
func (p *Partition) Emitted(now time.Time, workflowID string, upTo int) {
	sl := p.slots[workflowID]
	if sl == nil {
		return
	}
	sl.published = max(sl.published, upTo)
	p.settle(sl)
	if !sl.stale { // else it is loaded when its time comes
		p.run(now, sl)
	}
}

// read takes note of the events that a load found unpublished: those that end
// with the slot's state.
func (p *Partition) read(sl *slot, unpublished []domain.Event) {
	stored := sl.state.Version - len(unpublished)
	sl.published = max(sl.published, stored)
	sl.offered = max(sl.offered, stored)
	sl.unpublished = nil
	if p.publishes {
		sl.unpublished = unpublished[min(sl.offered-stored, len(unpublished)):]
	}
	// An older version says nothing: the commit may still come through.
	if sl.mayOwe > 0 && sl.state.Version >= sl.mayOwe && sl.state.Status.Terminal() {
		p.owe(sl, sl.state.Version)
	}
}

// offer gives the world the events that it does not have yet, if it is this
// replica's business.
func (p *Partition) offer(sl *slot) {
	if len(sl.unpublished) == 0 || sl.owner != p.replica && sl.owed == 0 {
		return
	}
	p.world.Publish(Publication{WorkflowID: sl.id, SagaID: sl.state.SagaID, Trace: sl.state.Trace, Template: sl.state.Template,
		First: sl.offered + 1, Events: sl.unpublished})
	sl.offered += len(sl.unpublished)
	sl.unpublished = nil
}

// owe makes the slot stay until its events up to version are published.
func (p *Partition) owe(sl *slot, version int) {
	if sl.owed == 0 {
		p.owing++
	}
	sl.owed = version
	if sl.mayOwe <= version {
		sl.mayOwe = 0
	}
}

// settle ends what is owed, once it is published. What may be owed by a workflow
// that is active again is, too: its events go the way of every active one's.
func (p *Partition) settle(sl *slot) {
	if sl.mayOwe > 0 && sl.published >= sl.mayOwe {
		p.world.Settled(ports.Published{WorkflowID: sl.id, Version: sl.mayOwe})
		sl.mayOwe = 0
	}
	if sl.owed > 0 && sl.published >= sl.owed {
		p.world.Settled(ports.Published{WorkflowID: sl.id, Version: sl.owed})
		p.owing--
		sl.owed = 0
	}
}

// owes fills in what the store must remember with a change that ends a workflow.
// One that only records an answer leaves the outbox as it is.
func (p *Partition) owes(c *ports.Change, next *domain.State) {
	if !p.publishes || !next.Status.Terminal() || next.Version == c.Expected {
		return
	}
	c.Owes = true
	if !p.draining && p.owing < maxOwing {
		c.Keeper = p.replica
	}
}
