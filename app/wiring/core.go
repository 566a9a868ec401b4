package wiring

import (
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/telemetry"
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
			fx.As(fx.Self()), fx.As(new(ports.Queries))),
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

// newEngine takes the listeners only to be made after them. The store comes last:
// it is opened, and migrated, when everything else has been found in order.
func newEngine(_ *listeners, s config.Service, services participantSet, list templateList, store ports.Store, b ports.Bus, sink eventSink, notices *bell, t *telemetry.Telemetry, log *slog.Logger) (*engine.Engine, error) {
	e, err := engine.New(engine.Config{Lease: s.Lease}, engine.Deps{
		Store:        store,
		Participants: services,
		Templates:    list,
		Events:       sink.EventSink,
		PingBus:      b.Ping,
		Observer:     t.Observer(),
		Noticed:      func() { notices.ring() },
		Logger:       log,
	})
	if err != nil {
		return nil, err
	}
	return e, t.Watch(telemetry.Watched{Load: e.Load, Standing: e.Standing})
}
