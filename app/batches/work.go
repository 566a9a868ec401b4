package batches

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// work works a batch off until it has ended, is held by another replica, or this
// one stops.
func (r *Runner) work(b *ports.Batch) {
	what, err := keptOf(b)
	var a ask
	if err == nil {
		a, err = newAsk(b.Action, b.Reason, what.Request)
	}
	if err != nil { // it can only be cancelled
		r.Logger.Error("batch cannot be read and is not worked off", "batchId", b.ID, "error", err)
		return
	}
	r.Logger.Info("batch taken", "batchId", b.ID, "action", b.Action, "total", b.Total, "settled", b.Succeeded+b.Failed)
	w := &worker{Runner: r, batch: b, ask: a, pace: pace{every: time.Second / time.Duration(max(b.PerSecond, 1))}}
	pause := firstPause
	for r.draining.Err() == nil {
		more, err := w.chunk()
		switch {
		case errors.Is(err, ports.ErrConflict):
			r.Logger.Info("batch is worked off by another replica", "batchId", b.ID)
			return
		case err != nil:
			r.warn("batch rests", err, "batchId", b.ID, "for", pause.String())
			wait(r.draining, pause)
			pause = min(2*pause, maxPause)
		case !more:
			r.Logger.Info("batch ended", "batchId", b.ID)
			return
		default:
			pause = firstPause
		}
	}
}

// worker is one batch under way.
type worker struct {
	*Runner
	batch *ports.Batch
	ask   ask
	pace  pace
}

// chunk asks the next workflows and records what came of it; more is false when
// there were none. ErrConflict if the batch is held by another replica. Any other
// error passes: workflows without a result are asked again.
func (w *worker) chunk() (more bool, err error) {
	items, err := w.next()
	if err != nil || len(items) == 0 {
		return false, err
	}
	settled, busy := w.askAll(items)
	if err := w.settle(settled); err != nil || busy == nil {
		return true, err
	}
	return true, fmt.Errorf("a workflow cannot be asked now: %s", busy) // its ErrConflict is not the batch's
}

func (w *worker) next() ([]ports.BatchItem, error) {
	ctx, cancel := context.WithTimeout(w.ctx, storeTimeout)
	defer cancel()
	limit := min(max(w.batch.PerSecond/chunksPerSecond, 1), maxChunk)
	return w.Store.NextItems(ctx, w.batch.ID, w.replica, limit)
}

// settle records results. What cannot be recorded is asked again, and answers as
// before.
func (w *worker) settle(items []ports.BatchItem) error {
	if len(items) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, storeTimeout)
	defer cancel()
	return w.Store.SettleItems(ctx, w.batch.ID, w.replica, items)
}

// askAll asks workflows, one after the other as the rate allows, without waiting
// for the answer of one before the next is asked. It stops when one finds the
// coordinator too busy, and gives the results that there are, and the last error
// of those that there are not.
func (w *worker) askAll(items []ports.BatchItem) (settled []ports.BatchItem, busy error) {
	var asking sync.WaitGroup
	var mu sync.Mutex
	stop, tooBusy := context.WithCancel(w.draining)
	defer tooBusy()
	for _, item := range items {
		if !w.pace.wait(stop) {
			break
		}
		asking.Go(func() {
			answered, err := w.settled(item, errPanicked), error(nil)
			w.safely("request", func() { answered, err = w.askOne(item) })
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				busy = err
				tooBusy()
				return
			}
			settled = append(settled, answered)
		})
	}
	asking.Wait()
	return settled, busy
}

// errPanicked: the request ended in a panic.
var errPanicked = errors.New("panic")

// askOne asks one workflow and gives its result; an error is one that passes.
func (w *worker) askOne(item ports.BatchItem) (ports.BatchItem, error) {
	ctx, cancel := context.WithTimeout(onBehalf(w.ctx, w.batch), askTimeout)
	defer cancel()
	err := w.ask.of(ctx, w.Workflows, item.WorkflowID, itemKey(w.batch.ID, item.WorkflowID))
	if err != nil && passes(err) {
		return item, err
	}
	if err != nil && !expected(err) {
		w.Logger.Error("workflow of a batch cannot be asked", "batchId", w.batch.ID, "workflowId", item.WorkflowID, "error", err)
	}
	return w.settled(item, err), nil
}

// settled is an item with its result.
func (w *worker) settled(item ports.BatchItem, err error) ports.BatchItem {
	item.Done, item.Succeeded, item.At = true, err == nil, w.Clock.Now().UTC().Truncate(time.Millisecond)
	if err != nil {
		item.Code, item.Message = refusal(err)
	}
	return item
}

// pace spaces requests so that there are not more per second than allowed.
type pace struct {
	every time.Duration
	next  time.Time
}

// wait waits until the next request may be made; false if ctx ends before.
func (p *pace) wait(ctx context.Context) bool {
	now := time.Now()
	if p.next.Before(now) { // what was not used is not made up for
		p.next = now
	}
	if !wait(ctx, p.next.Sub(now)) {
		return false
	}
	p.next = p.next.Add(p.every)
	return true
}

// wait waits; false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
