package wiring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.uber.org/dig"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/retention"
)

// ErrUnfinished: a stop had to cut something off. Nothing is lost by it: other
// replicas, or the next start, take it up again.
var ErrUnfinished = errors.New("not everything ended in time")

// Service is a coordinator. New opens what it needs, Start lets it work, Stop
// ends it and closes everything.
type Service struct {
	parts  parts
	opened *resources
	api    *endpoint
	ops    *endpoint // nil if it is off
	failed chan error

	working  bool
	stopping sync.Once
}

// parts is what the graph builds.
type parts struct {
	fx.In

	Listeners  *listeners
	Engine     *engine.Engine
	Simulation *simulated.Services
	Telemetry  *telemetry.Telemetry
	API        *apiServer
	Ready      *readiness
	Inbox      *inbox
	Dispatcher *webhook.Dispatcher
	Batches    *batches.Runner
	Sweeper    *retention.Sweeper
}

// New assembles a service; ctx bounds the opening of its store. The error names
// the setting at fault, and nothing stays open.
func New(ctx context.Context, settings config.Service, log *slog.Logger) (*Service, error) {
	s := &Service{opened: &resources{}, failed: make(chan error, 2)} // one for each endpoint
	app := fx.New(graph(ctx, settings, log, s.opened), fx.Populate(&s.parts))
	if err := app.Err(); err != nil {
		return nil, errors.Join(dig.RootCause(err), s.opened.close())
	}
	s.parts.Simulation.SetAnswers(s.parts.Engine)
	s.api = newEndpoint(s.parts.Listeners.API, s.parts.API.Server, s.failed)
	if s.parts.Listeners.Ops != nil {
		s.ops = newEndpoint(s.parts.Listeners.Ops, opsServer(s.parts.Telemetry.Handler()), s.failed)
	}
	return s, nil
}

// graph is everything that the settings choose.
func graph(ctx context.Context, settings config.Service, log *slog.Logger, opened *resources) fx.Option {
	return fx.Options(
		fx.WithLogger(func() fxevent.Logger { return steps{log} }),
		fx.Supply(settings, log, opened),
		fx.Provide(func() context.Context { return ctx }),
		stores[settings.Store.Kind],
		sealed,
		participantsOf(settings),
		keysOf(settings),
		core,
		observation,
		messageBus,
		hooks,
		manyAtOnce,
		sweeping,
		api,
	)
}

// steps logs which constructors were called. Nothing else of what fx tells is
// news: New returns the error.
type steps struct{ log *slog.Logger }

// LogEvent is called by fx for everything it does.
func (s steps) LogEvent(event fxevent.Event) {
	if run, ok := event.(*fxevent.Run); ok && run.Err == nil {
		s.log.Debug("assembled", "by", run.Name, "took", run.Runtime)
	}
}

// Start lets the service work and answer. If it fails, Stop must still be called.
func (s *Service) Start(ctx context.Context) error {
	if err := s.parts.Engine.Open(ctx); err != nil {
		return err
	}
	s.working = true
	if err := s.parts.Dispatcher.Start(ctx); err != nil {
		return err
	}
	if err := s.parts.Batches.Start(ctx); err != nil {
		return err
	}
	if err := s.parts.Inbox.open(); err != nil {
		return err
	}
	for _, e := range s.endpoints() {
		e.serve()
	}
	s.parts.Sweeper.Start()
	s.parts.Ready.Store(true)
	return nil
}

// Failed tells why the service stopped answering although nobody stopped it.
func (s *Service) Failed() <-chan error { return s.failed }

// Stop accepts no request any more, lets what is under way end, gives the rest
// up to other replicas and closes everything, all before ctx ends. Its error
// says what did not end well. It may be called twice.
func (s *Service) Stop(ctx context.Context) error {
	var errs []error
	s.stopping.Do(func() {
		s.parts.Ready.Store(false)
		if s.working {
			errs = append(errs, s.drain(ctx))
		}
		errs = append(errs, s.parts.Telemetry.Shutdown(ctx), s.opened.close())
	})
	return errors.Join(errs...)
}

// drain ends the work in the order in which it depends on each other: callers
// that wait for a workflow are let go by the engine.
func (s *Service) drain(ctx context.Context) error {
	s.parts.Sweeper.Close()
	s.api.shut(ctx)
	s.parts.Inbox.close()
	early, cancel := beforeEnd(ctx, quietTime)
	defer cancel()
	others := make(chan error, 2)
	go func() { others <- s.parts.Batches.Close(early) }()
	go func() { others <- s.parts.Dispatcher.Close(early) }()
	err := errors.Join(s.parts.Engine.Close(early), <-others, <-others)
	if err != nil && early.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	for _, e := range s.endpoints() {
		err = errors.Join(err, e.finish(ctx))
	}
	return err
}

// beforeEnd is ctx shortened by margin, or by half of what is left if that is less.
func beforeEnd(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	margin = min(margin, time.Until(deadline)/2)
	return context.WithDeadline(ctx, deadline.Add(-margin))
}

func (s *Service) endpoints() []*endpoint {
	if s.ops == nil {
		return []*endpoint{s.api}
	}
	return []*endpoint{s.api, s.ops}
}

// Replica is the name under which the store knows this process.
func (s *Service) Replica() string { return s.parts.Engine.Replica() }

// BaseURL is where this machine reaches the service.
func (s *Service) BaseURL() string { return config.BaseURL(s.api.listener.Addr()) }

// APIURL is the base URL of the API.
func (s *Service) APIURL() string { return s.BaseURL() + rest.BasePath }

// OpsURL is where this machine reaches the operators' listener; "" if it is off.
func (s *Service) OpsURL() string {
	if s.ops == nil {
		return ""
	}
	return config.BaseURL(s.ops.listener.Addr())
}
