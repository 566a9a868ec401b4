package wiring

import (
	"fmt"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/participants"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
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
func simulateAll(simulation *simulated.Services, list templateList, opened *resources) (participantSet, error) {
	return openParticipants(participants.Config{Services: list.services(), Simulated: simulation}, opened)
}

// openListed reaches the services as the participants file says.
func openListed(s config.Service, open *listeners, simulation *simulated.Services, list templateList, opened *resources) (participantSet, error) {
	file, err := participants.Load(s.Participants)
	if err != nil {
		return nil, fmt.Errorf("--participants: %w", err)
	}
	return openParticipants(participants.Config{
		File:            file,
		Services:        list.services(),
		CallbackBaseURL: s.CallbackBase(open.API.Addr()),
		Simulated:       simulation,
	}, opened)
}

func openParticipants(c participants.Config, opened *resources) (participantSet, error) {
	registry, err := participants.Open(c)
	if err != nil {
		return nil, fmt.Errorf("--participants: %w", err)
	}
	opened.add(func() error { registry.Close(); return nil })
	set := participantSet{}
	for name, service := range registry {
		set[name] = engine.Service{Participant: service.Participant, MaxConcurrency: service.MaxConcurrency}
	}
	return set, nil
}
