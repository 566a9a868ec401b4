// Package postgres is the message bus on PostgreSQL, for who has a database and
// no broker.
//
// Publishing writes a message once for each group of its topic. A subscriber
// claims what is due for its group, holds it while it is handled and deletes it
// when it is acknowledged; what a lost subscriber held is due again when its
// hold runs out. Of messages with one key a group gets the next one only after
// the one before was delivered, whichever subscriber takes it.
//
// Tables that are gone are made again as soon as somebody publishes or
// subscribes; what was in them is lost, which is what the coordinator's own
// database is for. They are two, bus_groups and bus_messages, in the first
// schema of the search path.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the transport.
const (
	// MaxAge is how long a message waits for a group that does not come.
	MaxAge = 7 * 24 * time.Hour
	// MaxMessages bounds, about, what is kept for all groups together; beyond
	// it nothing more is published.
	MaxMessages = 5_000_000
	// Connections is how many the transport opens at most, besides the one on
	// which it listens.
	Connections = 8

	connectTimeout   = 5 * time.Second
	statementTimeout = 20 * time.Second
	sweepEvery       = time.Minute
	sweepSize        = 1000
)

//go:embed schema.sql
var schema string

// channel is what listeners are told topics on that have something new.
const channel = "coordination_bus"

// Config of a transport. The zero value is usable.
type Config struct {
	// Logger hears of what goes wrong; nobody if nil.
	Logger *slog.Logger
}

// Transport is the topics of one database.
type Transport struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	id   int64 // of this process among those that hold messages
	life context.Context
	end  context.CancelFunc

	pending chan *pending // to be published
	work    sync.WaitGroup
	closed  sync.Once

	mu    sync.Mutex
	feeds map[*feed]struct{} // to be woken
}

var _ broker.Transport = (*Transport)(nil)

// Open connects to the database of a URL and makes the tables if they are
// missing. ports.ErrBusDown if it cannot be reached.
func Open(ctx context.Context, url string, cfg Config) (*Transport, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	poolConfig, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the URL of the bus is not a PostgreSQL URL") // the cause may repeat the password
	}
	poolConfig.MaxConns = Connections
	poolConfig.ConnConfig.ConnectTimeout = connectTimeout
	poolConfig.ConnConfig.RuntimeParams["application_name"] = "platform-coordination-bus"
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, down(err)
	}
	t := &Transport{pool: pool, log: cfg.Logger, id: 1 + rand.Int64N(1<<62), pending: make(chan *pending, maxPending), feeds: map[*feed]struct{}{}}
	if err := t.ensureSchema(ctx); err != nil {
		pool.Close()
		return nil, down(err)
	}
	t.life, t.end = context.WithCancel(context.Background())
	for range publishers {
		t.work.Go(t.publishAll)
	}
	t.work.Go(t.listenAll)
	t.work.Go(t.sweepAll)
	return t, nil
}

// ensureSchema makes the tables. The lock keeps two processes from making them
// at once, which PostgreSQL does not take well.
func (t *Transport) ensureSchema(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('coordination_bus'))"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
}

// down says that certainly nothing was published. The error of a failed
// connection names the user and the database, never the password.
func down(err error) error { return fmt.Errorf("%w: PostgreSQL: %w", ports.ErrBusDown, err) }

// isGone reports whether the tables are not there.
func isGone(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}

// Ping reports whether the database answers.
func (t *Transport) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := t.pool.Ping(ctx); err != nil {
		return down(err)
	}
	return nil
}

// Close ends all that the transport does.
func (t *Transport) Close() error {
	t.closed.Do(func() {
		t.end()
		t.work.Wait()
		t.pool.Close()
	})
	return nil
}

// Publisher publishes with the commit of the database.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }

// listenAll wakes subscribers when something is published, until Close. It is
// no more than a shortcut: each looks for itself now and then.
func (t *Transport) listenAll() {
	for t.life.Err() == nil {
		if err := t.listen(); err != nil && t.life.Err() == nil {
			t.log.Debug("PostgreSQL bus: not listening", slog.Any("error", err))
		}
		pause(t.life, time.Second)
	}
}

func (t *Transport) listen() error {
	conn, err := pgx.ConnectConfig(t.life, t.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(t.life, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(t.life)
		if err != nil {
			return err
		}
		t.mu.Lock()
		for f := range t.feeds {
			if f.topic == n.Payload {
				f.nudge()
			}
		}
		t.mu.Unlock()
	}
}

// sweepAll removes what waited too long, until Close.
func (t *Transport) sweepAll() {
	for pause(t.life, sweepEvery) {
		ctx, cancel := context.WithTimeout(t.life, statementTimeout)
		tag, err := t.pool.Exec(ctx, `DELETE FROM bus_messages WHERE seq IN
			(SELECT seq FROM bus_messages WHERE published < now() - $1::interval ORDER BY published LIMIT $2)`, MaxAge, sweepSize)
		cancel()
		switch {
		case err != nil:
			t.log.Debug("PostgreSQL bus: not swept", slog.Any("error", err))
		case tag.RowsAffected() > 0:
			t.log.Warn("messages were removed that nobody took", slog.Int64("messages", tag.RowsAffected()), slog.Duration("after", MaxAge))
		}
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
