package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// storeTimeout bounds one call of the store.
	storeTimeout = 10 * time.Second
	// doubtTime is how long a store that did not write is said to be down, unless
	// it writes. Then it is tried again, by whoever comes next.
	doubtTime = 10 * time.Second
)

// committer is the group commit: changes of many workflows that are ready
// together go to the store as one batch, with one fsync. A lone change goes at
// once; while a batch is on its way the next one gathers. It holds at most one
// change per workflow in hand, since a partition waits for each.
type committer struct {
	store ports.Committer
	done  func(workflowID string, batch int, err error)
	// wrote is told of each batch; nil if nobody wants to know.
	wrote func(errs []error, took time.Duration)
	// noticed is called after a batch with which somebody is to be told of something.
	noticed func()
	log     *slog.Logger

	mu      sync.Mutex
	ready   *sync.Cond
	queue   []ports.Change
	writing int
	closed  bool
	failed  time.Time // when the store refused to write last, zero if it has written since
	logged  time.Time // when the log was told why last
}

func newCommitter(store ports.Committer, done func(string, int, error), noticed func(), log *slog.Logger) *committer {
	c := &committer{store: store, done: done, noticed: noticed, log: log}
	c.ready = sync.NewCond(&c.mu)
	return c
}

func (c *committer) add(change ports.Change) {
	c.mu.Lock()
	c.queue = append(c.queue, change)
	c.mu.Unlock()
	c.ready.Signal()
}

// busy reports whether anything is queued or being written.
func (c *committer) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0 || c.writing > 0
}

// close lets the lanes finish what is queued and end.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.ready.Broadcast()
}

// run is one commit lane.
func (c *committer) run(ctx context.Context) {
	for {
		batch := c.next()
		if batch == nil {
			return
		}
		// A commit on its way is not cut off by a shutdown: its outcome would be unknown.
		commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		began := time.Now()
		errs := c.store.Commit(commit, batch)
		cancel()
		if c.wrote != nil {
			c.wrote(errs, time.Since(began))
		}
		tells, written := false, false
		for i := range batch {
			c.done(batch[i].Row.WorkflowID, len(batch), errs[i])
			tells = tells || errs[i] == nil && len(batch[i].Notices) > 0
			written = written || !errors.Is(errs[i], ports.ErrUnavailable)
		}
		if tells {
			c.noticed()
		}
		c.wroteOne(written, errs[0])
	}
}

// wroteOne notes the end of a batch, and tells the log, now and then, why the
// store does not write.
func (c *committer) wroteOne(written bool, err error) {
	c.mu.Lock()
	c.writing--
	c.failed = time.Time{}
	tell := false
	if !written {
		c.failed = time.Now()
		if tell = c.failed.Sub(c.logged) >= doubtTime; tell {
			c.logged = c.failed
		}
	}
	c.mu.Unlock()
	if tell {
		c.log.Warn("changes not written", "error", err)
	}
}

// writes reports whether the store writes, as far as is known: the last batch
// was written, or refused so long ago that the next one may be.
func (c *committer) writes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed.IsZero() || time.Since(c.failed) >= doubtTime
}

// next waits for changes and takes a batch; nil when closed and empty.
func (c *committer) next() []ports.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 {
		if c.closed {
			return nil
		}
		c.ready.Wait()
	}
	n := min(len(c.queue), ports.MaxBatch)
	batch := append([]ports.Change(nil), c.queue[:n]...)
	rest := copy(c.queue, c.queue[n:])
	clear(c.queue[rest:])
	c.queue = c.queue[:rest]
	c.writing++
	return batch
}
