package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/app/config"
)

const secret = "0123456789abcdef0123456789abcdef"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// output is a stream that may be read while it is written.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// result is what a run of the program left.
type result struct {
	code      int
	out, errs string
}

// program runs a command line to its end.
func program(ctx context.Context, variables map[string]string, args ...string) result {
	var out, errs output
	code := run(ctx, args, environment(variables), streams{&out, &errs})
	return result{code, out.String(), errs.String()}
}

func environment(variables map[string]string) config.Environment {
	return func(name string) (string, bool) {
		value, found := variables[name]
		return value, found
	}
}

// free are flags for ports that nobody has.
var free = []string{"--listen", "127.0.0.1:0", "--ops-listen", "off"}

func TestDevOnceShowsACompletedAndACompensatedOrder(t *testing.T) {
	t.Parallel()
	got := program(t.Context(), nil, append([]string{"dev", "--once"}, free...)...)
	if got.code != exitOK || got.errs != "" {
		t.Fatalf("exit %d\n%s\n%s", got.code, got.out, got.errs)
	}
	for _, part := range []string{
		"/api/v1\n", "/docs\n", "eyJ",
		"= COMPLETED, saga COMPLETED",
		"PAYMENT_DECLINED", "RELEASE_INVENTORY", "= FAILED, saga COMPENSATED",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("the output lacks %q:\n%s", part, got.out)
		}
	}
}

// With an inventory that rejects everything no order can end as it should.
func TestDevOnceFailsWhenAnExampleDoesNotEndAsItShould(t *testing.T) {
	t.Parallel()
	got := program(t.Context(), nil, append([]string{"dev", "--once", "--participants", refusingParticipants(t)}, free...)...)
	if got.code != exitFailure || !strings.Contains(got.errs, "did not end as it should") {
		t.Errorf("exit %d: %s\n%s", got.code, got.errs, got.out)
	}
}

// refusingParticipants is a file in which the inventory rejects everything.
func refusingParticipants(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"outcome":"REJECTED","error":{"code":"CLOSED"}}`)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	text := "participants:\n  inventory-service: {transport: http, url: \"http://" + listener.Addr().String() + "\"}\n"
	for _, service := range []string{"payment-service", "order-service", "delivery-service", "notification-service"} {
		text += "  " + service + ": {transport: simulated}\n"
	}
	path := filepath.Join(t.TempDir(), "participants.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServeAnswersUntilItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"serve", "--store", "memory", "--log-format", "text"}, free...)
		ended <- run(ctx, args, environment(map[string]string{"COORDINATION_JWT_SECRET": secret}), streams{&out, &errs})
	}()
	url := awaitURL(t, &errs)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(strings.TrimSuffix(url, "/api/v1") + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/readyz answered %d", response.StatusCode)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if strings.Contains(errs.String(), secret) || out.String() != "" {
		t.Errorf("serve printed %q and logged %q", out.String(), errs.String())
	}
}

// awaitURL reads from the log where the API is.
func awaitURL(t *testing.T, log *output) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, rest, found := strings.Cut(log.String(), "api="); found {
			url, _, _ := strings.Cut(rest, " ")
			return url
		}
	}
	t.Fatalf("the service did not say where it is:\n%s", log.String())
	return ""
}

func TestTokenIsPrintedAlone(t *testing.T) {
	t.Parallel()
	got := program(t.Context(), map[string]string{"COORDINATION_JWT_SECRET": secret}, "token", "--role", "service", "--subject", "me")
	if got.code != exitOK || strings.Count(got.out, ".") != 2 || strings.Count(got.out, "\n") != 1 {
		t.Errorf("%+v", got)
	}
}

func TestMigrateSQLite(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "coordination.db")
	refused := program(t.Context(), nil, append([]string{"dev", "--once", "--no-migrate", "--store", store}, free...)...)
	if refused.code != exitFailure || !strings.HasPrefix(refused.errs, "coordinator: --store: ") || strings.Count(refused.errs, "\n") != 1 {
		t.Errorf("--no-migrate on an empty schema: %+v", refused)
	}
	before := program(t.Context(), nil, "migrate", "status", "--store", store)
	up := program(t.Context(), nil, "migrate", "up", "--store", store)
	after := program(t.Context(), nil, "migrate", "status", "--store", store)
	if !strings.Contains(before.out, "pending") || strings.Contains(before.out, "applied") {
		t.Errorf("before: %+v", before)
	}
	if up.code != exitOK || up.out != after.out {
		t.Errorf("up: %+v", up)
	}
	if !strings.Contains(after.out, "applied") || strings.Contains(after.out, "pending") {
		t.Errorf("after: %+v", after)
	}
	accepted := program(t.Context(), nil, append([]string{"dev", "--once", "--no-migrate", "--store", store}, free...)...)
	if accepted.code != exitOK {
		t.Errorf("--no-migrate on the present schema: %+v", accepted)
	}
}

func TestOpenAPIIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	for version, file := range map[string]string{"3.1": "openapi.yaml", "3.0": "openapi-3.0.yaml"} {
		committed, err := os.ReadFile(filepath.Join("..", "..", "..", "openapi", file))
		if err != nil {
			t.Fatal(err)
		}
		if got := program(t.Context(), nil, "openapi", "--version", version); got.code != exitOK || got.out != string(committed) {
			t.Errorf("openapi/%s is stale (make openapi); exit %d", file, got.code)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	cases := []struct {
		args string
		code int
		line string
	}{
		{"version", exitOK, ""},
		{"--help", exitOK, ""},
		{"serve", exitUsage, "coordinator: --jwt-secret: "},
		{"serve --nonsense", exitUsage, "coordinator: unknown flag --nonsense"},
		{"dev --participants /none/participants.yaml --ops-listen off --listen 127.0.0.1:0", exitFailure, "coordinator: --participants: "},
		{"dev --templates /none --ops-listen off --listen 127.0.0.1:0", exitFailure, "coordinator: --templates: "},
		{"dev --store sqlite:/none/x.db --ops-listen off --listen 127.0.0.1:0", exitFailure, "coordinator: --store: "},
		{"dev --listen " + taken.Addr().String(), exitFailure, "coordinator: --listen: " + taken.Addr().String() + " is taken by another program"},
	}
	for _, c := range cases {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			got := program(t.Context(), nil, strings.Fields(c.args)...)
			if got.code != c.code {
				t.Errorf("exit %d, want %d: %s", got.code, c.code, got.errs)
			}
			if !strings.HasPrefix(got.errs, c.line) || strings.Count(got.errs, "\n") > 1 {
				t.Errorf("want the one line %q, got %q", c.line, got.errs)
			}
		})
	}
}
