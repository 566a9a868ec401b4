package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
)

// testCase is one row of the table.
type testCase struct {
	store, participants, start, saga string
	starters                         int
	duration                         time.Duration
	observed                         bool
}

// result of a case.
type result struct {
	testCase
	workflows       int
	elapsed         time.Duration
	latencies       []time.Duration
	cpu             time.Duration
	bytes, fsyncs   int64
	commits, transs int64
	rssMiB          int64
	recording       *recording
}

func (r *result) perSecond() float64 { return float64(r.workflows) / r.elapsed.Seconds() }

func (r *result) quantile(q float64) float64 {
	if len(r.latencies) == 0 {
		return 0
	}
	return float64(r.latencies[int(q*float64(len(r.latencies)-1))].Microseconds()) / 1000
}

func (r *result) String() string {
	per := func(n int64, of int) float64 { return float64(n) / float64(max(of, 1)) }
	return fmt.Sprintf("%-9s %-10s %-10s %-7s %8d | %12.0f %9.2f %9.2f %9.2f | %10.2f %10.1f %12.3f %12.3f %8d", r.store, r.participants, r.start, r.saga, r.starters,
		r.perSecond(), r.quantile(0.5), r.quantile(0.95), r.quantile(0.99), r.cpu.Seconds()*1000/float64(max(r.workflows, 1)),
		per(r.bytes, r.workflows)/1024, per(r.commits, int(r.transs)), per(r.fsyncs, int(r.transs)), r.rssMiB)
}

// subject is a coordinator that is measured.
type subject struct {
	engine *engine.Engine
	store  *counting
	start  func(ctx context.Context, orderID string) (string, error)
	// workflows stands before the engine of a case that is observed.
	workflows func(ports.Workflows) ports.Workflows
	ended     *endings
	close     []func()
}

// endings tells starters when their workflows have ended.
type endings struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
	early   map[string]bool // ended before its starter knew its ID
}

// Wrote is of no interest here.
func (e *endings) Wrote([]error, time.Duration) {}

// Committed is called by the engine.
func (e *endings) Committed(t ports.Transition) {
	s := t.After
	if !s.Status.Terminal() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.waiting[s.WorkflowID]; ok {
		close(c)
		delete(e.waiting, s.WorkflowID)
		return
	}
	e.early[s.WorkflowID] = true
}

