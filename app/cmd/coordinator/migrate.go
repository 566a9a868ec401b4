package main

import (
	"context"
	"fmt"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/sqlite"
	"github.com/firstviscount/platform-coordination/app/config"
)

// migrateUp brings a schema up to date and says where it is then.
func migrateUp(ctx context.Context, c config.MigrateUp, to streams) error {
	migrate := postgres.Migrate
	if c.Store.Kind == config.StoreSQLite {
		migrate = sqlite.Migrate
	}
	if err := migrate(ctx, c.Store.Location); err != nil {
		return fmt.Errorf("--store: %w", err)
	}
	return migrateStatus(ctx, config.MigrateStatus(c), to)
}

// migration is a step of a schema.
type migration struct {
	name    string
	applied bool
}

// migrateStatus lists the migrations, one a line.
func migrateStatus(ctx context.Context, c config.MigrateStatus, to streams) error {
	list, err := migrations(ctx, c.Store)
	if err != nil {
		return fmt.Errorf("--store: %w", err)
	}
	for _, m := range list {
		state := "pending"
		if m.applied {
			state = "applied"
		}
		if _, err := fmt.Fprintf(to.out, "%s  %s\n", state, m.name); err != nil {
			return err
		}
	}
	return nil
}

func migrations(ctx context.Context, store config.Store) ([]migration, error) {
	var list []migration
	if store.Kind == config.StoreSQLite {
		known, err := sqlite.MigrationStatus(ctx, store.Location)
		for _, m := range known {
			list = append(list, migration{m.Name, m.Applied})
		}
		return list, err
	}
	known, err := postgres.MigrationStatus(ctx, store.Location)
	for _, m := range known {
		list = append(list, migration{m.Name, m.Applied})
	}
	return list, err
}
