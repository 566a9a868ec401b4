package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestContract(t *testing.T) {
	t.Parallel()
	contracttests.Store(t, func(t *testing.T) ports.Store { return openAt(t, pgtest.Recycled(t)) })
}

// TestReplicasRace checks, by several openings of one schema, what holds
// however many replicas do the same at once.
func TestReplicasRace(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, rule := range contracttests.StoreRules() {
		if !strings.Contains(rule.Name, "concurrent") && !strings.Contains(rule.Name, "over all replicas") {
			continue
		}
		checked++
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Recycled(t)
			if err := rule.Check(t.Context(), contracttests.Spread(openAt(t, dsn), openAt(t, dsn), openAt(t, dsn))); err != nil {
				t.Errorf("broken promise: %s\nseen: %v", rule.Name, err)
			}
		})
	}
	if checked < 15 {
		t.Errorf("only %d rules are about what is concurrent; were they renamed?", checked)
	}
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

func TestOpenRefusesAnotherSchema(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	refused := func(why, says string) {
		_, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn})
		if !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), says) {
			t.Errorf("open with %s: %v", why, err)
		}
	}
	refused("an empty schema", "coordinator migrate up")
	if list, err := postgres.MigrationStatus(t.Context(), dsn); err != nil || len(list) == 0 || list[0].Applied {
		t.Errorf("status of an empty schema is %v, %v", list, err)
	}
	if err := postgres.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	if list, err := postgres.MigrationStatus(t.Context(), dsn); err != nil || !list[len(list)-1].Applied {
		t.Errorf("status of a migrated schema is %v, %v", list, err)
	}
	openAt(t, dsn)
	query[int](t, dsn, `INSERT INTO coordination_schema (version_id, is_applied) VALUES (9999, true) RETURNING 1`)
	refused("a newer schema", "9999")
}

func TestReplicasMigrateTogether(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := postgres.Migrate(t.Context(), dsn); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	openAt(t, dsn)
}

func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://user:hunter2@host:bad/db", "postgres://user:hunter2@127.0.0.1:1/db?connect_timeout=1"} {
		_, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("open: %v", err)
		}
	}
}

func TestPoolAndClose(t *testing.T) {
	t.Parallel()
	store := open(t)
	if got := store.Pool(); !strings.HasSuffix(got, "/12 active") {
		t.Errorf("pool is %q", got)
	}
	for range 2 {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := store.Ping(t.Context()); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("ping of a closed store: %v", err)
	}
}
