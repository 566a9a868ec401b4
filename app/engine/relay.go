package engine

import (
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the relay.
const (
	// relayWorkers is how many workflows have an event on its way at once.
	relayWorkers = 64
	emitTimeout  = 10 * time.Second
	settleBatch  = ports.MaxBatch
	// settleEvery is how long what is published may stay in the store's outbox:
	// that it goes in few large batches costs nothing but a repetition after a crash.
	settleEvery = 100 * time.Millisecond
)

// relay brings committed events to the message bus: those of one workflow one
// after the other, each until the bus has it. What it holds in memory is
// bounded by what the partitions have in hand.
type relay struct {
	sink    ports.EventSink
	emitted func(workflowID string, upTo int)

	mu     sync.Mutex
	ready  *sync.Cond
	queues map[string][]Publication // by workflow; present while one of its events is on its way
	turn   []string                 // workflows that wait for a worker
	closed bool

	settling sync.Mutex
	settled  []ports.Published
}

func newRelay(sink ports.EventSink, emitted func(string, int)) *relay {
	r := &relay{sink: sink, emitted: emitted, queues: map[string][]Publication{}}
	r.ready = sync.NewCond(&r.mu)
	return r
}

// add queues what a partition wants published. It never blocks.
func (r *relay) add(p Publication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue, busy := r.queues[p.WorkflowID]
	r.queues[p.WorkflowID] = append(queue, p)
	if !busy {
		r.turn = append(r.turn, p.WorkflowID)
		r.ready.Signal()
	}
}

// close ends the workers.
func (r *relay) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.ready.Broadcast()
}

// work is one worker.
func (r *relay) work(ctx context.Context) {
	for {
		p, ok := r.next()
		if !ok || !r.publish(ctx, p) {
			return
		}
		r.emitted(p.WorkflowID, p.last())
		r.done(p.WorkflowID)
	}
}

// next waits for a workflow whose turn it is.
func (r *relay) next() (Publication, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.turn) == 0 && !r.closed {
		r.ready.Wait()
	}
	if r.closed {
		return Publication{}, false
	}
	id := r.turn[0]
	r.turn[0] = ""
	if r.turn = r.turn[1:]; len(r.turn) == 0 {
		r.turn = nil
	}
	return r.queues[id][0], true
}

// done lets the next publication of a workflow have its turn.
func (r *relay) done(workflowID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.queues[workflowID][1:]
	if len(queue) == 0 {
		delete(r.queues, workflowID)
		return
	}
	r.queues[workflowID] = queue
	r.turn = append(r.turn, workflowID)
	r.ready.Signal()
}

// publish emits every event until the bus has it; false when ctx ended before.
func (r *relay) publish(ctx context.Context, p Publication) bool {
	for i := range p.Events {
		e := ports.EmittedEvent{Template: p.Template, WorkflowID: p.WorkflowID, SagaID: p.SagaID, Trace: p.Trace,
			Sequence: p.First + i, Event: &p.Events[i]}
		for pause := firstBackoff; !r.emit(ctx, e); pause = min(2*pause, maxBackoff) {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(pause):
			}
		}
	}
	return true
}

func (r *relay) emit(ctx context.Context, e ports.EmittedEvent) bool {
	ctx, cancel := context.WithTimeout(ctx, emitTimeout)
	defer cancel()
	return r.sink.Emit(ctx, e) == nil
}

// settle queues outbox entries to be forgotten.
func (r *relay) settle(done ports.Published) {
	r.settling.Lock()
	defer r.settling.Unlock()
	r.settled = append(r.settled, done)
}

// takeSettled is up to one batch of them.
func (r *relay) takeSettled() []ports.Published {
	r.settling.Lock()
	defer r.settling.Unlock()
	n := min(len(r.settled), settleBatch)
	batch := append([]ports.Published(nil), r.settled[:n]...)
	r.settled = append(r.settled[:0], r.settled[n:]...)
	return batch
}

// keepSettled puts back what the store did not take.
func (r *relay) keepSettled(batch []ports.Published) {
	r.settling.Lock()
	defer r.settling.Unlock()
	r.settled = append(r.settled, batch...)
}

// settleOutbox has the store forget what is published.
func (e *Engine) settleOutbox() {
	every := time.NewTicker(settleEvery)
	defer every.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-every.C:
		}
		for e.ctx.Err() == nil {
			batch := e.relay.takeSettled()
			if len(batch) == 0 {
				break
			}
			ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
			err := e.store.Published(ctx, batch)
			cancel()
			if err != nil {
				e.relay.keepSettled(batch)
				if e.ctx.Err() == nil {
					e.log.Warn("published workflows not taken off the outbox", "error", err)
				}
				break
			}
		}
	}
}

// claimOwed takes over ended workflows whose last events are still to be
// published, as far as there is room for them.
func (e *Engine) claimOwed(ctx context.Context) {
	room := len(e.loops)*maxOwing/2 - e.owing()
	if e.relay == nil || room <= 0 {
		return
	}
	records, err := e.store.ClaimOwed(ctx, e.cfg.Replica, min(room, claimBatch))
	if err != nil {
		e.claimFailed("unpublished workflows not claimed", err)
		return
	}
	e.take(ctx, records, "workflow cannot be published", (*Partition).Owe)
}

// unpublished are the events of a workflow that are not known to have reached the bus.
func unpublished(snap ports.Snapshot, row ports.Row) []domain.Event {
	return snap.Events[min(row.Published, len(snap.Events)):]
}
