package wiring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/wiring"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const secret = "0123456789abcdef0123456789abcdef"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// settings are those of a service on free ports with a memory store.
func settings() config.Service {
	return config.Service{
		Listen:       "127.0.0.1:0",
		OpsListen:    "127.0.0.1:0",
		Store:        config.Store{Kind: config.StoreMemory},
		JWTSecret:    secret,
		Lease:        time.Second,
		DrainTimeout: 10 * time.Second,
	}
}

// start runs a service until the test ends.
func start(t *testing.T, s config.Service) *wiring.Service {
	t.Helper()
	service, err := wiring.New(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, service) })
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return service
}

func stop(t *testing.T, service *wiring.Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := service.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// client calls a service as an admin and keeps no connection.
func client(t *testing.T, service *wiring.Service) *coordination.Client {
	t.Helper()
	token, err := auth.Mint([]byte(secret), auth.Grant{Subject: "test", Role: auth.RoleAdmin}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := coordination.New(service.APIURL(), coordination.WithToken(token), coordination.WithHTTPClient(lone(t)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lone is an HTTP client whose connections end with the test.
func lone(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func order(id, token string) coordination.OrderRequest {
	return coordination.OrderRequest{
		OrderID: id, CustomerID: "customer-1",
		Items:           []coordination.OrderItem{{ProductID: "cup", Quantity: 2, UnitPrice: "9.95"}},
		PaymentMethod:   coordination.PaymentMethod{Type: "CREDIT_CARD", Token: coordination.Sensitive(token)},
		ShippingAddress: coordination.ShippingAddress{Name: "Jane Doe", Street: "1 Main St", City: "Springfield", ZipCode: "00000", Country: "US"},
		ShippingMethod:  "STANDARD",
	}
}

func TestAnOrderGoesThroughOnEmbeddedStores(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]config.Store{
		"memory": {Kind: config.StoreMemory},
		"sqlite": {Kind: config.StoreSQLite, Location: filepath.Join(t.TempDir(), "coordination.db")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := settings()
			s.Store = store
			c := client(t, start(t, s))
			started, err := c.Workflows.StartOrder(t.Context(), order("order-1", "tok_visa_4242"), coordination.WithWait(30*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if started.Ended == nil || started.Ended.Status != coordination.StatusCompleted {
				t.Errorf("the order ended as %+v", started.Ended)
			}
		})
	}
}

// The simulated payment service answers this token by callback: the way back
// from the participants to the engine is wired, too.
func TestAnAnswerThatComesLaterArrives(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, settings()))
	started, err := c.Workflows.StartOrder(t.Context(), order("order-1", "tok_slow_202"), coordination.WithWait(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if started.Ended == nil || started.Ended.Status != coordination.StatusCompleted {
		t.Errorf("the order ended as %+v", started.Ended)
	}
}

func TestWhatEachListenerServes(t *testing.T) {
	t.Parallel()
	service := start(t, settings())
	for url, want := range map[string]int{
		service.BaseURL() + "/livez":               http.StatusOK,
		service.BaseURL() + "/readyz":              http.StatusOK,
		service.BaseURL() + "/debug/pprof/":        http.StatusNotFound,
		service.APIURL() + "/health":               http.StatusUnauthorized,
		service.OpsURL() + "/debug/pprof/":         http.StatusOK,
		service.OpsURL() + "/debug/pprof/cmdline":  http.StatusNotFound,
		service.OpsURL() + "/api/v1/health":        http.StatusNotFound,
		service.OpsURL() + "/debug/pprof/heap":     http.StatusOK,
		service.BaseURL() + "/openapi.yaml":        http.StatusOK,
		service.BaseURL() + "/debug/pprof/profile": http.StatusNotFound,
	} {
		response, err := lone(t).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %d, want %d", url, response.StatusCode, want)
		}
	}
}

func TestStopLetsCallersGoThatWaitForAWorkflow(t *testing.T) {
	t.Parallel()
	service := start(t, settings())
	waiting := order("order-1", "tok_visa_4242")
	waiting.Metadata = []byte(`{"simulate": {"INVENTORY_RESERVATION": "RETRY:1000"}}`)
	c := client(t, service)
	answered := make(chan error, 1)
	go func() {
		_, err := c.Workflows.StartOrder(t.Context(), waiting, coordination.WithWait(time.Minute), coordination.WithIdempotencyKey("key"))
		answered <- err
	}()
	awaitStep(t, c, "INVENTORY_RESERVATION")
	stop(t, service)
	select {
	case <-answered:
	case <-time.After(5 * time.Second):
		t.Error("a caller still waits for a stopped service")
	}
}

func TestStopTwiceAndBeforeStart(t *testing.T) {
	t.Parallel()
	service, err := wiring.New(t.Context(), settings(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop(t, service)
	stop(t, service)
}

func TestWhatIsWrongIsNamedAndNothingStaysOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("participants: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*config.Service){
		"--participants": func(s *config.Service) { s.Participants = bad },
		"--templates":    func(s *config.Service) { s.Templates = filepath.Join(dir, "none") },
		"--jwks":         func(s *config.Service) { s.JWTSecret, s.JWKS = "", filepath.Join(dir, "none.json") },
		"--store": func(s *config.Service) {
			s.Store = config.Store{Kind: config.StoreSQLite, Location: filepath.Join(dir, "none", "x.db")}
		},
		"--ops-listen": func(s *config.Service) { s.OpsListen = "192.0.2.1:1" },
	}
	for setting, spoil := range cases {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := settings()
			s.Listen = freeAddress(t)
			spoil(&s)
			_, err := wiring.New(t.Context(), s, slog.New(slog.DiscardHandler))
			if err == nil || !strings.HasPrefix(err.Error(), setting+": ") {
				t.Fatalf("got %v", err)
			}
			listener, err := net.Listen("tcp", s.Listen)
			if err != nil {
				t.Fatalf("the API's address was not given back: %v", err)
			}
			_ = listener.Close()
		})
	}
}

// freeAddress is an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestADrainThatIsCutOffSaysSo(t *testing.T) {
	t.Parallel()
	service := start(t, settings())
	c := client(t, service)
	if _, err := c.Workflows.StartOrder(t.Context(), order("order-1", "tok_timeout")); err != nil {
		t.Fatal(err)
	}
	awaitDelivery(t, service, "payment-service")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := service.Stop(ctx); !errors.Is(err, wiring.ErrUnfinished) {
		t.Errorf("got %v", err)
	}
}

// awaitStep returns when an active workflow is at a step.
func awaitStep(t *testing.T, c *coordination.Client, step string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		list, err := c.Workflows.ListActive(t.Context(), coordination.ActiveQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Workflows) > 0 && list.Workflows[0].CurrentStep == step {
			return
		}
	}
	t.Fatalf("no workflow came to %s", step)
}

// awaitDelivery returns when a command is being sent to a participant: a step
// that is only committed is left to another replica by a drain.
func awaitDelivery(t *testing.T, service *wiring.Service, participant string) {
	t.Helper()
	want := regexp.MustCompile(`(?m)^coordination_participant_in_flight\{[^}]*"` + participant + `"[^}]*\} 1$`)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		response, err := http.Get(service.OpsURL() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want.Match(body) {
			return
		}
	}
	t.Fatalf("nothing was sent to %s", participant)
}

// On the bus inside the process, participants with that transport are simulated
// behind it: commands and replies go the whole way.
func TestAnOrderGoesThroughOverTheBus(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("participants:\n")
	for _, name := range []string{"inventory", "payment", "order", "delivery", "notification"} {
		fmt.Fprintf(&file, "  %s-service: {transport: bus}\n", name)
	}
	path := filepath.Join(t.TempDir(), "participants.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := settings()
	s.Participants = path
	c := client(t, start(t, s))
	for token, want := range map[string]coordination.Status{"tok_visa_4242": coordination.StatusCompleted,
		"tok_chargeDeclined": coordination.StatusFailed, "tok_slow_202": coordination.StatusCompleted} {
		t.Run(token, func(t *testing.T) {
			started, err := c.Workflows.StartOrder(t.Context(), order("order-"+token, token))
			if err != nil {
				t.Fatal(err)
			}
			ended, err := c.Workflows.Wait(t.Context(), started.WorkflowID)
			if err != nil {
				t.Fatal(err)
			}
			if ended.Status != want {
				t.Errorf("the order ended %s, want %s", ended.Status, want)
			}
		})
	}
}
