package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where the applied migrations are recorded.
const versionTable = "coordination_schema"

// ErrSchema: the schema is older or newer than this program knows.
var ErrSchema = errors.New("postgres: schema does not fit this program")

// Migration is one step of the schema.
type Migration struct {
	Name    string // file name
	Applied bool
}

// Migrate brings the schema up to date. Replicas that start together wait for
// each other.
func Migrate(ctx context.Context, dsn string) error {
	return withProvider(dsn, func(p *goose.Provider) error {
		if _, err := p.Up(ctx); err != nil {
			return unavailable("migrate", err)
		}
		return checkVersions(ctx, p)
	})
}

// MigrationStatus lists the migrations this program knows, in order.
func MigrationStatus(ctx context.Context, dsn string) ([]Migration, error) {
	var list []Migration
	err := withProvider(dsn, func(p *goose.Provider) error {
		status, err := p.Status(ctx)
		if err != nil {
			return unavailable("read the schema version", err)
		}
		for _, m := range status {
			list = append(list, Migration{Name: m.Source.Path, Applied: m.State == goose.StateApplied})
		}
		return nil
	})
	return list, err
}

func checkSchema(ctx context.Context, dsn string) error {
	return withProvider(dsn, func(p *goose.Provider) error { return checkVersions(ctx, p) })
}

func checkVersions(ctx context.Context, p *goose.Provider) error {
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return unavailable("read the schema version", err)
	case have < want:
		return fmt.Errorf("%w: it is at version %d and needs %d; run: coordinator migrate up", ErrSchema, have, want)
	case have > want:
		return fmt.Errorf("%w: it is at version %d, this program knows only %d", ErrSchema, have, want)
	}
	return nil
}

func withProvider(dsn string, do func(*goose.Provider) error) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("postgres: the connection string cannot be read")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = DefaultConnectTimeout
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	p, err := provider(db)
	if err != nil {
		return err
	}
	return do(p)
}

// sessionLock lets one replica migrate a schema at a time; the others wait.
// (goose's own lock asks every few seconds, and is one for all schemas.)
type sessionLock struct{}

const lockKey = "hashtext('coordination.migrate'), hashtext(current_schema())"

func (sessionLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+lockKey+")")
	return err
}

func (sessionLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock("+lockKey+")")
	return err
}

func provider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(sessionLock{}), goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
}
