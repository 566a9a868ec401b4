package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Defaults and limits of an engine.
const (
	DefaultLease       = 10 * time.Second
	DefaultMaxHeld     = 20_000
	DefaultMaxRequests = 4_096
	DefaultCommitLanes = 2

	claimBatch    = 256
	minClaimEvery = 50 * time.Millisecond
	maxClaimEvery = time.Second
	maxLoaders    = 16
)

// Config sets an engine up. The zero value of each member means its default.
type Config struct {
	// Replica names this process among those that share the store; it must
	// never be used by two processes, nor again after a restart. Default: random.
	Replica string
	// Lease is how long the other replicas wait before they take over what a
	// silent one holds. Default 10 s.
	Lease time.Duration
	// Partitions is how many loops share the workflows. Default: the number of CPUs.
	Partitions int
	// CommitLanes is how many batches may be on their way to the store at once. Default 2.
	CommitLanes int
	// MaxHeld bounds the workflows in memory; beyond it starts are refused with
	// ErrOverloaded and nothing is claimed. Default 20,000.
	MaxHeld int
	// MaxRequests bounds the callers that wait at once. Default 4,096.
	MaxRequests int
}

func (c Config) withDefaults(e ports.Entropy) Config {
	if c.Replica == "" {
		c.Replica = "replica-" + e.UUID()
	}
	if c.Lease <= 0 {
		c.Lease = DefaultLease
	}
	if c.Partitions <= 0 {
		c.Partitions = runtime.GOMAXPROCS(0)
	}
	if c.CommitLanes <= 0 {
		c.CommitLanes = DefaultCommitLanes
	}
	if c.MaxHeld <= 0 {
		c.MaxHeld = DefaultMaxHeld
	}
	if c.MaxRequests <= 0 {
		c.MaxRequests = DefaultMaxRequests
	}
	return c
}

// Deps are what an engine works with. Clock, Entropy and Logger may be nil.
type Deps struct {
	Store        ports.Store
	Participants map[string]Service
	Templates    []*domain.Template
	Clock        ports.Clock
	Entropy      ports.Entropy
	Logger       *slog.Logger
	// Events, if set, is given every event of every workflow.
	Events ports.EventSink
	// PingBus, if set, reports whether the message bus can be reached.
	PingBus func(ctx context.Context) error
	// Observer, if set, is told what the engine does.
	Observer ports.Observer
	// Noticed, if set, is called after commits that made deliveries to webhooks,
	// if there are any subscriptions. It must not block.
	Noticed func()
}

// Engine runs sagas: the shell of goroutines around Partition and Pump. It
// implements ports.Workflows, ports.Answers and ports.Queries.
type Engine struct {
	cfg       Config
	store     ports.Store
	services  map[string]Service
	clock     ports.Clock
	entropy   ports.Entropy
	log       *slog.Logger
	observer  ports.Observer // nil if there is none
	pingBus   func(context.Context) error
	templates *Templates
	loops     []*loop
	committer *committer
	pump      *Pump
	relay     *relay // nil if nobody wants events
	watchers  watchers
	sagas     sagaIndex
	health    healthCache
	loaders   chan struct{}
	requests  atomic.Int64
	calls     atomic.Int64         // deliveries under way, until their answer is with its partition
	called    atomic.Int64         // deliveries ever begun
	look      chan chan<- struct{} // asks claim to look at once
	closed    atomic.Bool
	leased    atomic.Bool
	// claimInDoubt is when a claim failed last, zero once that is settled; only claim uses it.
	claimInDoubt time.Time

	ctx     context.Context // of everything that runs in the background
	cancel  context.CancelFunc
	running sync.WaitGroup
	stop    sync.Once
}

var (
	_ ports.Workflows = (*Engine)(nil)
	_ ports.Answers   = (*Engine)(nil)
	_ ports.Replies   = (*Engine)(nil)
	_ ports.Queries   = (*Engine)(nil)
)

