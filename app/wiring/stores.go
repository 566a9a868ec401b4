package wiring

import (
	"context"
	"fmt"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/sqlite"
	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
)

// stores are the profiles of --store.
var stores = map[config.StoreKind]fx.Option{
	config.StoreMemory:   fx.Module("store/memory", provideStore(openMemory)),
	config.StoreSQLite:   fx.Module("store/sqlite", provideStore(openSQLite)),
	config.StorePostgres: fx.Module("store/postgres", provideStore(watchedPostgres)),
}

func provideStore(constructor any) fx.Option {
	return fx.Provide(fx.Annotate(constructor, fx.As(new(backend))))
}

func openMemory(opened *resources) *memory.Store {
	store := memory.New(memory.Config{})
	opened.add(store.Close)
	return store
}

func openSQLite(ctx context.Context, s config.Service, opened *resources) (*sqlite.Store, error) {
	store, err := sqlite.Open(ctx, sqlite.Config{Path: s.Store.Location, Migrate: !s.NoMigrate})
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	opened.add(store.Close)
	return store, nil
}

// watchedPostgres has telemetry look at the store's connections when metrics are
// read: everything else sees the store through encryption.
func watchedPostgres(ctx context.Context, s config.Service, t *telemetry.Telemetry, opened *resources) (*postgres.Store, error) {
	store, err := openPostgres(ctx, s, opened)
	if err != nil {
		return nil, err
	}
	return store, t.Watch(telemetry.Watched{Connections: store.Connections})
}

func openPostgres(ctx context.Context, s config.Service, opened *resources) (*postgres.Store, error) {
	store, err := postgres.Open(ctx, postgres.Config{DSN: s.Store.Location, Migrate: !s.NoMigrate})
	if err != nil {
		return nil, fmt.Errorf("--store: %w", err)
	}
	opened.add(store.Close)
	return store, nil
}
