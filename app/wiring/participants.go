package wiring

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/participants"
	"github.com/firstviscount/platform-coordination/adapters/participants/busclient"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/templates"
	"github.com/firstviscount/platform-coordination/ports"
)

// The profiles of --participants.
var (
	simulatedParticipants = fx.Module("participants/simulated", fx.Provide(openSimulation, simulateAll))
	listedParticipants    = fx.Module("participants/file", fx.Provide(openSimulation, openListed))
)

// participantsOf picks the profile of the settings.
func participantsOf(s config.Service) fx.Option {
	if s.Participants == "" {
		return simulatedParticipants
	}
	return listedParticipants
}

// participantSet is who carries out the steps, by service.
type participantSet map[string]engine.Service

// openSimulation makes the simulated services. They can call back once they
// are told whom.
func openSimulation(opened *resources) *simulated.Services {
	services := simulated.New(simulated.Config{})
	opened.add(func() error { services.Close(); return nil })
	return services
}

// simulateAll plays every service of the templates in this process.
func simulateAll(s config.Service, simulation *simulated.Services, list templateList, t *telemetry.Telemetry, opened *resources) (participantSet, error) {
	return openParticipants(s, participants.Config{Services: templates.Services(list), Simulated: simulation}, t, opened)
}

// openListed reaches the services as the participants file says.
func openListed(s config.Service, open *listeners, simulation *simulated.Services, list templateList, b ports.Bus, t *telemetry.Telemetry, opened *resources) (participantSet, error) {
	file, err := participants.Load(s.Participants)
	if err != nil {
		return nil, fmt.Errorf("--participants: %w", err)
	}
	c := participants.Config{
		File:            file,
		Services:        templates.Services(list),
		CallbackBaseURL: s.CallbackBase(open.API.Addr()),
		Simulated:       simulation,
		Bus:             onBus(s, open, simulation, b, t, opened),
	}
	if t.Tracing() {
		c.Inject, c.Responded = t.InjectHTTP, telemetry.Responded
	}
	return openParticipants(s, c, t, opened)
}

// onBus reaches services over the message bus. On the bus inside the process
// nobody else can serve them, so they are simulated behind it.
func onBus(s config.Service, open *listeners, simulation *simulated.Services, b ports.Bus, t *telemetry.Telemetry, opened *resources) func(string, participants.Entry) (ports.Participant, error) {
	var inject func(context.Context) (traceparent, tracestate string)
	if t.Tracing() {
		inject = t.Inject
	}
	return func(service string, _ participants.Entry) (ports.Participant, error) {
		if s.Bus.InMemory() {
			ctx, end := context.WithCancel(context.Background())
			opened.add(func() error { end(); return nil })
			if err := simulation.ServeBus(ctx, b, service); err != nil {
				return nil, err
			}
		}
		return busclient.New(b, busclient.Config{Service: service, CallbackBaseURL: s.CallbackBase(open.API.Addr()), Inject: inject}), nil
	}
}

func openParticipants(s config.Service, c participants.Config, t *telemetry.Telemetry, opened *resources) (participantSet, error) {
	registry, err := participants.Open(c)
	if err != nil {
		return nil, fmt.Errorf("--participants: %w", err)
	}
	opened.add(func() error { registry.Close(); return nil })
	set := participantSet{}
	for name, service := range registry {
		set[name] = engine.Service{
			Participant:    t.Participant(linkOf(s, name, c.File[name]), service.Participant),
			MaxConcurrency: service.MaxConcurrency,
		}
	}
	return set, nil
}
