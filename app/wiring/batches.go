package wiring

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
)

// manyAtOnce are the batches and what works them off.
var manyAtOnce = fx.Module("batches", fx.Provide(
	newRunner,
	fx.Annotate(newBatches, fx.As(new(ports.BatchJobs))),
))

func newRunner(s config.Service, store ports.Store, workflows ports.Workflows, log *slog.Logger) (*batches.Runner, error) {
	return batches.NewRunner(batches.RunnerConfig{Lease: s.Lease}, batches.RunnerDeps{
		Store:     store,
		Workflows: workflows,
		Clock:     engine.SystemClock{},
		Entropy:   engine.SystemEntropy{},
		Logger:    log,
	})
}

func newBatches(store ports.Store, queries ports.Queries, runner *batches.Runner) *batches.Service {
	return batches.New(batches.Deps{
		Store:   store,
		Queries: queries,
		Clock:   engine.SystemClock{},
		Entropy: engine.SystemEntropy{},
		Created: runner.Wake,
	})
}
