package telemetry

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// standingKept is how long the counts of the store are good for: asking often
	// costs nothing.
	standingKept    = 5 * time.Second
	standingTimeout = 3 * time.Second
	poolName        = "store"
)

// Watched is what is looked at whenever metrics are read. Each may be nil.
type Watched struct {
	// Load is what this process has in hand.
	Load func() ports.Load
	// Standing counts workflows over all replicas.
	Standing func(context.Context) (active, parked, stuck int, err error)
	// Connections are those of the store.
	Connections func() (used, idle, limit int)
	// Webhooks are the deliveries that are not settled and how late the oldest
	// one is, and the subscriptions that their receivers' conduct disabled.
	Webhooks func(context.Context) (pending int, late time.Duration, disabled int, err error)
	// Unswept is how long ago nothing was over the age at which retention removes it.
	Unswept func() time.Duration
}

// Watch has w looked at whenever metrics are read.
func (t *Telemetry) Watch(w Watched) error {
	if !t.metering {
		return nil
	}
	g := gauges{meter: t.meter}
	if w.Load != nil {
		g.load(w.Load)
	}
	if w.Standing != nil {
		g.standing(w.Standing)
	}
	if w.Connections != nil {
		g.connections(w.Connections)
	}
	if w.Webhooks != nil {
		g.webhooks(w.Webhooks)
	}
	if w.Unswept != nil {
		g.unswept(w.Unswept)
	}
	return errors.Join(g.errs...)
}

type gauges struct {
	meter metric.Meter
	errs  []error
}

func (g *gauges) gauge(name, unit, description string) metric.Int64ObservableGauge {
	i, err := g.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	g.errs = append(g.errs, err)
	return i
}

func (g *gauges) when(read metric.Callback, of ...metric.Observable) {
	_, err := g.meter.RegisterCallback(read, of...)
	g.errs = append(g.errs, err)
}

func (g *gauges) load(read func() ports.Load) {
	held := g.gauge("coordination.engine.held", "{workflow}", "Workflows that this replica has in memory")
	owing := g.gauge("coordination.engine.owing", "{workflow}", "Ended workflows in memory until their last events are published")
	requests := g.gauge("coordination.engine.requests", "{request}", "Callers that wait for the engine")
	unsent := g.gauge("coordination.engine.unpublished", "{workflow}", "Workflows whose events wait for the message bus")
	queued := g.gauge("coordination.participant.queued", "{command}", "Commands that wait to be sent")
	inFlight := g.gauge("coordination.participant.in_flight", "{command}", "Commands that are being sent")
	limit := g.gauge("coordination.participant.limit", "{command}", "How many commands may be sent at once")
	open := g.gauge("coordination.participant.breaker.open", "{breaker}", "1 while the circuit breaker of the participant is open, else 0")
	g.when(func(_ context.Context, o metric.Observer) error {
		l := read()
		o.ObserveInt64(held, int64(l.Held))
		o.ObserveInt64(owing, int64(l.Owing))
		o.ObserveInt64(requests, int64(l.Requests))
		o.ObserveInt64(unsent, int64(l.Unsent))
		for _, s := range l.Services {
			of := metric.WithAttributeSet(attribute.NewSet(keyService.String(s.Service)))
			o.ObserveInt64(queued, int64(s.Queued), of)
			o.ObserveInt64(inFlight, int64(s.InFlight), of)
			o.ObserveInt64(limit, int64(s.Limit), of)
			state := int64(0)
			if s.Shut {
				state = 1
			}
			o.ObserveInt64(open, state, of)
		}
		return nil
	}, held, owing, requests, unsent, queued, inFlight, limit, open)
}

// kept asks the store for numbers at most once in standingKept. While it is
// down, ok is false: /health says so, no number is better than a wrong one.
func kept(count func(ctx context.Context) ([3]int64, error)) func(ctx context.Context) (last [3]int64, ok bool) {
	var mu sync.Mutex
	var last [3]int64
	var at time.Time
	var failed error
	return func(ctx context.Context) ([3]int64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) >= standingKept {
			ctx, cancel := context.WithTimeout(ctx, standingTimeout)
			defer cancel()
			last, failed = count(ctx)
			at = time.Now()
		}
		return last, failed == nil
	}
}

func (g *gauges) standing(count func(context.Context) (active, parked, stuck int, err error)) {
	active := g.gauge("coordination.workflow.active", "{workflow}", "Active workflows, over all replicas")
	parked := g.gauge("coordination.workflow.parked", "{workflow}", "Workflows that wait for a person, over all replicas")
	stuck := g.gauge("coordination.workflow.stuck", "{workflow}", "Parked workflows and those without a reason to move again, over all replicas")
	read := kept(func(ctx context.Context) ([3]int64, error) {
		a, p, u, err := count(ctx)
		return [3]int64{int64(a), int64(p), int64(u)}, err
	})
	g.when(func(ctx context.Context, o metric.Observer) error {
		if n, ok := read(ctx); ok {
			o.ObserveInt64(active, n[0])
			o.ObserveInt64(parked, n[1])
			o.ObserveInt64(stuck, n[2])
		}
		return nil
	}, active, parked, stuck)
}

func (g *gauges) connections(read func() (used, idle, limit int)) {
	count := g.gauge("db.client.connection.count", "{connection}", "Connections of the store's pool")
	limit := g.gauge("db.client.connection.max", "{connection}", "How many connections the store's pool may open")
	pool := semconv.DBClientConnectionPoolName(poolName)
	used := metric.WithAttributeSet(attribute.NewSet(pool, semconv.DBClientConnectionStateUsed))
	idle := metric.WithAttributeSet(attribute.NewSet(pool, semconv.DBClientConnectionStateIdle))
	all := metric.WithAttributeSet(attribute.NewSet(pool))
	g.when(func(_ context.Context, o metric.Observer) error {
		inUse, spare, most := read()
		o.ObserveInt64(count, int64(inUse), used)
		o.ObserveInt64(count, int64(spare), idle)
		o.ObserveInt64(limit, int64(most), all)
		return nil
	}, count, limit)
}

func (g *gauges) webhooks(count func(context.Context) (pending int, late time.Duration, disabled int, err error)) {
	pending := g.gauge("coordination.webhook.pending", "{delivery}", "Deliveries to webhooks that are not settled, over all replicas")
	late := g.gauge("coordination.webhook.late", "s", "By how much the oldest delivery is overdue")
	disabled := g.gauge("coordination.webhook.disabled", "{webhook}", "Webhooks that were disabled because of what their receivers did")
	read := kept(func(ctx context.Context) ([3]int64, error) {
		n, overdue, off, err := count(ctx)
		return [3]int64{int64(n), int64(overdue.Seconds()), int64(off)}, err
	})
	g.when(func(ctx context.Context, o metric.Observer) error {
		if n, ok := read(ctx); ok {
			o.ObserveInt64(pending, n[0])
			o.ObserveInt64(late, n[1])
			o.ObserveInt64(disabled, n[2])
		}
		return nil
	}, pending, late, disabled)
}
