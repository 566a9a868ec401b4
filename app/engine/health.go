package engine

import (
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// healthKept is how long a health check is good for: asking often costs nothing.
	healthKept = 2 * time.Second
	// healthTimeout bounds one round of checks.
	healthTimeout = 3 * time.Second
	// stuckGrace is how late a workflow may be before it counts as stuck.
	stuckGrace = 30 * time.Second
)

type healthCache struct {
	mu   sync.Mutex
	last ports.Health
}

// Health checks the store and every participant, all at once, at most every
// healthKept; callers in between get the last result.
func (e *Engine) Health(ctx context.Context) ports.Health {
	e.health.mu.Lock()
	defer e.health.mu.Unlock()
	if h := e.health.last; e.clock.Now().Sub(h.CheckedAt) < healthKept && !h.CheckedAt.IsZero() {
		return h
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTimeout)
	defer cancel()
	h := ports.Health{BusUp: true, QueueDepth: e.pump.Depth(), Dependencies: map[string]ports.DependencyHealth{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, s := range e.services {
		wg.Go(func() {
			began := time.Now()
			d := s.Participant.Check(ctx)
			if d.Up && d.ResponseTime == 0 { // in process: too fast for its own clock, but it was asked
				d.ResponseTime = max(time.Since(began), time.Microsecond)
			}
			if d.Up && e.pump.Shut(name, e.clock.Now()) {
				d.Up, d.Detail = false, "its circuit breaker is open"
			}
			mu.Lock()
			defer mu.Unlock()
			h.Dependencies[name] = d
		})
	}
	if e.pingBus != nil {
		wg.Go(func() {
			err := e.pingBus(ctx)
			mu.Lock()
			defer mu.Unlock()
			h.BusUp = err == nil
		})
	}
	e.checkStore(ctx, &h)
	wg.Wait()
	h.CheckedAt = e.clock.Now().UTC()
	e.health.last = h
	return h
}

func (e *Engine) checkStore(ctx context.Context, h *ports.Health) {
	if err := e.store.Ping(ctx); err != nil {
		e.log.Warn("store does not answer", "error", err)
		return
	}
	active, stuck, err := e.store.Live(ctx, stuckGrace)
	if err != nil {
		e.log.Warn("store does not count", "error", err)
		return
	}
	// The lease is what is written however little there is to do. It may still be
	// when the disk has no room for more.
	h.StoreUp = e.leased.Load() && e.committer.writes()
	h.StoreReadOnly = !h.StoreUp
	h.Active, h.Stuck, h.Pool = active, stuck, e.store.Pool()
	if stuck > 0 {
		h.StuckFirst = e.stuckFirst(ctx)
	}
}

// overdue is the reason of what nothing moved when it was due.
const overdue = "OVERDUE"

// stuckFirst names what has been stuck longest, as far as the store answers.
func (e *Engine) stuckFirst(ctx context.Context) []ports.StuckWorkflow {
	page, err := e.store.List(ctx, ports.ListQuery{ActiveOnly: true, Stuck: stuckGrace, Sort: ports.SortUpdatedAt, Ascending: true,
		Limit: ports.MaxStuckShown, Now: e.clock.Now()})
	if err != nil {
		e.log.Warn("stuck workflows not listed", "error", err)
		return nil
	}
	list := make([]ports.StuckWorkflow, 0, len(page.Rows))
	for i := range page.Rows {
		row := &page.Rows[i]
		stuck := ports.StuckWorkflow{WorkflowID: row.WorkflowID, Type: row.Type, Status: row.Status, Step: row.CurrentStep,
			ErrorCode: row.ErrorCode, Reason: overdue, Since: row.UpdatedAt}
		if snap, err := e.Workflow(ctx, row.WorkflowID); err == nil && snap.State.Parked != nil {
			p := snap.State.Parked
			stuck.Reason, stuck.Step, stuck.Since, stuck.Until = string(p.Reason), p.Step, p.Since, p.Until
			stuck.Actions = snap.State.AllowedActions()
		}
		list = append(list, stuck)
	}
	return list
}
