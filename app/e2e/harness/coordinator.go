package harness

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// Secret signs the tokens of every coordinator of a test.
	Secret = "end-to-end-0123456789abcdef-0123456789abcdef"
	// StartTimeout is how long a coordinator may take until it is ready. A
	// machine that builds other tests at the same time is slow.
	StartTimeout = 30 * time.Second
	// ShortLease is for tests that wait for a lease to run out. A busy machine
	// may take so long to renew it that a replica doubts its own work.
	ShortLease = time.Second

	pollEvery = 10 * time.Millisecond
	tokenTTL  = 12 * time.Hour
)

// prober asks whether a coordinator is ready.
var prober = &http.Client{Timeout: 2 * time.Second}

// Options of a coordinator. Only Store must be given.
type Options struct {
	Store        string        // --store
	Participants string        // --participants; "" simulates all
	Templates    string        // --templates
	Bus          string        // --bus; "" is the program's own
	Lease        time.Duration // --lease; 0 is the program's own
	Drain        time.Duration // --drain-timeout; 0 is the program's own
	LogLevel     string        // --log-level; "" is the program's own
	RateLimit    bool          // --rate-limit on; tests call more than a caller may
	Callbacks    *Balancer     // --callback-url, to which the coordinator is added; nil is the program's own
	Ops          bool          // --ops-listen on an address, which is Coordinator.Ops
	Env          []string      // added to the environment
	Hooks        bool          // --webhook-allow-private: receivers of tests are on this machine
}

// Coordinator is a replica at an address that it keeps over restarts.
type Coordinator struct {
	*Process        // the one that runs, or ran last
	Address  string // host:port
	Ops      string // host:port of the operators' listener; "" if it is off
	program  Program
}

// Serve starts a coordinator and returns when it is ready.
func Serve(tb testing.TB, o Options) *Coordinator {
	tb.Helper()
	c := New(tb, o)
	c.Restart(tb)
	return c
}

// New describes a coordinator without starting it; see Restart.
func New(tb testing.TB, o Options) *Coordinator {
	tb.Helper()
	addresses := Addresses(tb, 2)
	c := &Coordinator{Address: addresses[0]}
	ops := "off"
	if o.Ops {
		c.Ops = addresses[1]
		ops = c.Ops
	}
	args := []string{"serve", "--listen", c.Address, "--ops-listen", ops, "--store", o.Store}
	if !o.RateLimit {
		args = append(args, "--rate-limit", "off")
	}
	for flag, value := range map[string]string{"--participants": o.Participants, "--templates": o.Templates, "--bus": o.Bus, "--log-level": o.LogLevel} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if o.Hooks {
		args = append(args, "--webhook-allow-private")
	}
	if o.Callbacks != nil {
		args = append(args, "--callback-url", o.Callbacks.URL())
		o.Callbacks.Add(c)
	}
	for flag, value := range map[string]time.Duration{"--lease": o.Lease, "--drain-timeout": o.Drain} {
		if value > 0 {
			args = append(args, flag, value.String())
		}
	}
	c.program = Program{Path: CoordinatorPath(tb), Args: args, Env: append([]string{"COORDINATION_JWT_SECRET=" + Secret}, o.Env...)}
	return c
}

// Restart starts the coordinator, again if it has run before and is gone, and
// returns when it is ready.
func (c *Coordinator) Restart(tb testing.TB) {
	tb.Helper()
	c.Process = Start(tb, c.program)
	c.AwaitReady(tb)
}

// AwaitReady returns when the coordinator takes requests.
func (c *Coordinator) AwaitReady(tb testing.TB) {
	tb.Helper()
	Eventually(tb, StartTimeout, "the coordinator to be ready", func() (string, bool) {
		select {
		case <-c.Ended():
			tb.Fatalf("%s has ended instead of getting ready:\n%s", c.Process, c.Log())
		default:
		}
		response, err := prober.Get(c.URL("/readyz"))
		if err != nil {
			return err.Error(), false
		}
		defer response.Body.Close()
		return response.Status, response.StatusCode == http.StatusOK
	})
}

// URL is a path of the coordinator's listener.
func (c *Coordinator) URL(path string) string { return "http://" + c.Address + path }

// API is the URL of a path under the base path.
func (c *Coordinator) API(path string) string { return c.URL("/api/v1" + path) }

// Client is an admin's client of the coordinator.
func (c *Coordinator) Client(tb testing.TB, options ...coordination.Option) *coordination.Client {
	tb.Helper()
	client, err := coordination.New(c.API(""), append([]coordination.Option{coordination.WithToken(Token(tb, auth.RoleAdmin))}, options...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// Token is a token that every coordinator of a test accepts.
func Token(tb testing.TB, role string) string {
	tb.Helper()
	token, err := auth.Mint([]byte(Secret), auth.Grant{Subject: "e2e-" + strings.ToLower(role), Role: role, TTL: tokenTTL}, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// Eventually polls until check is content. It fails the test with what check
// said last if that takes longer than limit.
func Eventually(tb testing.TB, limit time.Duration, what string, check func() (state string, done bool)) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		state, done := check()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("waited %s for %s; last seen: %s", limit, what, state)
		}
	}
}
