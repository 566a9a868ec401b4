package coordtest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/templates"
	"github.com/firstviscount/platform-coordination/app/webhooks"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// patience is how long, in real time, the coordinator may take to come to rest.
	patience = 20 * time.Second
	// forEver is a lease that no test outlasts.
	forEver = 100 * 365 * 24 * time.Hour
	// tokenTTL is how long tokens are valid, in real time.
	tokenTTL = 24 * time.Hour
	// maxStops bounds how often Advance stops on its way.
	maxStops = 100_000
	restPoll = 100 * time.Microsecond
	// webhookPoll is how often deliveries are looked for that the clock made due.
	webhookPoll = 20 * time.Millisecond
)

// Server is a coordinator of the test's own. Its methods may be called by
// several goroutines, but Advance by one at a time.
type Server struct {
	// URL is the base of the API, such as http://127.0.0.1:40001/api/v1.
	URL string

	tb           testing.TB
	clock        *clock
	store        *dueStore
	engine       *engine.Engine
	dispatcher   *webhook.Dispatcher
	runner       *batches.Runner
	simulation   *simulated.Services
	participants map[string]*Participant
	secret       []byte
	ctx          context.Context // ends with the server
	end          context.CancelFunc

	mu       sync.Mutex
	commands []coordination.Command
}

// Option changes a server before it starts.
type Option func(*options)

type options struct{ templates string }

// WithTemplates adds the templates of a directory, as --templates does.
func WithTemplates(dir string) Option { return func(o *options) { o.templates = dir } }

// NewServer starts a coordinator that ends with the test. The test fails if it
// cannot start, for example because of a template.
func NewServer(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	c := &clock{now: Start}
	s := &Server{tb: tb, clock: c, secret: []byte(rand.Text() + rand.Text()), participants: map[string]*Participant{},
		store: &dueStore{Store: memory.New(memory.Config{Clock: c}), due: map[string]time.Time{}}}
	s.ctx, s.end = context.WithCancel(context.Background())
	tb.Cleanup(s.close)
	if err := s.start(o); err != nil {
		tb.Fatalf("coordtest: %v", err)
	}
	return s
}

// start puts the coordinator together, as package wiring does for a process.
func (s *Server) start(o options) error {
	list, err := templates.Load(o.templates)
	if err != nil {
		return err
	}
	s.simulation = simulated.New(simulated.Config{Instant: true, Timer: s.clock})
	services := map[string]engine.Service{}
	for _, name := range templates.Services(list) {
		p := &Participant{server: s, service: name, usual: s.simulation.For(name), scripts: map[string]*Script{}}
		s.participants[name], services[name] = p, engine.Service{Participant: p}
	}
	s.engine, err = engine.New(engine.Config{Lease: forEver, Partitions: 1}, engine.Deps{Store: s.store, Participants: services,
		Templates: list, Clock: s.clock, Noticed: func() { s.dispatcher.Wake() }})
	if err != nil {
		return err
	}
	subscriptions, err := s.hooks()
	if err != nil {
		return err
	}
	s.runner, err = batches.NewRunner(batches.RunnerConfig{Lease: forEver}, batches.RunnerDeps{Store: s.store, Workflows: s.engine,
		Clock: s.clock, Entropy: engine.SystemEntropy{}})
	if err != nil {
		return err
	}
	if err := errors.Join(s.engine.Open(s.ctx), s.dispatcher.Start(s.ctx), s.runner.Start(s.ctx)); err != nil {
		return err
	}
	s.simulation.SetAnswers(s.engine)
	return s.serve(subscriptions)
}

// hooks puts together what sends webhooks, on loopback too. Their first attempt
// comes at once, the others when the test's clock says so.
func (s *Server) hooks() (ports.Webhooks, error) {
	ring, err := sealing.New(sealing.NewKey())
	if err != nil {
		return nil, err
	}
	g := guard.New(guard.Config{AllowPrivate: true})
	s.dispatcher, err = webhook.New(webhook.Config{Lease: forEver, PollEvery: webhookPoll, Guard: g}, webhook.Deps{Store: s.store,
		Workflows: s.engine, Sealer: ring, Clock: s.clock, Entropy: engine.SystemEntropy{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return webhooks.New(webhooks.Deps{Store: s.store, Guard: g, Sealer: ring, Clock: s.clock, Entropy: engine.SystemEntropy{},
		Changed: s.dispatcher.Refresh}), nil
}

// serve puts the API before the engine.
func (s *Server) serve(subscriptions ports.Webhooks) error {
	verifier, err := auth.New(auth.Config{HS256Secret: s.secret})
	if err != nil {
		return err
	}
	jobs := batches.New(batches.Deps{Store: s.store, Queries: s.engine, Clock: s.clock, Entropy: engine.SystemEntropy{}, Created: s.runner.Wake})
	handler, err := rest.New(rest.Deps{Workflows: s.engine, Answers: s.engine, Queries: s.engine, Webhooks: subscriptions, Batches: jobs, Clock: s.clock,
		Verify: func(ctx context.Context, token string) (rest.Caller, error) {
			p, err := verifier.Verify(ctx, token)
			return rest.Caller{Subject: p.Subject, Role: p.Role, Scopes: p.Scopes}, err
		}})
	if err != nil {
		return err
	}
	server := httptest.NewServer(handler)
	s.URL = server.URL + rest.BasePath
	s.tb.Cleanup(func() {
		s.end() // whoever waits for a workflow is let go
		server.CloseClientConnections()
		server.Close()
	})
	return nil
}

func (s *Server) close() {
	s.end()
	if s.runner != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.runner.Close(ctx)
	}
	if s.dispatcher != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.dispatcher.Close(ctx)
	}
	if s.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.engine.Close(ctx) // what hangs has been let go
	}
	if s.simulation != nil {
		s.simulation.Close()
	}
	_ = s.store.Close()
}

// Token is a token with a role: external, service or admin.
func (s *Server) Token(role string) string {
	s.tb.Helper()
	token, err := auth.Mint(s.secret, auth.Grant{Subject: "test-" + role, Role: role, TTL: tokenTTL}, time.Now())
	if err != nil {
		s.tb.Fatalf("coordtest: a token for the role %q: %v", role, err)
	}
	return token
}

// Client is a client with the role admin.
func (s *Server) Client() *coordination.Client { return s.ClientAs(auth.RoleAdmin) }

// ClientAs is a client with a role.
func (s *Server) ClientAs(role string) *coordination.Client {
	s.tb.Helper()
	client, err := coordination.New(s.URL, coordination.WithToken(s.Token(role)))
	if err != nil {
		s.tb.Fatalf("coordtest: %v", err)
	}
	return client
}

// Participant is a service of one of the templates. The test fails if none has it.
func (s *Server) Participant(service string) *Participant {
	s.tb.Helper()
	p := s.participants[service]
	if p == nil {
		s.tb.Fatalf("coordtest: no template has the service %q", service)
	}
	return p
}

// Commands are all commands that were sent so far, every attempt, in order.
func (s *Server) Commands() []coordination.Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

func (s *Server) record(cmd coordination.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, cmd)
}