// New makes an engine that does nothing before Open.
func New(cfg Config, d Deps) (*Engine, error) {
	if d.Clock == nil {
		d.Clock = SystemClock{}
	}
	if d.Entropy == nil {
		d.Entropy = SystemEntropy{}
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	templates, err := NewTemplates(d.Store, d.Templates)
	if err != nil {
		return nil, err
	}
	if err := checkServices(d.Templates, d.Participants); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults(d.Entropy)
	e := &Engine{cfg: cfg, store: d.Store, services: d.Participants, clock: d.Clock, entropy: d.Entropy, log: d.Logger,
		observer: d.Observer, pingBus: d.PingBus, templates: templates, loaders: make(chan struct{}, maxLoaders), look: make(chan chan<- struct{})}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if d.Noticed == nil {
		d.Noticed = func() {}
	}
	e.committer = newCommitter(d.Store, e.committed, d.Noticed, d.Logger)
	if d.Observer != nil {
		e.committer.wrote = d.Observer.Wrote
	}
	limits := make(map[string]int, len(d.Participants))
	for name, s := range d.Participants {
		limits[name] = s.MaxConcurrency
	}
	e.pump = NewPump(limits, e.call, e.answered, e.again)
	if d.Events != nil {
		e.relay = newRelay(d.Events, e.emitted)
	}
	for range cfg.Partitions {
		e.loops = append(e.loops, newLoop(e))
	}
	return e, nil
}

// checkServices refuses a template whose commands nobody would take.
func checkServices(templates []*domain.Template, services map[string]Service) error {
	for _, t := range templates {
		var missing error
		need := func(service string) {
			if _, ok := services[service]; !ok && missing == nil {
				missing = fmt.Errorf("template %s needs participant %q, which is not configured", t.ID, service)
			}
		}
		for i := range t.Steps {
			need(t.Steps[i].Service)
		}
		for i := range t.Compensations {
			need(t.Compensations[i].Service)
		}
		if missing != nil {
			return missing
		}
	}
	return nil
}

// Open saves the templates, takes the lease and begins to work. It fails if
// the store cannot be written.
func (e *Engine) Open(ctx context.Context) error {
	if err := e.templates.Save(ctx); err != nil {
		return err
	}
	if err := e.store.Renew(ctx, e.cfg.Replica, e.cfg.Lease); err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	e.leased.Store(true)
	for _, l := range e.loops {
		e.running.Go(l.run)
	}
	for range e.cfg.CommitLanes {
		e.running.Go(func() { e.committer.run(e.ctx) })
	}
	if e.relay != nil {
		for range relayWorkers {
			e.running.Go(func() { e.relay.work(e.ctx) })
		}
		e.running.Go(e.settleOutbox)
	}
	e.running.Go(e.keepLease)
	e.running.Go(e.claim)
	e.running.Go(e.expireQueues)
	return nil
}

// Close refuses new requests, lets what is in flight finish until ctx ends,
// gives everything else up to the other replicas and ends all goroutines. It
// may be called twice.
func (e *Engine) Close(ctx context.Context) error {
	var err error
	e.stop.Do(func() {
		e.closed.Store(true)
		for _, l := range e.loops {
			l.post(func(p *Partition, _ time.Time) { p.Drain() })
		}
		drained := e.drained(ctx)
		e.cancel()
		e.committer.close()
		if e.relay != nil {
			e.relay.close()
		}
		e.running.Wait()
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.Lease)
		defer cancel()
		if err = e.store.Release(release, e.cfg.Replica); err == nil && !drained {
			err = errors.New("drain timeout: deliveries were still in flight; another replica repeats them with the same keys")
		}
	})
	return err
}

// drained waits until nothing is being sent or committed, or ctx ends.
func (e *Engine) drained(ctx context.Context) bool {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		busy := e.pump.InFlight() > 0 || e.committer.busy()
		for _, l := range e.loops {
			busy = busy || l.busy()
		}
		if !busy {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
}

// loopOf is the one loop that handles a workflow.
func (e *Engine) loopOf(workflowID string) *loop {
	h := fnv.New32a()
	_, _ = h.Write([]byte(workflowID))
	return e.loops[h.Sum32()%uint32(len(e.loops))]
}

// Replica is the name under which the store knows this process.
func (e *Engine) Replica() string { return e.cfg.Replica }

func (e *Engine) held() int {
	n := 0
	for _, l := range e.loops {
		n += int(l.held.Load())
	}
	return n
}

func (e *Engine) owing() int {
	n := 0
	for _, l := range e.loops {
		n += int(l.owing.Load())
	}
	return n
}

// committed takes the result of one change, in a batch of so many, from the
// committer to its partition.
func (e *Engine) committed(workflowID string, batch int, err error) {
	l := e.loopOf(workflowID)
	l.post(func(p *Partition, now time.Time) {
		l.batch = batch
		p.Committed(now, workflowID, err)
	})
}

// emitted takes the arrival of events at the bus to the partition of their workflow.
func (e *Engine) emitted(workflowID string, upTo int) {
	e.loopOf(workflowID).post(func(p *Partition, now time.Time) { p.Emitted(now, workflowID, upTo) })
}

// call delivers one command in a goroutine of its own; the pump bounds how many.
func (e *Engine) call(cmd domain.Dispatch) {
	e.called.Add(1)
	e.calls.Add(1)
	e.running.Go(func() {
		defer e.calls.Add(-1)
		ctx, cancel := context.WithDeadline(e.ctx, e.wallDeadline(cmd.Deadline))
		defer cancel()
		e.sagas.sent(cmd.SagaID, cmd.WorkflowID)
		a := e.services[cmd.Service].Participant.Send(ctx, cmd)
		e.pump.Done(e.clock.Now(), cmd, a)
	})
}

// wallDeadline translates a time of the engine's clock, which a test may have
// moved, into one that contexts understand.
func (e *Engine) wallDeadline(at time.Time) time.Time {
	return time.Now().Add(at.Sub(e.clock.Now()))
}

// answered takes a participant's answer to the partition of its workflow.
func (e *Engine) answered(cmd domain.Dispatch, a domain.Answer) {
	a.CommandID, a.Attempt = cmd.CommandID, cmd.Attempt
	e.loopOf(cmd.WorkflowID).post(func(p *Partition, now time.Time) {
		p.Handle(now, Request{WorkflowID: cmd.WorkflowID, Command: a})
	})
}

// again asks the partition of a command that was sent and not answered to have
// it sent again.
func (e *Engine) again(cmd domain.Dispatch) {
	e.loopOf(cmd.WorkflowID).post(func(p *Partition, _ time.Time) { p.Repeat(cmd) })
}
