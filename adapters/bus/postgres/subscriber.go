package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
)

// How messages are taken.
const (
	// hold is how long a message belongs to who claimed it; it is renewed while
	// the message is handled.
	hold       = 10 * time.Second
	renewEvery = 3 * time.Second
	// lookEvery is how often a subscriber looks for work that nobody told it of.
	lookEvery = 500 * time.Millisecond
	// maxRepair bounds the pause after a failure.
	maxRepair = 5 * time.Second
	// maxClaim is how many messages are claimed at once.
	maxClaim = 256
)

// Subscriber subscribes for a group.
func (t *Transport) Subscriber(group string, concurrency int) (message.Subscriber, error) {
	return &subscriber{broker.NewSubscriptions(t.life), t, group, concurrency}, nil
}

type subscriber struct {
	*broker.Subscriptions
	transport   *Transport
	group       string
	concurrency int
}

// Subscribe makes the group known and begins to deliver.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	f := &feed{subscriber: s, topic: topic, out: make(chan *message.Message), wake: make(chan struct{}, 1),
		slots: semaphore.NewWeighted(int64(s.concurrency)), held: map[int64]struct{}{}, settled: make(chan settlement, s.concurrency)}
	if err := f.join(ctx); err != nil {
		return nil, down(err)
	}
	ctx, cancel := s.Begin(ctx)
	t := s.transport
	t.mu.Lock()
	t.feeds[f] = struct{}{}
	t.mu.Unlock()
	s.Go(cancel, func() {
		f.run(ctx)
		t.mu.Lock()
		delete(t.feeds, f)
		t.mu.Unlock()
	})
	return f.out, nil
}

// feed is one subscription.
type feed struct {
	*subscriber
	topic   string
	slots   *semaphore.Weighted // one for each message that is out
	out     chan *message.Message
	wake    chan struct{} // something may be due
	pending sync.WaitGroup
	settled chan settlement // has room for all that is out

	mu   sync.Mutex
	held map[int64]struct{} // claimed and not yet settled
}

func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// join makes the group known. It locks no row: publishers go on meanwhile, and
// what they commit later is the group's.
func (f *feed) join(ctx context.Context) error {
	const insert = "INSERT INTO bus_groups (topic, name) VALUES ($1, $2) ON CONFLICT DO NOTHING"
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	t := f.transport
	_, err := t.pool.Exec(ctx, insert, f.topic, f.group)
	if isGone(err) {
		if err = t.ensureSchema(ctx); err == nil {
			_, err = t.pool.Exec(ctx, insert, f.topic, f.group)
		}
	}
	return err
}

func (f *feed) run(ctx context.Context) {
	settling, stopSettling := context.WithCancel(context.Background())
	var parts, settler sync.WaitGroup
	parts.Go(func() { f.claimAll(ctx) })
	parts.Go(func() { f.renewAll(ctx) })
	settler.Go(func() { f.settleAll(settling) })
	parts.Wait()
	f.pending.Wait()
	stopSettling()
	settler.Wait()
	close(f.out)
}

// claimAll claims what is due and brings it out, until ctx ends.
func (f *feed) claimAll(ctx context.Context) {
	wait := lookEvery
	for ctx.Err() == nil {
		free, err := f.room(ctx)
		if err != nil {
			return
		}
		got, err := f.claim(ctx, free)
		switch {
		case err != nil && ctx.Err() == nil:
			f.transport.log.Debug("PostgreSQL bus: nothing claimed", slog.String("topic", f.topic), slog.Any("error", err))
			wait = min(2*wait, maxRepair)
		default:
			wait = lookEvery
		}
		f.slots.Release(int64(free - len(got)))
		f.deliver(ctx, got)
		if len(got) > 0 { // there may be more
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-f.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// room waits for a free slot and takes as many as there are.
func (f *feed) room(ctx context.Context) (int, error) {
	if err := f.slots.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	free := 1
	for free < maxClaim && f.slots.TryAcquire(1) {
		free++
	}
	return free, nil
}

// row is a message that was claimed.
type row struct {
	seq  int64
	id   string
	key  string
	head map[string]string
	body []byte
}

// lockGroup has a group's claims come one after the other; each then sees what
// the one before has taken, which the order of a key depends on.
const lockGroup = `SELECT id FROM bus_groups WHERE topic = $1 AND name = $2 FOR NO KEY UPDATE`

// claimDue takes what is due, in order. Of a key it leaves what comes after a
// message that was never delivered, or that somebody holds.
const claimDue = `
WITH due AS (
    SELECT m.seq FROM bus_messages m
    WHERE m.group_id = (SELECT id FROM bus_groups WHERE topic = $1 AND name = $2) AND m.held_until < now()
      AND (m.key = '' OR NOT EXISTS (
          SELECT 1 FROM bus_messages b
          WHERE b.group_id = m.group_id AND b.key = m.key AND b.key <> '' AND b.seq <> m.seq
            AND (b.held_until >= now() OR (b.seq < m.seq AND b.tries = 0))))
    ORDER BY m.seq LIMIT $3
)
UPDATE bus_messages m SET tries = tries + 1, holder = $4, held_until = now() + $5::interval
FROM due WHERE m.seq = due.seq
RETURNING m.seq, m.id, m.key, m.headers, m.body`

// relaxed lets a transaction not wait for the disk: losing it repeats work and
// loses none.
const relaxed = `SELECT set_config('synchronous_commit', 'off', true)`

func (f *feed) claim(ctx context.Context, n int) ([]row, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	var batch pgx.Batch // one transaction, in which each statement sees what was committed before it
	var joined bool
	var got []row
	batch.Queue(relaxed)
	batch.Queue(lockGroup, f.topic, f.group).Query(func(rows pgx.Rows) error {
		joined = rows.Next()
		rows.Close()
		return rows.Err()
	})
	batch.Queue(claimDue, f.topic, f.group, n, f.transport.id, hold).Query(func(rows pgx.Rows) (err error) {
		got, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (m row, err error) {
			return m, r.Scan(&m.seq, &m.id, &m.key, &m.head, &m.body)
		})
		return err
	})
	err := f.transport.pool.SendBatch(ctx, &batch).Close()
	if isGone(err) || err == nil && !joined {
		return nil, f.join(ctx)
	}
	if err != nil {
		return nil, err
	}
	sortBySeq(got)
	return got, nil
}

// deliver brings out what was claimed; what the end of ctx keeps in is given back.
func (f *feed) deliver(ctx context.Context, rows []row) {
	f.mu.Lock()
	for _, r := range rows {
		f.held[r.seq] = struct{}{}
	}
	f.mu.Unlock()
	for _, r := range rows {
		msg := message.NewMessageWithContext(ctx, r.id, r.body)
		for name, value := range r.head {
			msg.Metadata[name] = value
		}
		if r.key != "" {
			msg.Metadata[broker.KeyMetadata] = r.key
		}
		f.pending.Add(1)
		select {
		case f.out <- msg:
			go f.settle(r.seq, msg)
		case <-ctx.Done():
			f.settled <- settlement{r.seq, false}
			f.pending.Done()
		}
	}
}
