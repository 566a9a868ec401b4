// Package postgres is the store for one or many replicas over one Postgres (15
// or later).
//
// A batch of changes is one round trip and one durable transaction: at most two
// statements, pipelined, whose parameters are arrays with one element per
// change. See commit.go for how a change is refused without its neighbours, and
// migrations for why the tables look as they do. Connections must be to the
// server itself or to a pooler in session mode: prepared statements and
// session settings are relied on.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Store = (*Store)(nil)

// Defaults of Config.
const (
	DefaultCommitConns      = 4
	DefaultConns            = 8
	DefaultStatementTimeout = 8 * time.Second
	DefaultLockTimeout      = 4 * time.Second
	DefaultConnectTimeout   = 5 * time.Second
)

// Config of a Store. Only DSN is required.
type Config struct {
	// DSN is a connection URL or keyword/value string.
	DSN string
	// Migrate brings the schema up to date on Open. Without it Open refuses an
	// old schema.
	Migrate bool
	// CommitConns is how many commits run at once; default DefaultCommitConns.
	CommitConns int
	// Conns is how many connections serve everything else; default DefaultConns.
	Conns int
	// StatementTimeout and LockTimeout bound what the server does for one
	// statement; defaults DefaultStatementTimeout, DefaultLockTimeout.
	StatementTimeout, LockTimeout time.Duration
}

// Store is a ports.Store in Postgres. Use Open. It is safe for concurrent use.
type Store struct {
	commits *pgxpool.Pool // prepared for Commit alone
	pool    *pgxpool.Pool // everything else
	closing sync.Once
}

// Open connects, and migrates or checks the schema.
func Open(ctx context.Context, c Config) (*Store, error) {
	c = c.withDefaults()
	base, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, errors.New("postgres: the connection string cannot be read") // the cause would repeat the password
	}
	if c.Migrate {
		err = Migrate(ctx, c.DSN)
	} else {
		err = checkSchema(ctx, c.DSN)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{}
	if s.commits, err = newPool(ctx, base.Copy(), c, c.CommitConns, commitSettings, prepareCommit); err != nil {
		return nil, err
	}
	if s.pool, err = newPool(ctx, base, c, c.Conns, querySettings, nil); err != nil {
		s.commits.Close()
		return nil, err
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.CommitConns <= 0 {
		c.CommitConns = DefaultCommitConns
	}
	if c.Conns <= 0 {
		c.Conns = DefaultConns
	}
	if c.StatementTimeout <= 0 {
		c.StatementTimeout = DefaultStatementTimeout
	}
	if c.LockTimeout <= 0 {
		c.LockTimeout = DefaultLockTimeout
	}
	return c
}

// commitSettings keep the plans of commits as they must be however young or
// old the tables are: one look-up by key per change. A planner that has seen
// ten rows would scan and hash, and go on doing so with a million.
var commitSettings = map[string]string{
	"plan_cache_mode":   "force_generic_plan",
	"enable_seqscan":    "off",
	"enable_hashjoin":   "off",
	"enable_mergejoin":  "off",
	"enable_bitmapscan": "off",
	"jit":               "off",
}

// querySettings: every query has an index; what a scan of a small table would
// save is not worth the day when statistics lag behind.
var querySettings = map[string]string{
	"enable_seqscan":    "off",
	"enable_sort":       "off", // of two indexes the one in order
	"enable_bitmapscan": "off", // plain index scans mark what is dead, so that the next one is spared it
	"jit":               "off",
}

func newPool(ctx context.Context, pc *pgxpool.Config, c Config, conns int, settings map[string]string,
	afterConnect func(context.Context, *pgx.Conn) error,
) (*pgxpool.Pool, error) {
	params := pc.ConnConfig.RuntimeParams
	for name, value := range settings {
		params[name] = value
	}
	params["application_name"] = "coordination"
	params["timezone"] = "UTC"
	params["statement_timeout"] = milliseconds(c.StatementTimeout)
	params["lock_timeout"] = milliseconds(c.LockTimeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(c.StatementTimeout)
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = DefaultConnectTimeout
	}
	pc.MaxConns = int32(conns)
	pc.AfterConnect = afterConnect
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, unavailable("connect", err)
	}
	return pool, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// Close ends all connections once their calls have returned.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.commits.Close()
		s.pool.Close()
	})
	return nil
}

// Ping reports whether the store answers.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, "SELECT 1"); err != nil {
		return unavailable("ping", err)
	}
	return nil
}

// Connections are those of both pools: how many are in use, idle, and allowed.
func (s *Store) Connections() (used, idle, limit int) {
	for _, stat := range []*pgxpool.Stat{s.commits.Stat(), s.pool.Stat()} {
		used, idle, limit = used+int(stat.AcquiredConns()), idle+int(stat.IdleConns()), limit+int(stat.MaxConns())
	}
	return used, idle, limit
}

// Pool describes the connections as "8/20 active".
func (s *Store) Pool() string {
	used, _, limit := s.Connections()
	return fmt.Sprintf("%d/%d active", used, limit)
}

// unavailable wraps what went wrong as ErrUnavailable; what the caller's
// context said stays visible to errors.Is.
func unavailable(doing string, err error) error {
	return fmt.Errorf("postgres: %s: %w: %w", doing, ports.ErrUnavailable, err)
}
