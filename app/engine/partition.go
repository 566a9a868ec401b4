package engine

import (
	"context"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of a partition.
const (
	// MaxQueuedPerWorkflow bounds how much may wait for one workflow.
	MaxQueuedPerWorkflow = 64
	// HoldFor is how long a replica keeps a workflow in memory that only
	// waits; one that waits longer is given up to whoever is there when it is due.
	HoldFor = 30 * time.Second

	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 5 * time.Second
	idleRecheck  = time.Second
	// A workflow whose commit, which would have made this replica its holder or
	// the keeper of its outbox entry, failed without a verdict is looked at looksInDoubt times, lookEvery apart:
	// a store may finish it after it gave its caller up, and nobody else would know.
	looksInDoubt = 10
	lookEvery    = 3 * time.Second
)

// World is what a partition can make happen. None of its methods may block or
// call back into the partition; their results come in as later calls.
type World interface {
	// Load reads a workflow; its result comes in at Loaded.
	Load(workflowID string)
	// Commit writes a change; its result comes in at Committed.
	Commit(c ports.Change)
	// Send gives a command to the pump; its answer comes in at Handle.
	Send(cmd domain.Dispatch)
	// Changed tells of a committed transition.
	Changed(t ports.Transition)
	// Publish brings committed events to the message bus, those of one workflow
	// in order; their arrival comes in at Emitted.
	Publish(p Publication)
	// Settled has the store forget an outbox entry whose events are published.
	Settled(done ports.Published)
	// UUID and Random are as in ports.Entropy.
	UUID() string
	Random() uint64
}

// Request is something for one workflow to handle.
type Request struct {
	WorkflowID string
	Command    domain.Command
	// Template is the template of a start.
	Template *domain.Template
	Key      *ports.IdempotencyKey
	// Cause is the context of the caller, if there is one: observers look at it,
	// and the audit finds in it who asks (ports.ActorOf).
	Cause context.Context
	// Reply is called once with what came of it, if somebody waits for that.
	Reply func(Result)
}

func (r *Request) reply(res Result) {
	if r.Reply != nil {
		r.Reply(res)
	}
}

// Result is what came of a request: the state right after it took effect, or why it did not.
type Result struct {
	State domain.State
	Err   error
}

// Partition is the part of a replica that handles a share of the workflows. It
// is a state machine without goroutines or I/O: one caller at a time, which is
// what makes one workflow never handled twice at once.
type Partition struct {
	replica  string
	world    World
	slots    map[string]*slot
	timers   timers
	draining bool

	publishes bool // see PublishEvents
	owing     int  // slots that owe
}

// slot is a workflow that this replica has in hand.
type slot struct {
	id    string
	state domain.State
	owner string // as stored
	// waiting: a load or commit is under way; until it ends nothing is decided.
	waiting bool
	// stale: the state must be loaded (again) before anything is decided.
	stale  bool
	resend bool // send what is unanswered as soon as the state is known
	// since is the version at which this replica began to look after the
	// workflow. What was sent up to it somebody else may have sent too, so that
	// one delivery that certainly did nothing proves nothing.
	since int
	// sent is the version up to which this replica has sent what was called for.
	sent int
	// looks is how often to look yet whether a commit in doubt has made this
	// replica the holder; counted, since clocks jump.
	looks   int
	idle    bool // the last tick found nothing to do
	pending *pending
	queue   []Request
	backoff time.Duration
	timer   timer
	outgoing
}

// pending is the change that is being committed.
type pending struct {
	request Request
	began   time.Time
	next    domain.State
	events  []domain.Event
	change  ports.Change
	refusal error // for the caller, although the change was recorded (a late answer)
}

// NewPartition makes an empty partition of a replica.
func NewPartition(replica string, world World) *Partition {
	return &Partition{replica: replica, world: world, slots: map[string]*slot{}}
}

// Held is how many workflows are in hand, without those that only owe events.
func (p *Partition) Held() int { return len(p.slots) - p.owing }

// Drain makes the partition finish what is being committed and give every
// workflow up instead of going on with it.
func (p *Partition) Drain() { p.draining = true }

// Busy reports whether a load or commit is under way.
func (p *Partition) Busy() bool {
	for _, sl := range p.slots {
		if sl.waiting {
			return true
		}
	}
	return false
}

// Handle is the way in.
func (p *Partition) Handle(now time.Time, r Request) {
	sl := p.slots[r.WorkflowID]
	if sl == nil {
		sl = &slot{id: r.WorkflowID, timer: timer{index: -1}}
		if r.Template != nil {
			sl.state = domain.New(r.WorkflowID, r.Template)
		} else {
			sl.stale = true
		}
		p.slots[r.WorkflowID] = sl
	}
	if len(sl.queue) >= MaxQueuedPerWorkflow {
		r.reply(Result{Err: ports.ErrOverloaded})
		return
	}
	sl.queue = append(sl.queue, r)
	p.run(now, sl)
}

// Adopt takes over a workflow that the store handed to this replica; unpublished
// are its last events, as far as they are not known to have reached the bus.
func (p *Partition) Adopt(now time.Time, s domain.State, unpublished []domain.Event) {
	sl := p.slots[s.WorkflowID]
	if sl == nil {
		sl = &slot{id: s.WorkflowID, timer: timer{index: -1}}
		p.slots[s.WorkflowID] = sl
	}
	if sl.waiting { // what is under way will find out by itself: its change is refused, it loads
		sl.resend = true
		return
	}
	if sl.owner != p.replica || sl.stale || sl.state.Version < s.Version {
		sl.state, sl.owner, sl.stale = s, p.replica, false
		p.read(sl, unpublished)
	}
	p.resume(now, sl, false)
}

// Loaded brings the result of World.Load: the workflow, its stored owner, and
// its last events, as far as they are not known to have reached the bus.
func (p *Partition) Loaded(now time.Time, workflowID string, s domain.State, owner string, unpublished []domain.Event, err error) {
	sl := p.slots[workflowID]
	if sl == nil || !sl.waiting || sl.pending != nil {
		return
	}
	sl.waiting = false
	switch {
	case sl.resend && owner != p.replica && (err == nil || errors.Is(err, ports.ErrNotFound)):
		sl.resend = false // read before the store handed it to us
		p.run(now, sl)
	case errors.Is(err, ports.ErrNotFound):
		for _, r := range sl.queue {
			r.reply(Result{Err: ports.ErrNotFound})
		}
		sl.queue = nil
		p.letGo(now, sl)
	case err != nil:
		p.later(now, sl, err)
	default:
		kept := sl.owner == p.replica && owner == p.replica && !sl.resend
		sl.state, sl.owner, sl.stale, sl.backoff = s, owner, false, 0
		p.read(sl, unpublished)
		p.resume(now, sl, kept)
	}
}

// resume goes on with a workflow whose state was just read. kept: this replica
// has held it all the time, and sent what it called for as far as it knew.
func (p *Partition) resume(now time.Time, sl *slot, kept bool) {
	if !kept {
		// Whatever was sent before may have been lost with its answer. Sending
		// it again is harmless: the key is the same.
		sl.since, sl.sent = sl.state.Version, 0
	}
	if sl.owner == p.replica && !p.draining {
		p.send(sl)
	}
	p.offer(sl)
	p.settle(sl)
	sl.resend = false
	p.run(now, sl)
}

// send gives the pump what is called for and was not yet sent.
func (p *Partition) send(sl *slot) {
	for _, cmd := range domain.Effects(sl.state, sl.sent) {
		p.world.Send(cmd)
	}
	sl.sent = sl.state.Version
}

// later tries again after a failure of the store. Whoever waits for an answer
// is told now; what nobody waits for stays queued.
func (p *Partition) later(now time.Time, sl *slot, err error) {
	kept := sl.queue[:0]
	for _, r := range sl.queue {
		if r.Reply == nil {
			kept = append(kept, r)
			continue
		}
		r.reply(Result{Err: err})
	}
	sl.queue = kept
	sl.stale = true
	sl.backoff = min(max(2*sl.backoff, firstBackoff), maxBackoff)
	p.timers.set(&sl.timer, sl, now.Add(sl.backoff))
}

// run decides what is queued, one request after the other, until a commit or
// load is under way or nothing is left.
func (p *Partition) run(now time.Time, sl *slot) {
	for !sl.waiting {
		if sl.stale {
			sl.waiting = true
			p.timers.remove(&sl.timer)
			p.world.Load(sl.id)
			return
		}
		if len(sl.queue) == 0 {
			p.rest(now, sl)
			return
		}
		r := sl.queue[0]
		sl.queue[0] = Request{}
		sl.queue = sl.queue[1:]
		p.decide(now, sl, r)
	}
}

// rest leaves a workflow alone until something arrives or it is due.
func (p *Partition) rest(now time.Time, sl *slot) {
	if sl.owner != p.replica || sl.state.Status.Terminal() || sl.state.Version == 0 {
		if sl.owed == 0 {
			p.letGo(now, sl)
		}
		return
	}
	at := sl.state.WakeAt()
	if !p.draining && p.nothingToHold(now, &sl.state, at) && (!p.publishes || sl.published == sl.state.Version) {
		p.write(sl, &pending{request: Request{WorkflowID: sl.id, Command: domain.Tick{}}, began: now, next: sl.state,
			change: ports.Change{Expected: sl.state.Version, Holder: sl.owner, Row: project(&sl.state, hold{dueAt: at})}})
		return
	}
	if recheck := now.Add(idleRecheck); at.IsZero() || sl.idle && at.Before(recheck) {
		at = recheck
	}
	sl.idle = false
	p.timers.set(&sl.timer, sl, decidable(at))
}

// nothingToHold reports whether a workflow that this replica holds, and that
// will move again at wake, can be given up: it is parked until a person acts,
// or it was kept through a long wait only until its events were published.
func (p *Partition) nothingToHold(now time.Time, s *domain.State, wake time.Time) bool {
	return wake.IsZero() || p.publishes && !p.mustHold(now, s, wake)
}

// mustHold reports whether a workflow has something in flight or due soon.
func (p *Partition) mustHold(now time.Time, s *domain.State, wake time.Time) bool {
	return s.Unanswered() || !wake.IsZero() && wake.Sub(now) < HoldFor
}

// decidable is the first moment at which a decision sees that at has come:
// decisions see time in steps of Resolution, and a wait with jitter ends
// between two of them.
func decidable(at time.Time) time.Time {
	if step := at.Truncate(Resolution); step.Before(at) {
		return step.Add(Resolution)
	}
	return at
}

// letGo forgets a workflow that is not this replica's, unless a commit in doubt
// may yet make it so.
func (p *Partition) letGo(now time.Time, sl *slot) {
	if sl.looks > 0 {
		sl.looks--
		sl.stale = true
		p.timers.set(&sl.timer, sl, now.Add(lookEvery))
		return
	}
	p.drop(sl)
}

func (p *Partition) drop(sl *slot) {
	if sl.owed > 0 {
		p.owing--
	}
	p.timers.remove(&sl.timer)
	delete(p.slots, sl.id)
}

// NextWake is when Tick must be called at the latest; zero: not until something arrives.
func (p *Partition) NextWake() time.Time { return p.timers.next() }

// Tick lets everything happen that is due.
func (p *Partition) Tick(now time.Time) {
	for {
		sl := p.timers.pop(now)
		if sl == nil {
			return
		}
		switch {
		case sl.stale:
		case p.draining:
			continue // whoever holds it next lets it be due
		default:
			sl.queue = append(sl.queue, Request{WorkflowID: sl.id, Command: domain.Tick{}})
		}
		p.run(now, sl)
	}
}
