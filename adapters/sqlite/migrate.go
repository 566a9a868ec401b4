package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where the applied migrations are recorded.
const versionTable = "coordination_schema"

// ErrSchema: the schema is older or newer than this program knows.
var ErrSchema = errors.New("sqlite: schema does not fit this program")

// Migration is one step of the schema.
type Migration struct {
	Name    string // file name
	Applied bool
}

// Migrate creates the file if need be and brings its schema up to date. ErrInUse
// if a coordinator has it.
func Migrate(ctx context.Context, path string) error {
	return withFile(ctx, path, func(db *sql.DB) error { return migrate(ctx, db) })
}

// MigrationStatus lists the migrations this program knows, in order. ErrInUse
// if a coordinator has the file.
func MigrationStatus(ctx context.Context, path string) ([]Migration, error) {
	var list []Migration
	err := withFile(ctx, path, func(db *sql.DB) error {
		p, err := provider(db)
		if err != nil {
			return err
		}
		status, err := p.Status(ctx)
		for _, m := range status {
			list = append(list, Migration{Name: m.Source.Path, Applied: m.State == goose.StateApplied})
		}
		return err
	})
	return list, err
}

func withFile(ctx context.Context, path string, do func(*sql.DB) error) error {
	lock, err := lockFile(ctx, path)
	if err != nil {
		return err
	}
	defer lock.release()
	db, err := openDB(path, 1, writerCacheKiB)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

func migrate(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("sqlite: migrate: %w", err)
	}
	return checkVersions(ctx, p)
}

func checkSchema(ctx context.Context, db *sql.DB) error {
	p, err := provider(db)
	if err != nil {
		return err
	}
	return checkVersions(ctx, p)
}

func checkVersions(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("sqlite: read the schema version: %w", err)
	case have < want:
		return fmt.Errorf("%w: it is at version %d and needs %d; run: coordinator migrate up", ErrSchema, have, want)
	case have > want:
		return fmt.Errorf("%w: it is at version %d, this program knows only %d", ErrSchema, have, want)
	}
	return nil
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
}
