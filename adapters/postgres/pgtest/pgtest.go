// Package pgtest gives tests and benchmarks a real Postgres: one throw-away
// server per test process, and in it one schema per test, which is several
// times cheaper than a database.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
//
//	func TestX(t *testing.T) {
//		store, err := postgres.Open(t.Context(), postgres.Config{DSN: pgtest.Migrated(t)})
//
// The server is started by the first test that asks for it, with the
// durability of production: fsync on, nothing relaxed. It is stopped by Run, or
// by itself when the test process is gone, however that ended.
//
// With the environment variable COORDINATION_TEST_POSTGRES (a connection URL of
// a user that may create schemas) that server is used instead.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/testserver"
)

// ServerEnv names the environment variable with the URL of a server to use.
const ServerEnv = "COORDINATION_TEST_POSTGRES"

// adminTimeout bounds creating and dropping a schema.
const adminTimeout = 30 * time.Second

// shared is the server of this process.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// schemas numbers the schemas of this process.
var schemas atomic.Int64

// Run runs the tests of a package and stops the server. Give its result to os.Exit.
func Run(m *testing.M) int {
	code := m.Run()
	Stop()
	return code
}

// Stop stops the server of this process, if one was started.
func Stop() {
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		shared.server.Stop()
	}
	shared.server, shared.err = nil, nil
}

// Empty gives a connection URL whose schema is new and without tables. It
// fails the test if there is no Postgres.
func Empty(tb testing.TB) string {
	tb.Helper()
	testserver.Need(tb, "postgres")
	server, err := sharedServer()
	if err != nil {
		tb.Fatal(err)
	}
	name := "test_" + strconv.Itoa(os.Getpid()) + "_" + strconv.FormatInt(schemas.Add(1), 10)
	if err := server.exec("CREATE SCHEMA " + name); err != nil {
		tb.Fatalf("pgtest: create a schema: %v", err)
	}
	tb.Cleanup(func() { server.drop(name) })
	return server.url(name)
}

// Migrated gives a connection URL whose schema is new, with the current tables.
// It fails the test if there is no Postgres.
func Migrated(tb testing.TB) string {
	tb.Helper()
	dsn := Empty(tb)
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	if err := postgres.Migrate(ctx, dsn); err != nil {
		tb.Fatal(err)
	}
	return dsn
}

func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		if address := os.Getenv(ServerEnv); address != "" {
			shared.server, shared.err = external(address)
		} else {
			shared.server, shared.err = Start(Options{})
		}
	}
	return shared.server, shared.err
}

// drop removes a schema from a server that stays. On one of our own it costs
// less to leave it.
func (s *Server) drop(schema string) {
	if s.dir == "" {
		_ = s.exec("DROP SCHEMA IF EXISTS " + schema + " CASCADE") // a leftover harms nobody
	}
}

// exec runs one statement on a connection of its own.
func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// URL is the server's connection URL, with the schema public.
func (s *Server) URL() string { return s.address.String() }

// url is the connection URL with another schema.
func (s *Server) url(schema string) string {
	u := *s.address
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// external is a server that somebody else runs.
func external(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %s is not a URL", ServerEnv) // the cause would repeat the password
	}
	return &Server{address: u}, nil
}
