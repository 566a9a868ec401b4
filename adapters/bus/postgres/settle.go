package postgres

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
)

// settlement is what became of a message that was claimed.
type settlement struct {
	seq   int64
	acked bool
}

// endTimeout bounds how long the end of a subscription waits for PostgreSQL to
// hear what became of its messages; what it does not hear comes again.
const endTimeout = 2 * time.Second

// settle waits for what becomes of a message that is out; whoever got it says
// so in any case, also when the subscription has ended.
func (f *feed) settle(seq int64, msg *message.Message) {
	defer f.pending.Done()
	select {
	case <-msg.Acked():
		f.settled <- settlement{seq, true}
	case <-msg.Nacked():
		f.settled <- settlement{seq, false}
	}
}

// settleAll tells PostgreSQL what became of messages, many at a time, until ctx
// ends and all was told.
func (f *feed) settleAll(ctx context.Context) {
	for {
		var batch []settlement
		select {
		case first := <-f.settled:
			batch = append(batch, first)
		case <-ctx.Done():
			if len(f.settled) == 0 {
				return
			}
		}
		for len(f.settled) > 0 {
			batch = append(batch, <-f.settled)
		}
		f.tell(ctx, batch)
		f.mu.Lock()
		for _, s := range batch {
			delete(f.held, s.seq)
		}
		f.mu.Unlock()
		f.slots.Release(int64(len(batch)))
	}
}

// tell tells PostgreSQL until it has understood. Meanwhile the messages stay
// held, so that they are not delivered again; after the end it gives up.
func (f *feed) tell(ctx context.Context, batch []settlement) {
	var acked, nacked []int64
	for _, s := range batch {
		if s.acked {
			acked = append(acked, s.seq)
		} else {
			nacked = append(nacked, s.seq)
		}
	}
	ended := ctx.Err() != nil
	for wait := renewEvery / 30; ; wait = min(2*wait, maxRepair) {
		err := f.write(acked, nacked)
		if err == nil || ended || isGone(err) {
			break
		}
		f.transport.log.Debug("PostgreSQL bus: nothing settled", slog.String("topic", f.topic), slog.Any("error", err))
		ended = !pause(ctx, wait)
	}
	if len(nacked) > 0 {
		f.nudge()
	}
}

func (f *feed) write(acked, nacked []int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	var batch pgx.Batch
	batch.Queue(relaxed)
	if len(acked) > 0 { // whoever holds it now: it was handled
		batch.Queue("DELETE FROM bus_messages WHERE seq = ANY ($1)", acked)
	}
	if len(nacked) > 0 {
		batch.Queue("UPDATE bus_messages SET held_until = '-infinity' WHERE seq = ANY ($1) AND holder = $2", nacked, f.transport.id)
	}
	return f.transport.pool.SendBatch(ctx, &batch).Close()
}

// renewAll keeps others from getting what is being handled, until ctx ends;
// then what is left has the time of a hold to be settled.
func (f *feed) renewAll(ctx context.Context) {
	for pause(ctx, renewEvery) {
		f.mu.Lock()
		held := slices.Collect(maps.Keys(f.held))
		f.mu.Unlock()
		if len(held) == 0 {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, renewEvery)
		_, err := f.transport.pool.Exec(bounded, "UPDATE bus_messages SET held_until = now() + $3::interval WHERE seq = ANY ($1) AND holder = $2",
			held, f.transport.id, hold)
		cancel()
		if err != nil && ctx.Err() == nil {
			f.transport.log.Debug("PostgreSQL bus: nothing renewed", slog.String("topic", f.topic), slog.Any("error", err))
		}
	}
}

func sortBySeq(rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.seq, b.seq) })
}
