package wiring

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/participants"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// observation is how the service is watched from outside.
var observation = fx.Module("telemetry", fx.Provide(openTelemetry, observedWorkflows, observedAnswers))

// openTelemetry chooses exporters by the standard variables of OpenTelemetry.
// Metrics are kept for the operators' listener too, if it is on.
func openTelemetry(ctx context.Context, s config.Service, log *slog.Logger, opened *resources) (*telemetry.Telemetry, error) {
	t, err := telemetry.Open(ctx, telemetry.Config{Version: coordination.Version, Metrics: s.OpsListen != config.Off, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	opened.add(func() error { return t.Shutdown(context.Background()) })
	return t, nil
}

func observedWorkflows(e *engine.Engine, t *telemetry.Telemetry) ports.Workflows {
	return t.Workflows(e)
}

func observedAnswers(e *engine.Engine, t *telemetry.Telemetry) ports.Answers { return t.Answers(e) }

// observed has the API tell of its requests.
func observed(t *telemetry.Telemetry) func(*http.Request) (context.Context, func(rest.Served)) {
	return func(r *http.Request) (context.Context, func(rest.Served)) {
		ctx, end := t.Request(r)
		return ctx, func(s rest.Served) { end(telemetry.Response(s)) }
	}
}

// linkOf is how a participant is reached, as its spans tell.
func linkOf(s config.Service, service string, e participants.Entry) telemetry.Link {
	l := telemetry.Link{Service: service}
	switch e.Transport {
	case participants.HTTP:
		l.URL = e.URL
	case participants.Bus:
		l.Topic, l.System = coordination.TopicCommands(service), telemetry.BusSystem(s.Bus.Reveal())
	}
	return l
}
