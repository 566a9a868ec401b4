// Package barrier_test shows participant.Barrier on real databases: stock that
// is reserved and released exactly once, however commands come.
package barrier_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	verification "github.com/firstviscount/platform-coordination/contracttests/participant"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// stock is a participant with one table of its own.
type stock struct {
	*participant.Participant
	t       *testing.T
	db      *sql.DB
	barrier *participant.Barrier
}

const inStock = 100

// eachDatabase runs a test on every dialect, each time on an empty database.
func eachDatabase(t *testing.T, test func(t *testing.T, s *stock)) {
	t.Helper()
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (*sql.DB, participant.Dialect){"sqlite": openSQLite, "postgres": openPostgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, dialect := open(t)
			t.Cleanup(func() { _ = db.Close() })
			test(t, newStock(t, db, dialect))
		})
	}
}

func openSQLite(t *testing.T) (*sql.DB, participant.Dialect) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "stock.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	return db, participant.SQLite
}

func openPostgres(t *testing.T) (*sql.DB, participant.Dialect) {
	db, err := sql.Open("pgx", pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	return db, participant.Postgres
}

func newStock(t *testing.T, db *sql.DB, dialect participant.Dialect) *stock {
	t.Helper()
	s := &stock{Participant: participant.New("inventory-service", participant.Config{}), t: t, db: db, barrier: participant.NewBarrier(db, dialect)}
	for range 2 { // the second finds it done
		if err := s.barrier.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{`CREATE TABLE stock (free INTEGER NOT NULL)`, fmt.Sprintf(`INSERT INTO stock VALUES (%d)`, inStock)} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s.Handle("reserve", s.barrier.Do(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		return s.take(ctx, tx, c, 1)
	}))
	s.Handle("reserve_later", s.barrier.Do(func(context.Context, *sql.Tx, *participant.Command) (participant.Outcome, error) {
		return participant.Accepted{}, nil
	}))
	s.Handle("release", s.barrier.Undo(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		return s.take(ctx, tx, c, -1)
	}))
	s.Handle("release_later", s.barrier.Undo(func(context.Context, *sql.Tx, *participant.Command) (participant.Outcome, error) {
		return participant.Accepted{}, nil
	}))
	return s
}

