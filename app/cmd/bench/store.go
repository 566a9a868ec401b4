package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/adapters/sqlite"
	"github.com/firstviscount/platform-coordination/ports"
)

// server is what the databases of one kind of store live in.
type server struct {
	kind     string
	seal     bool
	dir      string
	postgres *pgtest.Server
	admin    *pgx.Conn
	n        int
}

func openServer(kind string, seal bool) (*server, error) {
	s := &server{kind: kind, seal: seal}
	var err error
	if s.dir, err = os.MkdirTemp("", "coordination-bench-"); err != nil {
		return nil, err
	}
	switch kind {
	case "memory", "sqlite":
		return s, nil
	case "postgres":
		if s.postgres, err = pgtest.Start(pgtest.Options{}); err != nil {
			return nil, err
		}
		s.admin, err = pgx.Connect(context.Background(), s.postgres.URL())
		return s, err
	}
	return nil, fmt.Errorf("unknown store")
}

func (s *server) close() {
	if s.admin != nil {
		_ = s.admin.Close(context.Background())
	}
	if s.postgres != nil {
		s.postgres.Stop()
	}
	_ = os.RemoveAll(s.dir)
}

// open makes an empty database.
func (s *server) open(ctx context.Context) (ports.Store, error) {
	s.n++
	switch s.kind {
	case "memory":
		return memory.New(memory.Config{}), nil
	case "sqlite":
		return sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(s.dir, fmt.Sprintf("bench%d.db", s.n)), Migrate: true})
	}
	name := fmt.Sprintf("bench%d", s.n)
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	return postgres.Open(ctx, postgres.Config{DSN: s.database(name), Migrate: true})
}

// sealed is a store as the coordinator uses it.
func (s *server) sealed(store ports.Store) (ports.Store, error) {
	if !s.seal {
		return store, nil
	}
	ring, err := sealing.New(sealing.NewKey())
	if err != nil {
		return nil, err
	}
	return sealing.NewStore(store, ring), nil
}

// vacuum does at once what autovacuum does in time, in the newest database.
func (s *server) vacuum(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.database(fmt.Sprintf("bench%d", s.n)))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	return err
}

// database is the URL of a database of the Postgres server.
func (s *server) database(name string) string {
	u, err := url.Parse(s.postgres.URL())
	if err != nil { // the server made it
		panic(err)
	}
	u.Path = "/" + name
	return u.String()
}

// written reads what the store has written and flushed so far.
func (s *server) written(ctx context.Context) (bytes, fsyncs int64) {
	switch s.kind {
	case "postgres":
		if err := s.admin.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, wal_sync FROM pg_stat_wal").Scan(&bytes, &fsyncs); err != nil {
			fmt.Fprintln(os.Stderr, "bench: pg_stat_wal:", err)
		}
	case "sqlite":
		data, err := os.ReadFile("/proc/self/io")
		if err != nil {
			return 0, 0
		}
		var rchar, wchar, syscr, syscw, readBytes int64
		_, _ = fmt.Sscanf(string(data), "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d\nwrite_bytes: %d", &rchar, &wchar, &syscr, &syscw, &readBytes, &bytes)
	}
	return bytes, fsyncs
}

// counting counts the commits of a store and keeps the changes of one workflow.
type counting struct {
	ports.Store
	commits, changes atomic.Int64

	mu      sync.Mutex
	changed map[string][]ports.Change
	sample  *recording
}

// recording is every change of one workflow, in order.
type recording struct{ changes []ports.Change }

func (c *counting) Commit(ctx context.Context, batch []ports.Change) []error {
	c.commits.Add(1)
	c.changes.Add(int64(len(batch)))
	if errs := c.Store.Commit(ctx, batch); errs[0] != nil {
		return errs
	} else {
		c.record(batch)
		return errs
	}
}

// record keeps the first workflow that is followed from its start to its end.
func (c *counting) record(batch []ports.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sample != nil {
		return
	}
	for _, ch := range batch {
		id := ch.Row.WorkflowID
		if ch.Expected == 0 && len(c.changed) < 4 {
			c.changed[id] = nil
		}
		if list, ok := c.changed[id]; ok {
			c.changed[id] = append(list, ch)
			if ch.Row.Status.Terminal() {
				c.sample = &recording{changes: c.changed[id]}
				return
			}
		}
	}
}
