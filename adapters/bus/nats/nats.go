// Package nats is the message bus on NATS with JetStream.
//
// All topics of the coordinator are subjects of one stream, which keeps a
// message until every group that wants it has acknowledged it (interest
// retention); each group is a durable consumer with explicit acknowledgement.
// A server that comes back empty gets its stream and consumers again as soon as
// somebody publishes or subscribes; what it had is lost, which is what the
// database is for.
//
// Messages with one key are handled in order within a process. With several
// subscribers in a group the server hands out messages to whichever asks, so
// that order then holds only for messages published after the one before was
// acknowledged.
package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of the transport and its streams.
const (
	// MaxAge is how long a message waits for a group that does not come.
	MaxAge = 7 * 24 * time.Hour
	// MaxMessages bounds a stream; beyond it nothing more is published.
	MaxMessages = 5_000_000
	// Duplicates is how long a message that was published again is recognised.
	Duplicates = 2 * time.Minute
	// maxPending bounds what is published and not yet confirmed.
	maxPending = 16_384

	connectTimeout = 5 * time.Second
	reconnectWait  = 200 * time.Millisecond
	setUpTimeout   = 5 * time.Second
	pingInterval   = 10 * time.Second
	// headerSlack is room for headers beside a body.
	headerSlack = 64 << 10
)

const (
	mainStream  = "COORDINATION"
	mainSubject = "coordination.>"
	mainPrefix  = "coordination."
	clientName  = "platform-coordination"
)

// Config of a transport. The zero value is usable.
type Config struct {
	// Logger hears of what goes wrong; nobody if nil.
	Logger *slog.Logger
}

// Transport is a connection to a NATS server or cluster.
type Transport struct {
	conn *nats.Conn
	js   jetstream.JetStream
	log  *slog.Logger

	setUp  sync.Mutex // one repair at a time
	closed sync.Once
}

var _ broker.Transport = (*Transport)(nil)

// Open connects to the servers of a URL, nats://[user:password@]host:port,
// several separated by commas. ports.ErrBusDown if none can be reached, or has
// no JetStream.
func Open(ctx context.Context, url string, cfg Config) (*Transport, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	conn, err := nats.Connect(url, nats.Name(clientName), nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.ReconnectBufSize(-1), // what cannot be sent must not look as if it were
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { cfg.Logger.Debug("NATS", "error", err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { cfg.Logger.Warn("NATS disconnected", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { cfg.Logger.Info("NATS connected again") }))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ports.ErrBusDown, withoutURL(err))
	}
	t := &Transport{conn: conn, log: cfg.Logger}
	if t.js, err = jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(maxPending)); err == nil {
		err = t.ensureStream(ctx, mainPrefix)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: JetStream: %w", ports.ErrBusDown, err)
	}
	return t, nil
}

// withoutURL keeps a parse error from quoting a URL with its password.
func withoutURL(err error) error {
	if strings.Contains(err.Error(), "://") {
		return errors.New("the URL cannot be used")
	}
	return err
}

// streamOf is the stream that holds a topic, and its subjects.
func streamOf(topic string) (name, subject string) {
	if strings.HasPrefix(topic, mainPrefix) {
		return mainStream, mainSubject
	}
	return "TOPIC_" + strings.ReplaceAll(topic, ".", "_"), topic
}

// ensureStream makes the stream of a topic, or brings it up to date.
func (t *Transport) ensureStream(ctx context.Context, topic string) error {
	t.setUp.Lock()
	defer t.setUp.Unlock()
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	name, subject := streamOf(topic)
	_, err := t.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{subject}, Retention: jetstream.InterestPolicy, Storage: jetstream.FileStorage,
		MaxAge: MaxAge, MaxMsgs: MaxMessages, Discard: jetstream.DiscardNew, Duplicates: Duplicates,
		MaxMsgSize: ports.MaxMessageBytes + headerSlack,
	})
	return err
}

// Ping reports whether the server answers.
func (t *Transport) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	if !t.conn.IsConnected() {
		return fmt.Errorf("%w: NATS is not connected", ports.ErrBusDown)
	}
	if err := t.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("%w: NATS: %w", ports.ErrBusDown, err)
	}
	return nil
}

// Close ends the connection; what was delivered and not acknowledged is
// delivered to somebody else.
func (t *Transport) Close() error {
	t.closed.Do(t.conn.Close)
	return nil
}

// Publisher publishes with the server's confirmation.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }

type publisher struct{ *Transport }

// Close does nothing: the transport is closed as a whole.
func (publisher) Close() error { return nil }

// Publish publishes messages one by one.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := p.publish(topic, m); err != nil {
			return err
		}
	}
	return nil
}

func (p publisher) publish(topic string, m *message.Message) error {
	if !p.conn.IsConnected() {
		return fmt.Errorf("%w: NATS is not connected", ports.ErrBusDown)
	}
	msg := nats.NewMsg(topic)
	msg.Data = m.Payload
	msg.Header[idHeader] = []string{m.UUID}
	for name, value := range m.Metadata {
		msg.Header[name] = []string{value} // as it is written: Set would change its case
	}
	future, err := p.js.PublishMsgAsync(msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("%w: Body: larger than this NATS server takes", ports.ErrMessageRefused)
	}
	if err != nil { // nothing was sent
		return fmt.Errorf("%w: NATS: %w", ports.ErrBusDown, err)
	}
	select {
	case <-future.Ok():
		return nil
	case err := <-future.Err():
		return p.refused(m.Context(), topic, msg, err)
	case <-m.Context().Done():
		return fmt.Errorf("NATS did not confirm: %w", m.Context().Err())
	}
}

// refused finds out what an error of the server means.
func (p publisher) refused(ctx context.Context, topic string, msg *nats.Msg, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders):
		if strings.HasPrefix(topic, mainPrefix) { // the server has come back empty
			if err := p.ensureStream(ctx, topic); err != nil {
				p.log.Warn("NATS stream not restored", "error", err)
			}
			return fmt.Errorf("%w: NATS had lost its stream", ports.ErrBusDown)
		}
		if err := p.conn.PublishMsg(msg); err != nil { // a topic of the caller's own, without a stream
			return fmt.Errorf("%w: NATS: %w", ports.ErrBusDown, err)
		}
		return nil
	case errors.As(err, &api):
		return fmt.Errorf("%w: NATS refused: %w", ports.ErrBusDown, err)
	}
	return fmt.Errorf("NATS: %w", err)
}
