package postgres_test

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestContract(t *testing.T) {
	t.Parallel()
	contracttests.Store(t, func(t *testing.T) ports.Store { return open(t) })
}

func TestDurableContract(t *testing.T) {
	t.Parallel()
	contracttests.DurableStore(t, func(t *testing.T) contracttests.Opener {
		dsn := pgtest.Empty(t)
		return func() (ports.Store, error) {
			return postgres.Open(t.Context(), postgres.Config{DSN: dsn, Migrate: true})
		}
	})
}