func (s *stock) take(ctx context.Context, tx *sql.Tx, c *participant.Command, n int) (participant.Outcome, error) {
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE stock SET free = free - %d`, n)); err != nil {
		return nil, err
	}
	var p struct{ Behave string }
	if err := c.Decode(&p); err != nil {
		return nil, err
	}
	switch p.Behave {
	case "retry":
		return participant.Retry{Code: "BUSY"}, nil
	case "reject":
		return participant.Rejected{Code: "NO"}, nil
	case "fail":
		return nil, fmt.Errorf("as the test wants")
	case "panic":
		panic("as the test wants")
	case "rollback":
		return participant.Unknown{Code: "GONE"}, tx.Rollback()
	case "hang":
		<-ctx.Done()
	}
	return participant.Succeeded{Result: map[string]string{"reservationId": "r-" + c.CommandID}}, nil
}

func (s *stock) free() int {
	s.t.Helper()
	var n int
	if err := s.db.QueryRowContext(s.t.Context(), `SELECT free FROM stock`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stock) left(want int) {
	s.t.Helper()
	if got := s.free(); got != want {
		s.t.Errorf("%d are free, want %d", got, want)
	}
}

func do(action, key, behave string) *participant.Command {
	return &participant.Command{Command: coordination.Command{CommandID: key, Service: "inventory-service", Action: action,
		Direction: coordination.DirectionExecute, Parameters: json.RawMessage(`{"behave":"` + behave + `"}`)}}
}

func undo(key, forward string) *participant.Command { return undoBy("release", key, forward, "") }

func undoBy(action, key, forward, behave string) *participant.Command {
	c := do(action, key, behave)
	c.Direction = coordination.DirectionCompensate
	c.Forward = &coordination.Forward{CommandID: forward, Outcome: coordination.OutcomeUnknown}
	return c
}

// outcome carries out a command and gives outcome and code of its answer.
func (s *stock) outcome(c *participant.Command) string {
	s.t.Helper()
	m, err := s.Reply(c, s.Do(s.t.Context(), c))
	if err != nil {
		s.t.Fatal(err)
	}
	var e coordination.CloudEvent
	var a coordination.Answer
	if err := json.Unmarshal(m.Body, &e); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &a); err != nil {
		s.t.Fatal(err)
	}
	if a.Error != nil {
		return string(a.Outcome) + " " + a.Error.Code
	}
	return string(a.Outcome) + " " + string(a.Result)
}

func (s *stock) is(c *participant.Command, want string) {
	s.t.Helper()
	if got := s.outcome(c); got != want {
		s.t.Errorf("%s: %s, want %s", c.CommandID, got, want)
	}
}

const reserved = `SUCCEEDED {"reservationId":"r-k"}`

func TestAgain(t *testing.T) {
	eachDatabase(t, func(_ *testing.T, s *stock) {
		for range 3 {
			s.is(do("reserve", "k", ""), reserved)
		}
		s.is(do("reserve", "k", "other"), "UNKNOWN KEY_REUSED")
		s.left(inStock - 1)
	})
}

func TestAtTheSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for s.outcome(do("reserve", "k", "")) != reserved { // RETRY is allowed to who comes second
					if t.Context().Err() != nil {
						return
					}
				}
			})
		}
		callers.Wait()
		s.left(inStock - 1)
	})
}

// TestWhatIsNotDoneLeavesNothing: whatever rolls the transaction back takes the
// memory of the command with it.
func TestWhatIsNotDoneLeavesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		s.is(do("reserve", "k", "retry"), "RETRY BUSY")
		s.is(do("reserve", "k", "fail"), "RETRY INTERNAL")
		s.is(do("reserve", "k", "panic"), "UNKNOWN INTERNAL")
		s.is(do("reserve", "k", "rollback"), "UNKNOWN GONE")
		hangs := do("reserve", "k", "hang")
		hangs.Deadline = coordination.At(time.Now().Add(300 * time.Millisecond))
		if got := s.outcome(hangs); got != "RETRY INTERNAL" && got != "UNKNOWN INTERNAL" {
			t.Errorf("past its deadline: %s", got)
		}
		s.left(inStock)
		s.is(do("reserve", "k", ""), reserved)
		s.left(inStock - 1)
	})
}

func TestUndo(t *testing.T) {
	eachDatabase(t, func(_ *testing.T, s *stock) {
		s.is(do("reserve", "k", ""), reserved)
		s.is(do("reserve", "other", ""), `SUCCEEDED {"reservationId":"r-other"}`)
		for range 3 {
			s.is(undo("u", "k"), `SUCCEEDED {"reservationId":"r-u"}`)
		}
		s.is(undo("u-2", "k"), `SUCCEEDED `)
		s.is(do("reserve", "k", ""), "REJECTED ALREADY_COMPENSATED")
		s.left(inStock - 1)
		s.is(undo("u-3", "other"), `SUCCEEDED {"reservationId":"r-u-3"}`)
		s.left(inStock)
	})
}

func TestUndoBeforeDo(t *testing.T) {
	eachDatabase(t, func(_ *testing.T, s *stock) {
		s.is(undo("u", "k"), "SUCCEEDED ")
		s.is(do("reserve", "k", ""), "REJECTED ALREADY_COMPENSATED")
		s.is(undo("u", "k"), "SUCCEEDED ")
		s.left(inStock)
	})
}

// TestDoAndUndoAtTheSameTime: whichever comes first, nothing stays reserved.
func TestDoAndUndoAtTheSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		var both sync.WaitGroup
		for i := range 20 {
			key := fmt.Sprint("k-", i)
			settle := func(c *participant.Command) {
				for {
					if o := s.outcome(c); o != "RETRY INTERNAL" || t.Context().Err() != nil {
						return
					}
				}
			}
			both.Go(func() { settle(do("reserve", key, "")) })
			both.Go(func() { settle(undo("u-"+key, key)) })
		}
		both.Wait()
		s.left(inStock)
	})
}

func TestAPromiseThatWasUndoneIsNotKept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		keep := func(c *participant.Command) (participant.Outcome, error) {
			return s.barrier.Settle(t.Context(), c, func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
				return s.take(ctx, tx, c, 1)
			})
		}
		kept, undone := do("reserve_later", "kept", ""), do("reserve_later", "undone", "")
		s.is(kept, "ACCEPTED ")
		s.is(undone, "ACCEPTED ")
		for range 2 {
			if _, err := keep(kept); err != nil {
				t.Fatal(err)
			}
		}
		s.left(inStock - 1)
		s.is(kept, `SUCCEEDED {"reservationId":"r-kept"}`)
		s.is(undo("u", "undone"), `SUCCEEDED {"reservationId":"r-u"}`) // it stops what was promised
		if _, err := keep(undone); err != participant.ErrCompensated {
			t.Errorf("a promise was kept that had been undone: %v", err)
		}
	})
}

// TestAnUndoThatIsRefusedIsTriedAgain: it was not done, so there is nothing to
// remember, and what it should have undone stays in effect.
func TestAnUndoThatIsRefusedIsTriedAgain(t *testing.T) {
	eachDatabase(t, func(_ *testing.T, s *stock) {
		s.is(do("reserve", "k", ""), reserved)
		s.is(undoBy("release", "u", "k", "retry"), "RETRY BUSY")
		s.is(undoBy("release", "u", "k", "fail"), "RETRY INTERNAL")
		s.left(inStock - 1)
		s.is(undoBy("release", "u", "k", "reject"), "REJECTED NO") // commits what it wrote, as every REJECTED
		s.left(inStock)
		s.is(do("reserve", "k", ""), reserved) // as before: not undone, and not done again
		s.left(inStock)
		s.is(undo("u", "k"), `SUCCEEDED {"reservationId":"r-u"}`)
		s.is(do("reserve", "k", ""), "REJECTED ALREADY_COMPENSATED")
		s.left(inStock + 1)
	})
}

// TestAnUndoThatTakesLonger is ACCEPTED: from then on its execution must not
// happen any more, and it is undone when the undo is settled.
func TestAnUndoThatTakesLonger(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		settle := func(c *participant.Command, behave string) (participant.Outcome, error) {
			return s.barrier.Settle(t.Context(), c, func(ctx context.Context, tx *sql.Tx, _ *participant.Command) (participant.Outcome, error) {
				return s.take(ctx, tx, do("", c.CommandID, behave), -1)
			})
		}
		promised, slow := do("reserve_later", "promised", ""), undoBy("release_later", "u", "promised", "")
		s.is(promised, "ACCEPTED ")
		for range 2 {
			s.is(slow, "ACCEPTED ")
		}
		s.is(promised, "REJECTED ALREADY_COMPENSATED")
		if _, err := settle(promised, ""); err != participant.ErrCompensated {
			t.Errorf("a promise was kept while it was being undone: %v", err)
		}
		if o, err := settle(slow, "reject"); err != nil || o != (participant.Rejected{Code: "NO"}) {
			t.Errorf("a failed undo is %v, %v", o, err)
		}
		s.is(slow, "ACCEPTED ") // tried again
		s.left(inStock + 1)
		for range 2 {
			if o, err := settle(slow, ""); err != nil || o == (participant.Accepted{}) {
				t.Errorf("settled as %v, %v", o, err)
			}
		}
		s.is(slow, `SUCCEEDED {"reservationId":"r-u"}`)
		s.is(undo("u-2", "promised"), "SUCCEEDED ") // there is nothing left to undo
		s.left(inStock + 2)
	})
}

// TestOthersUnderTheKeyAtTheSameTime: of two commands under one key one is
// carried out, and the other is refused.
func TestOthersUnderTheKeyAtTheSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		var callers sync.WaitGroup
		var done, refused atomic.Int64
		for i := range 8 {
			callers.Go(func() {
				for t.Context().Err() == nil {
					switch s.outcome(do("reserve", "k", fmt.Sprint("as told ", i))) {
					case reserved:
						done.Add(1)
						return
					case "UNKNOWN KEY_REUSED":
						refused.Add(1)
						return
					}
				}
			})
		}
		callers.Wait()
		if done.Load() != 1 || refused.Load() != 7 {
			t.Errorf("%d were done, %d refused", done.Load(), refused.Load())
		}
		s.left(inStock - 1)
	})
}

func TestManyMigrateAtOnce(t *testing.T) {
	t.Parallel()
	db, dialect := openPostgres(t)
	t.Cleanup(func() { _ = db.Close() })
	var processes sync.WaitGroup
	for range 8 {
		processes.Go(func() {
			if err := participant.NewBarrier(db, dialect).Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	processes.Wait()
}

func TestOpenBarrier(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE IF NOT EXISTS cards (id TEXT PRIMARY KEY)`
	sources := map[string]string{"sqlite": "file:" + filepath.Join(t.TempDir(), "cards.db"), "pgx": pgtest.Empty(t)}
	for driver, source := range sources {
		dialect := map[string]participant.Dialect{"sqlite": participant.SQLite, "pgx": participant.Postgres}[driver]
		for range 2 { // the second finds it done
			if _, err := participant.OpenBarrier(t.Context(), driver, source, dialect, tables); err != nil {
				t.Error(err)
			}
		}
		if _, err := participant.OpenBarrier(t.Context(), driver, source, dialect, "CREATE NONSENSE"); err == nil {
			t.Errorf("%s: tables that cannot be made were accepted", driver)
		}
	}
	if _, err := participant.OpenBarrier(t.Context(), "no such driver", "", participant.SQLite); err == nil {
		t.Error("opened a database without a driver")
	}
}

