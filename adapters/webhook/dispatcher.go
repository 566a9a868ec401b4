package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/ports"
)

// Defaults and limits of a dispatcher.
const (
	DefaultLease       = 10 * time.Second
	DefaultPerEndpoint = 8
	DefaultInFlight    = 512
	DefaultPollEvery   = time.Second

	// refreshEvery is how old what is known of the subscriptions may be; a
	// change by this replica is known at once.
	refreshEvery = 2 * time.Second
	// roundPause is how long one round follows another at least.
	roundPause = 10 * time.Millisecond
	// storeTimeout bounds one call of the store.
	storeTimeout = 10 * time.Second
	// firstPause and maxPause are how long to wait for a store that failed.
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Config sets a dispatcher up. The zero value of each member means its default.
type Config struct {
	// Lease is how long the other replicas wait before they take over what a
	// silent one has claimed. Default 10 s.
	Lease time.Duration
	// PerEndpoint bounds the attempts of one subscription that are under way at
	// once. Default 8.
	PerEndpoint int
	// InFlight bounds those of all. Default 512.
	InFlight int
	// PollEvery is how often the store is asked for what is due when nobody
	// says that anything is. Default 1 s.
	PollEvery time.Duration
	// Guard says where webhooks may go. Required.
	Guard *guard.Guard
	// Roots verify the certificates of receivers; nil are the system's.
	Roots *x509.CertPool
}

// Store is the part of a store that a dispatcher needs.
type Store interface {
	ports.WebhookStore
	ports.DeliveryStore
	Renew(ctx context.Context, replica string, ttl time.Duration) error
	Release(ctx context.Context, replica string) error
}

// Workflows reads what is told of; ports.Queries is one.
type Workflows interface {
	Workflow(ctx context.Context, workflowID string) (ports.Snapshot, error)
}

// Deps are what a dispatcher works with. Logger, Attempted and Disabled may be nil.
type Deps struct {
	Store     Store
	Workflows Workflows
	Sealer    ports.Sealer
	Clock     ports.Clock
	Entropy   ports.Entropy
	Logger    *slog.Logger
	// Begin, if set, is called when an attempt begins, for traces: it may add
	// headers, and its end takes the status of the response, 0 if there was none.
	Begin func(ctx context.Context, t Told, h http.Header) (_ context.Context, end func(status int, err error))
	// Attempted is told of every attempt, for metrics.
	Attempted func(Attempted)
	// Disabled is told of every subscription that this replica disabled.
	Disabled func(webhookID, reason string)
}

// Attempted is an attempt and what came of it.
type Attempted struct {
	WebhookID      string
	Event          string
	Status         ports.DeliveryStatus // after it
	ResponseStatus int                  // 0 if there was no response
	Took           time.Duration
}

// Dispatcher sends deliveries: the shell of goroutines around endpoints, render,
// post and settle. Any number of replicas can have one over the same store.
type Dispatcher struct {
	cfg Config
	Deps
	replica string
	sender  *sender
	cache   *rendered

	mu        sync.Mutex
	endpoints *endpoints
	refreshed time.Time         // zero: as soon as may be
	disabling map[string]string // reasons, by subscription, until the store knows
	// doubtSince is when a claim failed last, zero once that is settled.
	doubtSince time.Time

	idle    atomic.Bool // there is nobody to send to
	leased  atomic.Bool
	wake    chan struct{}
	results chan result

	ctx      context.Context // of everything that runs in the background
	cancel   context.CancelFunc
	draining context.Context // ends when nothing more is to be claimed
	drain    context.CancelFunc
	claiming sync.WaitGroup // the loop that begins attempts
	attempts sync.WaitGroup
	settling sync.WaitGroup // the loop that records what came of them
	leasing  sync.WaitGroup
	start    sync.Once
	running  bool
	stop     sync.Once
}

// New makes a dispatcher that does nothing before Start.
func New(cfg Config, d Deps) (*Dispatcher, error) {
	if cfg.Guard == nil || d.Store == nil || d.Workflows == nil || d.Sealer == nil || d.Clock == nil || d.Entropy == nil {
		return nil, errors.New("webhook: Guard, Store, Workflows, Sealer, Clock and Entropy are required")
	}
	setDefault(&cfg.Lease, DefaultLease)
	setDefault(&cfg.PerEndpoint, DefaultPerEndpoint)
	setDefault(&cfg.InFlight, DefaultInFlight)
	setDefault(&cfg.PollEvery, DefaultPollEvery)
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Attempted == nil {
		d.Attempted = func(Attempted) {}
	}
	if d.Disabled == nil {
		d.Disabled = func(string, string) {}
	}
	w := &Dispatcher{cfg: cfg, Deps: d, replica: "webhooks-" + d.Entropy.UUID(), sender: newSender(cfg.Guard, cfg.Roots),
		cache: newRendered(), endpoints: newEndpoints(cfg.PerEndpoint, cfg.InFlight), disabling: map[string]string{},
		wake: make(chan struct{}, 1), results: make(chan result, cfg.InFlight)}
	w.sender.begin = d.Begin
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.draining, w.drain = context.WithCancel(w.ctx)
	return w, nil
}

func setDefault[T int | time.Duration](value *T, def T) {
	if *value <= 0 {
		*value = def
	}
}

// Start takes the lease and begins to work. It fails if the store cannot be
// written. A second call does nothing.
func (d *Dispatcher) Start(ctx context.Context) error {
	var err error
	d.start.Do(func() {
		if err = d.Store.Renew(ctx, d.replica, d.cfg.Lease); err != nil {
			err = fmt.Errorf("webhooks: take the lease: %w", err)
			return
		}
		d.leased.Store(true)
		d.running = true
		d.leasing.Go(d.keepLease)
		d.claiming.Go(d.rounds)
		d.settling.Go(d.record)
	})
	return err
}

// Close claims nothing more, lets what is under way end until ctx does, and
// leaves the rest to the other replicas. A second call does nothing.
func (d *Dispatcher) Close(ctx context.Context) error {
	var err error
	d.stop.Do(func() {
		d.start.Do(func() {}) // it will not start any more
		if d.running {
			err = d.finish(ctx)
		}
		d.cancel()
		d.leasing.Wait()
		d.sender.close()
	})
	return err
}

// finish waits for the attempts under way, cuts them off when ctx ends, has
// recorded what came of them and gives up the rest.
func (d *Dispatcher) finish(ctx context.Context) error {
	d.drain()
	stop := context.AfterFunc(ctx, d.cancel)
	defer stop()
	d.claiming.Wait()
	d.attempts.Wait()
	close(d.results)
	d.settling.Wait()
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.cfg.Lease)
	defer cancel()
	return d.Store.Release(release, d.replica)
}

// Wake says that something is due. It never blocks.
func (d *Dispatcher) Wake() {
	if d.idle.Load() {
		return
	}
	d.signal()
}

// Refresh says that this replica has changed a subscription. It never blocks.
func (d *Dispatcher) Refresh() {
	d.mu.Lock()
	d.refreshed = time.Time{}
	d.mu.Unlock()
	d.signal()
}

func (d *Dispatcher) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// safely keeps a panic from ending the loop that it happens in.
func (d *Dispatcher) safely(where string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			d.Logger.Error("panic in the webhook dispatcher", "where", where, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	do()
}

// keepLease renews the lease three times per lease.
func (d *Dispatcher) keepLease() {
	every := time.NewTicker(max(d.cfg.Lease/3, 10*time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-every.C:
		}
		d.safely("lease", func() {
			ctx, cancel := context.WithTimeout(d.ctx, d.cfg.Lease)
			defer cancel()
			err := d.Store.Renew(ctx, d.replica, d.cfg.Lease)
			d.leased.Store(err == nil)
			if err != nil && d.ctx.Err() == nil {
				d.Logger.Warn("webhook lease not renewed", "error", err)
			}
		})
	}
}
