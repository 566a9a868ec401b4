package rabbitmq

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is a connection that is made again whenever it was lost.
type link struct {
	url, name string
	log       *slog.Logger
	prepare   func(*amqp.Connection) error // before others may use a connection; may be nil
	lanes     int                          // that publish
	running   sync.WaitGroup

	mu      sync.Mutex
	session *session      // nil: not connected
	changed chan struct{} // closed when session changes
}

// session is one connection, from its start to its loss.
type session struct {
	conn    *amqp.Connection
	lost    chan struct{} // closed when the connection is
	wanted  chan *outgoing
	blocked atomic.Bool // the server takes no messages: it is short of memory or disk
}

// open connects once, and from then on again and again until life ends.
func (l *link) open(ctx, life context.Context) error {
	l.changed = make(chan struct{})
	first, err := l.connect(ctx)
	if err != nil {
		return err
	}
	l.set(first)
	l.running.Go(func() { l.keep(life, first) })
	return nil
}

func (l *link) keep(life context.Context, s *session) {
	for {
		l.use(life, s)
		for pause := firstBackoff; ; pause = min(2*pause, maxBackoff) {
			select {
			case <-life.Done():
				return
			case <-time.After(pause/2 + rand.N(pause)):
			}
			var err error
			if s, err = l.connect(life); err == nil {
				l.log.Info("RabbitMQ connected again", "connection", l.name)
				l.set(s)
				break
			}
		}
	}
}

// use serves a connection until it is lost or life ends.
func (l *link) use(life context.Context, s *session) {
	closed := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	var parts sync.WaitGroup
	for range l.lanes {
		parts.Go(func() { s.lane() })
	}
	parts.Go(func() {
		for b := range blocked {
			s.blocked.Store(b.Active)
			l.log.Warn("RabbitMQ holds back publishers", "blocked", b.Active, "reason", b.Reason)
		}
	})
	select {
	case err := <-closed:
		l.log.Warn("RabbitMQ disconnected", "connection", l.name, "error", err)
	case <-life.Done():
		_ = s.conn.CloseDeadline(time.Now().Add(connectTimeout))
	}
	l.set(nil)
	close(s.lost)
	parts.Wait()
}

func (l *link) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(l.name)
	conn, err := amqp.DialConfig(l.url, amqp.Config{
		Heartbeat: heartbeat, Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			deadline, _ := ctx.Deadline()
			return conn, conn.SetDeadline(deadline) // of the handshake; the library lifts it
		},
	})
	if err != nil {
		return nil, err
	}
	if l.prepare != nil {
		if err := l.prepare(conn); err != nil {
			_ = conn.CloseDeadline(time.Now().Add(connectTimeout))
			return nil, err
		}
	}
	return &session{conn: conn, lost: make(chan struct{}), wanted: make(chan *outgoing)}, nil
}

func (l *link) set(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	close(l.changed)
	l.changed = make(chan struct{})
}

// current is the connection now, nil if there is none.
func (l *link) current() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// await waits for a connection; nil: ctx ended first.
func (l *link) await(ctx context.Context) *session {
	for {
		l.mu.Lock()
		s, changed := l.session, l.changed
		l.mu.Unlock()
		if s != nil {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
