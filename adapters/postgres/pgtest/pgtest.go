// Package pgtest gives tests and benchmarks real Postgres databases: one
// throw-away server per test process, one database per test.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
//
//	func TestX(t *testing.T) {
//		store, err := postgres.Open(t.Context(), postgres.Config{DSN: pgtest.Migrated(t)})
//
// The server is started by the first test that asks for a database, with the
// durability of production: fsync on, nothing relaxed. It is stopped by Run, or
// by itself when the test process is gone, however that ended.
//
// With the environment variable COORDINATION_TEST_POSTGRES (a connection URL of
// a user that may create databases) that server is used instead.
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
)

// ServerEnv names the environment variable with the URL of a server to use.
const ServerEnv = "COORDINATION_TEST_POSTGRES"

// adminTimeout bounds creating and dropping a database.
const adminTimeout = 30 * time.Second

// shared is the server of this process.
var shared struct {
	sync.Mutex
	server   *Server
	template string // name of the migrated database, once there is one
	err      error
}

// databases numbers the databases of this process.
var databases atomic.Int64

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
	if shared.server == nil {
		return
	}
	if shared.template != "" {
		shared.server.drop(shared.template)
	}
	shared.server.Stop()
	shared.server, shared.template, shared.err = nil, "", nil
}

// Empty gives the URL of a new database without tables, which is dropped when
// the test ends. It fails the test if there is no Postgres.
func Empty(tb testing.TB) string {
	tb.Helper()
	server, err := sharedServer()
	if err != nil {
		tb.Fatal(err)
	}
	return database(tb, server, "template1")
}

// Migrated gives the URL of a new database with the current schema, which is
// dropped when the test ends. It fails the test if there is no Postgres.
func Migrated(tb testing.TB) string {
	tb.Helper()
	server, err := sharedServer()
	if err != nil {
		tb.Fatal(err)
	}
	template, err := migratedTemplate(server)
	if err != nil {
		tb.Fatal(err)
	}
	return database(tb, server, template)
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

// migratedTemplate makes, once, the database that others are copied from:
// copying is several times faster than migrating.
func migratedTemplate(s *Server) (string, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.template != "" {
		return shared.template, nil
	}
	name, err := s.create("template1")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	if err := postgres.Migrate(ctx, s.URL(name)); err != nil {
		return "", err
	}
	shared.template = name
	return name, nil
}

func database(tb testing.TB, s *Server, template string) string {
	tb.Helper()
	name, err := s.create(template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.drop(name) })
	return s.URL(name)
}

// create makes a database and gives its name.
func (s *Server) create(template string) (string, error) {
	name := "coordination_test_" + strconv.Itoa(os.Getpid()) + "_" + strconv.FormatInt(databases.Add(1), 10)
	if err := s.exec(fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		return "", fmt.Errorf("pgtest: create a database: %w", err)
	}
	return name, nil
}

// drop removes a database with everything connected to it. What it leaves
// behind goes with the server.
func (s *Server) drop(name string) {
	_ = s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
}

// exec runs one statement on a connection of its own. Copies of one template
// must not run at once, so administration is serial.
func (s *Server) exec(sql string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// URL is the address of one of the server's databases.
func (s *Server) URL(database string) string {
	u := *s.address
	u.Path = "/" + database
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
