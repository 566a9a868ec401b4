package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// loop drives one partition: the only goroutine that touches it. What comes
// from other goroutines is posted to its mailbox, which is bounded by what can
// be posted: one result per commit, load and delivery under way, and the
// callers that MaxRequests admits.
type loop struct {
	engine    *Engine
	partition *Partition
	held      atomic.Int64
	owing     atomic.Int64
	batch     int // how many changes had the result that the partition takes now; only run uses it

	mu      sync.Mutex
	mailbox []message
	wake    chan struct{}
}

type message func(p *Partition, now time.Time)

func newLoop(e *Engine) *loop {
	l := &loop{engine: e, wake: make(chan struct{}, 1)}
	l.partition = NewPartition(e.cfg.Replica, l)
	if e.relay != nil {
		l.partition.PublishEvents()
	}
	return l
}

// post gives the partition something to do. It never blocks.
func (l *loop) post(m message) {
	l.mu.Lock()
	l.mailbox = append(l.mailbox, m)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// busy reports whether the mailbox holds anything, a timer is due, or the
// partition waits for the store.
func (l *loop) busy() bool {
	answer := make(chan bool, 1)
	l.post(func(p *Partition, now time.Time) {
		wake := p.NextWake()
		answer <- p.Busy() || !wake.IsZero() && !wake.After(now)
	})
	select {
	case b := <-answer:
		return b
	case <-l.engine.ctx.Done():
		return false
	}
}

// run handles the mailbox and the timers until the engine stops.
func (l *loop) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []message
	for {
		l.mu.Lock()
		work := l.mailbox
		l.mailbox = spare[:0]
		l.mu.Unlock()
		for i, m := range work {
			m(l.partition, l.engine.clock.Now())
			work[i] = nil
		}
		spare = work
		l.partition.Tick(l.engine.clock.Now())
		l.held.Store(int64(l.partition.Held()))
		l.owing.Store(int64(l.partition.Owing()))
		if len(work) > 0 {
			continue // more may have come meanwhile
		}
		l.arm(timer)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-l.engine.ctx.Done():
			return
		}
	}
}

func (l *loop) arm(timer *time.Timer) {
	wait := time.Hour
	if at := l.partition.NextWake(); !at.IsZero() {
		wait = max(at.Sub(l.engine.clock.Now()), 0)
	}
	timer.Reset(wait)
}

// The rest is World, called by the partition in run.

var _ World = (*loop)(nil)

// Load reads and folds a workflow in a goroutine of its own.
func (l *loop) Load(workflowID string) {
	l.engine.running.Go(func() {
		e := l.engine
		select {
		case e.loaders <- struct{}{}:
			defer func() { <-e.loaders }()
		case <-e.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
		defer cancel()
		snap, row, err := e.load(ctx, workflowID)
		l.post(func(p *Partition, now time.Time) {
			p.Loaded(now, workflowID, snap.State, row.Owner, unpublished(snap, row), err)
		})
	})
}

// Commit hands a change to the group commit.
func (l *loop) Commit(c ports.Change) { l.engine.committer.add(c) }

// Send gives a committed command to the pump.
func (l *loop) Send(cmd domain.Dispatch) { l.engine.pump.Send(l.engine.clock.Now(), cmd) }

// Changed wakes whoever watches the workflow.
func (l *loop) Changed(t ports.Transition) {
	l.engine.watchers.changed(t.After)
	if l.engine.observer != nil {
		t.Batch = l.batch
		l.engine.observer.Committed(t)
	}
}

// Publish gives committed events to the relay.
func (l *loop) Publish(p Publication) { l.engine.relay.add(p) }

// Settled has the outbox forget a workflow.
func (l *loop) Settled(done ports.Published) { l.engine.relay.settle(done) }

// UUID is a new UUIDv7.
func (l *loop) UUID() string { return l.engine.entropy.UUID() }

// Random is a random number.
func (l *loop) Random() uint64 { return l.engine.entropy.Random() }
