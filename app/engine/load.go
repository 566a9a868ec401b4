package engine

import (
	"context"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Load is how much this replica has in hand now.
func (e *Engine) Load() ports.Load {
	l := ports.Load{Held: e.held(), Owing: e.owing(), Requests: int(e.requests.Load()), Services: e.pump.Load()}
	if e.relay != nil {
		l.Unsent = e.relay.depth()
	}
	return l
}

// Standing counts, over all replicas, the active workflows and those of them
// that are parked and that are stuck (parked ones included).
func (e *Engine) Standing(ctx context.Context) (active, parked, stuck int, err error) {
	if active, stuck, err = e.store.Live(ctx, stuckGrace); err != nil {
		return 0, 0, 0, err
	}
	page, err := e.store.List(ctx, ports.ListQuery{ActiveOnly: true, Status: domain.Parked, Limit: 1, Now: e.clock.Now()})
	return active, page.Total, stuck, err
}

// Load is what waits and what is under way, by service, in the order of their names.
func (p *Pump) Load() []ports.ServiceLoad {
	p.mu.Lock()
	defer p.mu.Unlock()
	load := make([]ports.ServiceLoad, 0, len(p.names))
	for _, name := range p.names {
		l := p.services[name]
		load = append(load, ports.ServiceLoad{Service: name, Queued: len(l.queue), InFlight: l.inFlight, Limit: l.limit, Shut: l.breaker.failures >= breakerThreshold})
	}
	return load
}

// depth is how many workflows have events that wait for the bus.
func (r *relay) depth() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queues)
}
