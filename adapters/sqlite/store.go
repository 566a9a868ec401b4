// Package sqlite is the durable store for one coordinator without a database
// server, in pure Go.
//
// One connection writes. A batch of changes is one transaction and one flush
// (WAL with synchronous=FULL), made of few prepared statements; because nobody
// else writes, a change can be checked first and then written. Other
// connections read at the same time. A second coordinator on the same file is
// refused.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Store = (*Store)(nil)

// DefaultReaders is how many connections read at once unless Config says otherwise.
const DefaultReaders = 4

// What every connection is told.
const (
	busyTimeout    = 5 * time.Second
	writerCacheKiB = 32 << 10
	readerCacheKiB = 4 << 10
	// checkpointPages is how many pages the log may have before a commit moves
	// them into the database: many changes of a page cost one write, and the
	// commit that does it still takes only some ten milliseconds.
	checkpointPages = 4 << 10
)

// Config of a Store. Only Path is required.
type Config struct {
	// Path of the database file. SQLite keeps two more files beside it, and a
	// lock file stays beside it.
	Path string
	// Migrate brings the schema up to date on Open. Without it Open refuses an
	// old schema.
	Migrate bool
	// Readers is how many connections read at once; default DefaultReaders.
	Readers int
}

// Store is a ports.Store in a file. Use Open. It is safe for concurrent use.
type Store struct {
	lock    *fileLock
	writes  *sql.DB
	reads   *sql.DB
	writer  chan *writer // holds the writer while nobody writes
	closed  chan struct{}
	closing sync.Once
}

// Open locks and opens the file, creates it if need be, and migrates or checks
// the schema. ErrInUse if another coordinator has it.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Readers <= 0 {
		c.Readers = DefaultReaders
	}
	lock, err := lockFile(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, closed: make(chan struct{})}
	if err := s.open(ctx, c); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, c Config) (err error) {
	if s.writes, err = openDB(c.Path, 1, writerCacheKiB); err != nil {
		return err
	}
	if c.Migrate {
		err = migrate(ctx, s.writes)
	} else {
		err = checkSchema(ctx, s.writes)
	}
	if err != nil {
		return err
	}
	w, err := newWriter(ctx, s.writes)
	if err != nil {
		return unavailable("prepare", err)
	}
	s.writer = make(chan *writer, 1)
	s.writer <- w
	s.reads, err = openDB(c.Path, c.Readers, readerCacheKiB, "query_only(1)")
	return err
}

// openDB opens a pool of up to n connections.
func openDB(path string, n, cacheKiB int, pragmas ...string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", fileURL(path, append([]string{
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", cacheKiB), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages),
	}, pragmas...)...))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// fileURL is the data source name of a file, whatever characters its path has.
func fileURL(path string, pragmas ...string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()}
	u.RawQuery = url.Values{"_pragma": pragmas}.Encode()
	return u.String()
}

// Close waits for what is being written, and frees the file.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.closed)
		if s.writer != nil {
			err = (<-s.writer).close()
		}
		if s.writes != nil {
			err = errors.Join(err, s.writes.Close())
		}
		if s.reads != nil {
			err = errors.Join(err, s.reads.Close())
		}
		err = errors.Join(err, s.lock.release())
	})
	return err
}

// Ping reports whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.reads.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

// Pool is empty: there is no server to be connected to.
func (s *Store) Pool() string { return "" }

// unavailable wraps what went wrong as ErrUnavailable; what the caller's
// context said stays visible to errors.Is.
func unavailable(doing string, err error) error {
	return fmt.Errorf("sqlite: %s: %w: %w", doing, ports.ErrUnavailable, err)
}