// TestTheContract checks every rule that a participant must keep.
func TestTheContract(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		verification.Run(t, verification.Target{URL: server.URL, Service: s.Service(),
			Do: verification.Sample{Action: "reserve"}, Undo: verification.Sample{Action: "release"},
			Refused: &verification.Sample{Action: "reserve", Parameters: json.RawMessage(`{"behave":"reject"}`)}})
	})
}

func TestALateCommandIsNotBegun(t *testing.T) {
	eachDatabase(t, func(_ *testing.T, s *stock) {
		first, late := do("reserve", "k", ""), do("reserve", "late", "")
		s.is(first, reserved)
		first.Deadline, late.Deadline = coordination.At(time.Now().Add(-time.Second)), coordination.At(time.Now().Add(-time.Second))
		s.is(first, reserved) // it may be answered as before
		s.is(late, "RETRY DEADLINE_PASSED")
		s.left(inStock - 1)
	})
}

func TestPurge(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *stock) {
		for i := range 5 {
			s.outcome(do("reserve", fmt.Sprint("k-", i), ""))
		}
		for _, want := range []int64{3, 2, 0} {
			if n, err := s.barrier.Purge(t.Context(), time.Now().Add(time.Minute), 3); err != nil || n != want {
				t.Errorf("purged %d, %v; want %d", n, err, want)
			}
		}
	})
}
