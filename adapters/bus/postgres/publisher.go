package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/ports"
)

// How messages are published: what waits goes in one transaction, so that many
// share one write to the disk.
const (
	publishers    = 2 // transactions at once
	maxPending    = 4096
	maxBatch      = 256
	maxBatchBytes = 4 << 20
	// roomEvery is how often the number of messages is looked at.
	roomEvery = 5 * time.Second
)

// errFull: the groups have too much to take.
var errFull = fmt.Errorf("%w: PostgreSQL holds more than %d messages", ports.ErrBusDown, MaxMessages)

// pending is a message that waits to be published.
type pending struct {
	topic string
	msg   *message.Message
	done  chan error // takes one
}

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
	ctx := m.Context()
	// The body is the caller's again when this returns, which may be before it was sent.
	own := &pending{topic, m.Copy(), make(chan error, 1)}
	own.msg.Payload = append([]byte{}, m.Payload...)
	select {
	case p.pending <- own:
	case <-ctx.Done():
		return down(ctx.Err())
	case <-p.life.Done():
		return fmt.Errorf("%w: the bus is closed", ports.ErrBusDown)
	}
	select {
	case err := <-own.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("PostgreSQL did not confirm: %w", ctx.Err())
	case <-p.life.Done():
		return errors.New("the bus was closed before PostgreSQL confirmed")
	}
}

// publishAll publishes what waits, until Close.
func (t *Transport) publishAll() {
	var looked time.Time
	var full bool
	for {
		var batch []*pending
		select {
		case first := <-t.pending:
			batch = t.gather(first)
		case <-t.life.Done():
			return
		}
		var err error
		if time.Since(looked) > roomEvery {
			full, looked = t.isFull(), time.Now()
		}
		if err = errFull; !full {
			err = t.insert(batch)
		}
		for _, p := range batch {
			p.done <- err
		}
	}
}

// gather adds what waits already.
func (t *Transport) gather(first *pending) []*pending {
	batch, bytes := []*pending{first}, len(first.msg.Payload)
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		select {
		case next := <-t.pending:
			batch, bytes = append(batch, next), bytes+len(next.msg.Payload)
		default:
			return batch
		}
	}
	return batch
}

// isFull asks PostgreSQL's estimate, since counting would take longer with
// every message.
func (t *Transport) isFull() bool {
	ctx, cancel := context.WithTimeout(t.life, statementTimeout)
	defer cancel()
	var rows int64
	err := t.pool.QueryRow(ctx, `SELECT coalesce(pg_stat_get_live_tuples(to_regclass('bus_messages')), 0)`).Scan(&rows)
	return err == nil && rows > MaxMessages
}

const insertMessages = `
INSERT INTO bus_messages (group_id, id, key, headers, body)
SELECT g.id, m.id, m.key, m.headers::jsonb, m.body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY AS m (topic, id, key, headers, body, n)
JOIN bus_groups g USING (topic)
ORDER BY m.n`

const notify = `SELECT pg_notify($2, topic) FROM (SELECT DISTINCT unnest($1::text[]) AS topic) AS topics`

// insert commits a batch. An error after it was sent leaves open whether it is there.
func (t *Transport) insert(messages []*pending) error {
	n := len(messages)
	topics, ids, keys, headers, bodies := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i, p := range messages {
		rest := map[string]string{}
		for name, value := range p.msg.Metadata {
			if name != broker.KeyMetadata {
				rest[name] = value
			}
		}
		text, err := json.Marshal(rest)
		if err != nil {
			return fmt.Errorf("%w: %w", ports.ErrMessageRefused, err)
		}
		topics[i], ids[i], keys[i], headers[i], bodies[i] = p.topic, p.msg.UUID, p.msg.Metadata[broker.KeyMetadata], string(text), p.msg.Payload
	}
	// Not the life of the transport: what is under way at its end is finished.
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn, err := t.pool.Acquire(ctx)
	if err != nil {
		return down(err)
	}
	defer conn.Release()
	var batch pgx.Batch // one transaction
	batch.Queue(insertMessages, topics, ids, keys, headers, bodies)
	batch.Queue(notify, topics, channel)
	return t.judge(ctx, conn.SendBatch(ctx, &batch).Close())
}

// judge finds out what an error of publishing means.
func (t *Transport) judge(ctx context.Context, err error) error {
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case isGone(err):
		if err := t.ensureSchema(ctx); err != nil {
			t.log.Warn("PostgreSQL bus: tables not restored", "error", err)
		}
		return fmt.Errorf("%w: PostgreSQL had lost its tables", ports.ErrBusDown)
	case pgconn.SafeToRetry(err), errors.As(err, &said) && said.Severity == "ERROR": // nothing was sent, or all was rolled back
		return down(err)
	}
	return fmt.Errorf("PostgreSQL: %w", err)
}
