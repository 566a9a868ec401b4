package wiring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/events"
	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// busWait is how long a start waits for a broker that is down.
	busWait  = 20 * time.Second
	busPause = 500 * time.Millisecond
	// busSubject is who a request over the bus comes from, for idempotency keys.
	busSubject = "message-bus"
)

// messageBus is the bus of --bus with all that uses it.
var messageBus = fx.Module("bus", fx.Provide(openBus, newEventSink, newInbound))

// openBus connects to the broker. One that is down may be on its way up.
func openBus(ctx context.Context, s config.Service, t *telemetry.Telemetry, log *slog.Logger, opened *resources) (ports.Bus, error) {
	ctx, cancel := context.WithTimeout(ctx, busWait)
	defer cancel()
	for {
		b, err := bus.Open(ctx, bus.Config{URL: s.Bus.Reveal(), Logger: log, Quarantined: t.Quarantined})
		switch {
		case err == nil:
			opened.add(b.Close)
			return t.Bus(telemetry.BusSystem(s.Bus.Reveal()), b), nil
		case !errors.Is(err, ports.ErrBusDown) || ctx.Err() != nil:
			return nil, fmt.Errorf("--bus: %w", err)
		}
		log.Warn("the message bus is down, trying again", "bus", s.Bus.String())
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("--bus: %w", err)
		case <-time.After(busPause):
		}
	}
}

// eventSink is where events go; nil inside for a bus that nobody else can read.
type eventSink struct{ ports.EventSink }

func newEventSink(s config.Service, b ports.Bus) eventSink {
	if s.Bus.InMemory() {
		return eventSink{}
	}
	return eventSink{events.New(b)}
}

// inbox is what this replica takes from the bus while it works.
type inbox struct {
	bus           ports.Bus
	subscriptions []ports.Subscription
	ctx           context.Context
	end           context.CancelFunc
}

func newInbound(s config.Service, b ports.Bus, e *engine.Engine, api *apiServer, t *telemetry.Telemetry, log *slog.Logger) *inbox {
	replies := inbound.Replies{To: e, Logger: log}
	if t.Tracing() {
		system := telemetry.BusSystem(s.Bus.Reveal())
		replies.Begin = func(ctx context.Context, e *coordination.CloudEvent) (context.Context, func(error)) {
			return t.Consume(ctx, system, coordination.TopicReplies, e)
		}
	}
	requests := inbound.Requests{API: trusted(api.Handler), BasePath: rest.BasePath, Bus: b, Logger: log}
	i := &inbox{bus: b, subscriptions: []ports.Subscription{replies.Subscription(), requests.Subscription()}}
	i.ctx, i.end = context.WithCancel(context.Background())
	return i
}

// trusted serves requests that come over the bus: whoever may publish there has
// the role service.
func trusted(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := rest.Caller{Subject: busSubject, Role: "service"}
		api.ServeHTTP(w, r.WithContext(rest.WithCaller(r.Context(), caller)))
	})
}

// open begins to take messages.
func (i *inbox) open() error {
	for _, s := range i.subscriptions {
		if err := i.bus.Subscribe(i.ctx, s); err != nil {
			return fmt.Errorf("--bus: subscribe to %s: %w", s.Topic, err)
		}
	}
	return nil
}

// close takes no more; what is being handled ends with the engine.
func (i *inbox) close() { i.end() }