func (e *endings) wait(ctx context.Context, id string) error {
	e.mu.Lock()
	if e.early[id] {
		delete(e.early, id)
		e.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	e.waiting[id] = c
	e.mu.Unlock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// measure runs one case: a warm-up of a fifth of the time, then the time.
func measure(ctx context.Context, srv *server, c testCase) (*result, error) {
	s, err := newSubject(ctx, srv, c)
	if err != nil {
		return nil, err
	}
	defer s.closeAll()
	if _, err := load(ctx, s, c.starters, c.duration/5); err != nil {
		return nil, err
	}
	runtime.GC()
	r := &result{testCase: c}
	cpu := cpuTime()
	bytes, fsyncs := srv.written(ctx)
	commits, changes := s.store.commits.Load(), s.store.changes.Load()
	begin := time.Now()
	if r.latencies, err = load(ctx, s, c.starters, c.duration); err != nil {
		return nil, err
	}
	r.elapsed = time.Since(begin)
	r.workflows = len(r.latencies)
	r.cpu = cpuTime() - cpu
	b, f := srv.written(ctx)
	r.bytes, r.fsyncs = b-bytes, f-fsyncs
	r.commits, r.transs = s.store.commits.Load()-commits, s.store.changes.Load()-changes
	if c.store == "sqlite" {
		r.fsyncs = r.commits // synchronous=FULL in WAL mode: one flush per commit
	}
	r.rssMiB = rss()
	s.store.mu.Lock()
	r.recording = s.store.sample
	s.store.mu.Unlock()
	slices.Sort(r.latencies)
	return r, nil
}

// load keeps starters going for a time, each with one workflow at once, and
// returns how long each workflow took.
func load(ctx context.Context, s *subject, starters int, d time.Duration) ([]time.Duration, error) {
	_, whole, err := timed(ctx, s, starters, d)
	return whole, err
}

// timed is load; it also returns how long each start took to be acknowledged.
func timed(ctx context.Context, s *subject, starters int, d time.Duration) (starts, whole []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	until := time.Now().Add(d)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range starters {
		wg.Go(func() {
			var acknowledged, ended []time.Duration
			for time.Now().Before(until) {
				begin := time.Now()
				id, failure := s.start(ctx, "ord-"+uuid.Must(uuid.NewV7()).String())
				acknowledged = append(acknowledged, time.Since(begin))
				if failure == nil {
					failure = s.ended.wait(ctx, id)
				}
				if failure != nil {
					mu.Lock()
					err = failure
					mu.Unlock()
					return
				}
				ended = append(ended, time.Since(begin))
			}
			mu.Lock()
			starts, whole = append(starts, acknowledged...), append(whole, ended...)
			mu.Unlock()
		})
	}
	wg.Wait()
	return starts, whole, err
}

// newSubject makes a coordinator on a new database, which fill may prepare first.
func newSubject(ctx context.Context, srv *server, c testCase, fill ...func(ports.Store) error) (*subject, error) {
	raw, err := srv.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range fill {
		if err := f(raw); err != nil {
			return nil, err
		}
	}
	s := &subject{store: &counting{Store: raw, changed: map[string][]ports.Change{}},
		ended: &endings{waiting: map[string]chan struct{}{}, early: map[string]bool{}}}
	s.close = append(s.close, func() { _ = raw.Close() })
	partner, err := newPartner(ctx, c.participants)
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, partner.stop)
	templates, err := sagas()
	if err != nil {
		return nil, err
	}
	var observer ports.Observer = s.ended
	if c.observed {
		if observer, err = s.observe(ctx, partner); err != nil {
			return nil, err
		}
	}
	stored, err := srv.sealed(s.store)
	if err != nil {
		return nil, err
	}
	s.engine, err = engine.New(engine.Config{}, engine.Deps{Store: stored, Templates: templates, Observer: observer, Events: partner.events,
		Participants: map[string]engine.Service{benchService: {Participant: partner.participant, MaxConcurrency: 128}}})
	if err != nil {
		return nil, err
	}
	if err := s.engine.Open(ctx); err != nil {
		return nil, err
	}
	s.close = append(s.close, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.engine.Close(ctx)
	})
	if partner.attach != nil {
		if err := partner.attach(s.engine); err != nil {
			return nil, err
		}
	}
	workflowType := strings.ToUpper(c.saga)
	var workflows ports.Workflows = s.engine
	if s.workflows != nil {
		workflows = s.workflows(workflows)
	}
	s.start = func(ctx context.Context, id string) (string, error) {
		r, err := workflows.Start(ctx, ports.StartRequest{Type: workflowType, BusinessKey: id, CustomerID: "cust-1", Priority: "NORMAL", Input: input(id)})
		return r.State.WorkflowID, err
	}
	if c.start == "rest" {
		return s, s.serve(workflowType, c.starters)
	}
	return s, nil
}

func (s *subject) closeAll() {
	for _, f := range slices.Backward(s.close) {
		f()
	}
}

// serve puts the REST adapter before the engine and starts through it.
func (s *subject) serve(workflowType string, starters int) error {
	secret := []byte("a secret of the benchmark, 32 bytes long")
	verifier, err := auth.New(auth.Config{HS256Secret: secret})
	if err != nil {
		return err
	}
	handler, err := rest.New(rest.Deps{Workflows: s.engine, Answers: s.engine, Queries: s.engine,
		Webhooks: noWebhooks{}, Batches: noBatches{},
		Verify: func(ctx context.Context, token string) (rest.Caller, error) {
			p, err := verifier.Verify(ctx, token)
			return rest.Caller{Subject: p.Subject, Role: p.Role, Scopes: p.Scopes}, err
		}})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := rest.Server(listener.Addr().String(), handler)
	go func() { _ = server.Serve(listener) }()
	s.close = append(s.close, func() { _ = server.Close() })
	token, err := auth.Mint(secret, auth.Grant{Subject: "bench", Role: auth.RoleService, TTL: time.Hour}, time.Now())
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: starters}}
	s.start = starter(client, "http://"+listener.Addr().String(), token, workflowType)
	return nil
}

type subscriptions = ports.Webhooks

// noWebhooks stands for subscriptions that nobody asks for.
type noWebhooks struct{ subscriptions }

// noBatches stands for batches that nobody asks for.
type noBatches struct{ ports.BatchJobs }

// cpuTime is what this process and its ended children have used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the memory of this process in MiB.
func rss() int64 {
	var pages, resident int64
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(data), &pages, &resident)
	return resident * int64(os.Getpagesize()) >> 20
}

func startProfile(path string) (func(), error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}
