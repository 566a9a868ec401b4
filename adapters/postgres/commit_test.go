package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(tb testing.TB) *postgres.Store {
	tb.Helper()
	return openAt(tb, pgtest.Migrated(tb))
}

func openAt(tb testing.TB, dsn string) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), postgres.Config{DSN: dsn})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// query asks the database behind the store's back.
func query[T any](t *testing.T, dsn, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, _ := conn.Query(t.Context(), sql, args...)
	value, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTransitionsWriteNoIndex(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Migrated(t)
	store := openAt(t, dsn)
	if _, err := limit.Run(t.Context(), store, limit.Options{Sagas: 500, InFlight: 32, Lanes: 1}); err != nil {
		t.Fatal(err)
	}
	store.Close() // its connections report what they did when they end
	const sql = `SELECT coalesce(sum(n_tup_hot_upd)::float8 / nullif(sum(n_tup_upd) - 500, 0), 0) FROM pg_stat_user_tables
		WHERE schemaname = current_schema() AND relname = 'workflows'`
	const enough = 0.5 // pages fill up while other tests keep old versions alive; with an index in the way it is 0
	var hot float64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if hot = query[float64](t, dsn, sql); hot >= enough {
			return
		}
	}
	t.Errorf("%.0f %% of the transitions that end no workflow stay within the page (HOT); does an index cover what they change?", 100*hot)
}

// wrongTotals counts the totals that differ from what is stored.
const wrongTotals = `
WITH kept AS (SELECT type, status, priority, sum(n) AS n, sum(seconds) AS s FROM totals GROUP BY 1, 2, 3 HAVING sum(n) <> 0 OR sum(seconds) <> 0),
counted AS (SELECT type, status, priority, count(*) AS n,
	sum(extract(epoch FROM CASE WHEN ended_at IS NULL THEN started_at - timestamptz 'epoch' ELSE ended_at - started_at END)) AS s
	FROM workflows GROUP BY 1, 2, 3)
SELECT count(*) FROM kept FULL JOIN counted USING (type, status, priority)
WHERE kept.n IS DISTINCT FROM counted.n OR kept.s IS DISTINCT FROM counted.s`

func TestTotalsFollowEveryChange(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Migrated(t)
	store := openAt(t, dsn)
	random := rand.New(rand.NewPCG(1, 2))
	statuses := []domain.Status{domain.Started, domain.InProgress, domain.Parked, domain.Completed, domain.Failed, domain.Cancelled}
	rows := make([]ports.Row, 40)
	for i := range rows {
		rows[i] = contracttests.StartOf(i).Row
	}
	for range 20 {
		var batch []ports.Change
		for i := range rows {
			c := contracttests.StartOf(i)
			if random.IntN(3) == 0 && rows[i].UpdatedAt != c.Row.UpdatedAt {
				continue
			}
			if rows[i].UpdatedAt != c.Row.UpdatedAt {
				c = contracttests.NextOf(rows[i])
			}
			if random.IntN(5) == 0 {
				c.Expected += 100 // refused
			}
			c.Row.Status, c.Row.EndedAt = statuses[random.IntN(len(statuses))], time.Time{}
			c.Row.UpdatedAt = c.Row.UpdatedAt.Add(time.Millisecond)
			if c.Row.Status.Terminal() {
				c.Row.EndedAt = c.Row.StartedAt.Add(time.Duration(random.IntN(1e6)) * time.Millisecond)
			}
			batch = append(batch, c)
		}
		for i, err := range store.Commit(t.Context(), batch) {
			if err == nil {
				n := int(batch[i].Row.StartedAt.Sub(contracttests.Epoch).Seconds())
				rows[n] = batch[i].Row
			} else if !errors.Is(err, ports.ErrConflict) {
				t.Fatal(err)
			}
		}
	}
	if n := query[int](t, dsn, wrongTotals); n != 0 {
		t.Errorf("%d totals differ from what is stored", n)
	}
}

func TestOneFaultyChangeDoesNotFailItsNeighbours(t *testing.T) {
	t.Parallel()
	store := open(t)
	tooLong := make([]byte, 9000) // for an index
	for i := range tooLong {
		tooLong[i] = byte('!' + rand.IntN(90))
	}
	errs := store.Commit(t.Context(), []ports.Change{
		contracttests.StartOf(1), contracttests.StartOf(2, contracttests.Keyed(string(tooLong))), contracttests.StartOf(3),
	})
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], ports.ErrUnavailable) {
		t.Errorf("errors are %v", errs)
	}
	if strings.Contains(errs[1].Error(), string(tooLong[:20])) {
		t.Error("the error repeats what was written")
	}
	if _, err := store.Load(t.Context(), contracttests.WorkflowID(2)); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("load of the faulty start: %v", err)
	}
}

func TestTextThatPostgresCannotHold(t *testing.T) {
	t.Parallel()
	store := open(t)
	hostile := func(c *ports.Change) {
		c.Row.ErrorCode, c.Row.BusinessKey, c.Row.CustomerID = "A\x00B", "k\xff", "\x00"
		c.Row.Metadata = json.RawMessage("{\"a\":\"\\u0000\"}")
		c.Counts = []ports.Count{{Bucket: contracttests.Epoch, Type: c.Row.Type, Name: ports.CountStepFailure, Label: "S|A\x00B", N: 1}}
	}
	if errs := store.Commit(t.Context(), []ports.Change{contracttests.StartOf(1, hostile)}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	rec, err := store.Load(t.Context(), contracttests.WorkflowID(1))
	if err != nil || rec.Row.ErrorCode != "A\uFFFDB" || string(rec.Row.Metadata) != `{"a":"\u0000"}` {
		t.Errorf("stored %q, %s, %v", rec.Row.ErrorCode, rec.Row.Metadata, err)
	}
	if id, err := store.BusinessKeyHolder(t.Context(), contracttests.FixtureType, "k\xff"); err != nil || id != contracttests.WorkflowID(1) {
		t.Errorf("holder of the key is %q, %v", id, err)
	}
	if _, err := store.Load(t.Context(), "wf-\x00"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("load of an impossible ID: %v", err)
	}
}

func TestKilledConnections(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(pgtest.Options{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	if err := postgres.Migrate(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	store := openAt(t, server.URL())
	version := 0
	for n := range 20 {
		if n%4 == 3 {
			query[int](t, server.URL(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'coordination'`)
		}
		errs := store.Commit(t.Context(), []ports.Change{contracttests.StartOf(n)})
		_, loadErr := store.Load(t.Context(), contracttests.WorkflowID(n))
		switch {
		case errs[0] == nil && loadErr == nil:
			version++
		case errs[0] == nil:
			t.Errorf("workflow %d was acknowledged: %v", n, loadErr)
		case !errors.Is(errs[0], ports.ErrUnavailable):
			t.Errorf("commit %d: %v", n, errs[0])
		}
	}
	if version < 10 {
		t.Errorf("only %d of 20 commits came through 5 interruptions", version)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := store.Ping(ctx); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("ping without a server: %v", err)
	}
	if errs := store.Commit(ctx, []ports.Change{contracttests.StartOf(99)}); !errors.Is(errs[0], ports.ErrUnavailable) {
		t.Errorf("commit without a server: %v", errs[0])
	}
}
