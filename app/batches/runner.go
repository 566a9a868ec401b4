package batches

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Defaults and limits of a runner.
const (
	DefaultLease     = 10 * time.Second
	DefaultPollEvery = time.Second

	// maxChunk is how many workflows are asked before their results are recorded.
	maxChunk = 64
	// chunksPerSecond is how often that is done at least, where the rate allows:
	// a batch that is cancelled stops that soon.
	chunksPerSecond = 4
	// storeTimeout bounds one call of the store, askTimeout one of a workflow.
	storeTimeout = 10 * time.Second
	askTimeout   = 20 * time.Second
	// firstPause and maxPause are how long a batch rests when the store, or the
	// workflows, can take nothing now.
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// RunnerConfig sets a runner up. The zero value of each member means its default.
type RunnerConfig struct {
	// Lease is how long the other replicas wait before they take over the batches
	// of a silent one. Default 10 s.
	Lease time.Duration
	// PollEvery is how often the store is asked for batches when nobody says that
	// there is one. Default 1 s.
	PollEvery time.Duration
}

// RunnerStore is the part of a store that a runner needs.
type RunnerStore interface {
	ports.Batches
	Renew(ctx context.Context, replica string, ttl time.Duration) error
	Release(ctx context.Context, replica string) error
}

// RunnerDeps are what a runner works with. Logger may be nil.
type RunnerDeps struct {
	Store     RunnerStore
	Workflows ports.Workflows
	Clock     ports.Clock
	Entropy   ports.Entropy
	Logger    *slog.Logger
}

// Runner works batches off. Any number of replicas can have one over the same
// store; a batch is worked off by one of them at a time.
type Runner struct {
	cfg RunnerConfig
	RunnerDeps
	replica string
	leased  atomic.Bool
	wake    chan struct{}
	// doubtSince is when a claim failed last, zero once that is settled; only
	// claims uses it.
	doubtSince time.Time

	mu     sync.Mutex
	active map[string]*job // by batch

	ctx      context.Context // of everything that runs in the background
	cancel   context.CancelFunc
	draining context.Context // ends when no workflow is to be asked any more
	drain    context.CancelFunc
	claiming sync.WaitGroup
	working  sync.WaitGroup
	leasing  sync.WaitGroup
	start    sync.Once
	running  bool
	stop     sync.Once
}

// job is a batch that this replica works off. again tells that it was claimed
// once more meanwhile, so that it must not be left.
type job struct{ again bool }

// NewRunner makes a runner that does nothing before Start.
func NewRunner(cfg RunnerConfig, d RunnerDeps) (*Runner, error) {
	if d.Store == nil || d.Workflows == nil || d.Clock == nil || d.Entropy == nil {
		return nil, errors.New("batches: Store, Workflows, Clock and Entropy are required")
	}
	if cfg.Lease <= 0 {
		cfg.Lease = DefaultLease
	}
	if cfg.PollEvery <= 0 {
		cfg.PollEvery = DefaultPollEvery
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, RunnerDeps: d, replica: "batches-" + d.Entropy.UUID(), wake: make(chan struct{}, 1), active: map[string]*job{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.draining, r.drain = context.WithCancel(r.ctx)
	return r, nil
}

// Start takes the lease and begins to work. It fails if the store cannot be
// written. A second call does nothing.
func (r *Runner) Start(ctx context.Context) error {
	var err error
	r.start.Do(func() {
		if err = r.Store.Renew(ctx, r.replica, r.cfg.Lease); err != nil {
			err = fmt.Errorf("batches: take the lease: %w", err)
			return
		}
		r.leased.Store(true)
		r.running = true
		r.leasing.Go(r.keepLease)
		r.claiming.Go(r.claims)
	})
	return err
}

// Close asks no workflow any more, lets what is under way end and be recorded
// until ctx does, and leaves the batches to the other replicas. A second call
// does nothing.
func (r *Runner) Close(ctx context.Context) error {
	var err error
	r.stop.Do(func() {
		r.start.Do(func() {}) // it will not start any more
		if r.running {
			err = r.finish(ctx)
		}
		r.cancel()
		r.leasing.Wait()
	})
	return err
}

func (r *Runner) finish(ctx context.Context) error {
	r.drain()
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	r.claiming.Wait()
	r.working.Wait()
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Lease)
	defer cancel()
	return r.Store.Release(release, r.replica)
}

// Wake says that there is a batch. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// safely keeps a panic from ending the loop that it happens in.
func (r *Runner) safely(where string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			r.Logger.Error("panic in the runner of batches", "where", where, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do()
}

// warn logs an error that passes, unless it is that of the end.
func (r *Runner) warn(what string, err error, more ...any) {
	if r.draining.Err() == nil {
		r.Logger.Warn(what, append(more, "error", err)...)
	}
}

// keepLease renews the lease three times per lease.
func (r *Runner) keepLease() {
	every := time.NewTicker(max(r.cfg.Lease/3, 10*time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-every.C:
		}
		r.safely("lease", func() {
			ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Lease)
			defer cancel()
			err := r.Store.Renew(ctx, r.replica, r.cfg.Lease)
			r.leased.Store(err == nil)
			if err != nil {
				r.warn("lease of batches not renewed", err)
			}
		})
	}
}

// claims looks for batches until nothing more is to be asked.
func (r *Runner) claims() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.draining.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		r.safely("claims", func() {
			for r.claim() {
			}
		})
		timer.Reset(r.cfg.PollEvery + time.Duration(r.Entropy.Random()%uint64(r.cfg.PollEvery/4+1)))
	}
}

// claim claims one batch and reports whether there was one.
func (r *Runner) claim() bool {
	ctx, cancel := context.WithTimeout(r.draining, storeTimeout)
	defer cancel()
	if r.draining.Err() != nil || !r.leased.Load() || !r.settleDoubt(ctx) {
		return false
	}
	b, err := r.Store.ClaimBatch(ctx, r.replica)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return false
	case err != nil:
		r.doubtSince = r.Clock.Now()
		r.warn("batches not claimed", err)
		return false
	}
	r.begin(b)
	return true
}

// settleDoubt makes good for a claim that failed without a verdict: this replica
// may hold a batch that it never heard of, and nobody takes it from a live
// holder. So once the store can no longer be at it, everything is given up and
// claimed anew. What is under way goes on if it is this replica that claims it
// again, and else finds out by the store's refusal. It reports whether claims
// may go on.
func (r *Runner) settleDoubt(ctx context.Context) bool {
	if r.doubtSince.IsZero() || r.Clock.Now().Sub(r.doubtSince) < storeTimeout {
		return true
	}
	err := r.Store.Release(ctx, r.replica)
	if err == nil {
		err = r.Store.Renew(ctx, r.replica, r.cfg.Lease)
	}
	if err != nil {
		r.warn("batches not released after a failed claim", err)
		return false
	}
	r.doubtSince = time.Time{}
	return true
}

// begin works a claimed batch off in a goroutine of its own. There are never
// more than may be unfinished.
func (r *Runner) begin(b ports.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.active[b.ID]; j != nil {
		j.again = true
		return
	}
	j := &job{}
	r.active[b.ID] = j
	r.working.Go(func() {
		for again := true; again; {
			r.safely("batch", func() { r.work(&b) })
			again = r.leave(b.ID, j)
		}
	})
}

// leave ends a job, and reports true if it must go on instead.
func (r *Runner) leave(id string, j *job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.again && r.draining.Err() == nil {
		j.again = false
		return true
	}
	delete(r.active, id)
	return false
}
