package config

import (
	"errors"
	"net/url"
	"strings"
)

// DefaultStore is the store of `serve` when none is given.
const DefaultStore = "sqlite:coordination.db"

// StoreKind names a store adapter.
type StoreKind string

// The store adapters.
const (
	StoreMemory   StoreKind = "memory"
	StoreSQLite   StoreKind = "sqlite"
	StorePostgres StoreKind = "postgres"
)

// Store says where workflows are kept. Its location may hold a password, so
// that printing it shows the kind and, for SQLite, the path.
type Store struct {
	Kind StoreKind
	// Location is the path for SQLite, the connection URL for Postgres and
	// empty for memory.
	Location string
}

// UnmarshalText reads memory, sqlite:PATH, postgres://… or postgresql://….
// Errors do not repeat the text.
func (s *Store) UnmarshalText(text []byte) error {
	value := string(text)
	scheme, rest, _ := strings.Cut(value, ":")
	switch {
	case value == string(StoreMemory):
		*s = Store{Kind: StoreMemory}
	case scheme == "sqlite" && rest != "":
		*s = Store{Kind: StoreSQLite, Location: rest}
	case scheme == "postgres" || scheme == "postgresql":
		if address, err := url.Parse(value); err != nil || !strings.HasPrefix(rest, "//") || address.Opaque != "" {
			return errors.New("not a postgres:// URL")
		}
		*s = Store{Kind: StorePostgres, Location: value}
	default:
		return errors.New("must be memory, sqlite:PATH or postgres://…")
	}
	return nil
}

// String is safe to print: it leaves out everything that may be secret.
func (s Store) String() string {
	switch s.Kind {
	case StoreSQLite:
		return "sqlite:" + s.Location
	case StorePostgres:
		return s.postgres()
	default:
		return string(s.Kind)
	}
}

// GoString is String, so that %#v shows no password either.
func (s Store) GoString() string { return s.String() }

// postgres is the URL reduced to host and database.
func (s Store) postgres() string {
	address, err := url.Parse(s.Location)
	if err != nil {
		return string(StorePostgres)
	}
	return "postgres://" + address.Host + address.Path
}

// checkSQL accepts the stores that have a schema.
func (s Store) checkSQL() error {
	if s.Kind == StoreMemory {
		return usage("--store", "memory has no schema; give sqlite:PATH or postgres://…")
	}
	return nil
}
