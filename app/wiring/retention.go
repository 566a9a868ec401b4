package wiring

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/retention"
	"github.com/firstviscount/platform-coordination/ports"
)

// sweeping removes what --retention lets go of.
var sweeping = fx.Module("retention", fx.Provide(newSweeper))

func newSweeper(s config.Service, store ports.Store, t *telemetry.Telemetry, log *slog.Logger) (*retention.Sweeper, error) {
	sweeper, err := retention.New(retention.Config{Policy: retention.Policy(s.Retention), Every: s.SweepEvery}, retention.Deps{
		Store:   store,
		Clock:   engine.SystemClock{},
		Entropy: engine.SystemEntropy{},
		Logger:  log,
		Removed: func(r retention.Removed) { t.Removed(string(r.Kind), string(r.Status), r.N) },
	})
	if err != nil {
		return nil, err
	}
	return sweeper, t.Watch(telemetry.Watched{Unswept: sweeper.Behind})
}
