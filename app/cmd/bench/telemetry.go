package main

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/ports"
)

// observers are told what an engine does, one after the other.
type observers []ports.Observer

// Committed tells all of them of a transition.
func (o observers) Committed(t ports.Transition) {
	for _, one := range o {
		one.Committed(t)
	}
}

// Wrote tells all of them of a batch.
func (o observers) Wrote(errs []error, took time.Duration) {
	for _, one := range o {
		one.Wrote(errs, took)
	}
}

// observe has a case watched as the coordinator is: with metrics, and with
// traces if the variables of OpenTelemetry name a receiver.
func (s *subject) observe(ctx context.Context, p *partner) (ports.Observer, error) {
	t, err := telemetry.Open(ctx, telemetry.Config{Metrics: true})
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() { _ = t.Shutdown(context.WithoutCancel(ctx)) })
	p.participant = t.Participant(telemetry.Link{Service: benchService}, p.participant)
	s.workflows = t.Workflows
	return observers{t.Observer(), s.ended}, nil
}
