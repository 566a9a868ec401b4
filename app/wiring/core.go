package wiring

import (
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/templates"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// core is what every coordinator has, whatever it is connected to.
var core = fx.Module("core",
	fx.Provide(
		openListeners,
		loadTemplates,
		fx.Annotate(newEngine,
			fx.As(fx.Self()), fx.As(new(ports.Workflows)), fx.As(new(ports.Answers)), fx.As(new(ports.Queries))),
	),
)

// templateList is all templates that this replica knows.
type templateList []*domain.Template

func loadTemplates(s config.Service) (templateList, error) {
	list, err := templates.Load(s.Templates)
	if err != nil {
		return nil, fmt.Errorf("--templates: %w", err)
	}
	return list, nil
}

// services are the names of all services that the templates send commands to.
func (l templateList) services() []string {
	seen := map[string]bool{}
	var names []string
	add := func(service string) {
		if !seen[service] {
			seen[service] = true
			names = append(names, service)
		}
	}
	for _, t := range l {
		for _, step := range t.Steps {
			add(step.Service)
		}
		for _, undo := range t.Compensations {
			add(undo.Service)
		}
	}
	return names
}

// newEngine takes the listeners only to be made after them. The store comes last:
// it is opened, and migrated, when everything else has been found in order.
func newEngine(_ *listeners, s config.Service, services participantSet, list templateList, store ports.Store, log *slog.Logger) (*engine.Engine, error) {
	return engine.New(engine.Config{Lease: s.Lease}, engine.Deps{
		Store:        store,
		Participants: services,
		Templates:    list,
		Logger:       log,
	})
}
