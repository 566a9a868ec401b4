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
	h.StoreUp, h.Active, h.Stuck, h.Pool = true, active, stuck, e.store.Pool()
}
