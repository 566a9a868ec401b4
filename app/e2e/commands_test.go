package e2e_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// commandTimeout is how long a command may take that serves nothing.
const commandTimeout = 60 * time.Second

// run runs a command of the coordinator to its end.
func run(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return harness.Output(t, harness.Program{Path: harness.CoordinatorPath(t), Args: args, Env: env}, commandTimeout)
}

func TestDevOnceShowsBothExamples(t *testing.T) {
	t.Parallel()
	code, out, errs := run(t, nil, "dev", "--once", "--listen", harness.Addresses(t, 1)[0], "--ops-listen", "off")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, shown := range []string{"http://127.0.0.1:", "/docs", "/openapi.yaml", "eyJ", // a token
		"INVENTORY_RESERVATION", "PAYMENT_DECLINED", "RELEASE_INVENTORY", "= COMPLETED, saga COMPLETED", "= FAILED, saga COMPENSATED"} {
		if !strings.Contains(out, shown) {
			t.Errorf("%q is not shown:\n%s", shown, out)
		}
	}
}

func TestDevServesOn(t *testing.T) {
	t.Parallel()
	address := harness.Addresses(t, 1)[0]
	p := harness.Start(t, harness.Program{Path: harness.CoordinatorPath(t), Args: []string{"dev", "--listen", address, "--ops-listen", "off"}})
	harness.Eventually(t, commandTimeout, "dev to serve", func() (string, bool) { return p.Stdout(), strings.Contains(p.Stdout(), "Serving.") })
	var token string
	for line := range strings.Lines(p.Stdout()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "eyJ") {
			token = line
		}
	}
	client, err := coordination.New("http://"+address+"/api/v1", coordination.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	started, err := client.Workflows.StartOrder(t.Context(), order("tok_visa_4242"))
	if err != nil {
		t.Fatal(err)
	}
	is(t, wait(t, client, started.WorkflowID), coordination.StatusCompleted, coordination.SagaCompleted)
	p.Terminate()
	if code := p.Wait(t, commandTimeout); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServeRefusesBadSettings(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	secret := []string{"COORDINATION_JWT_SECRET=" + harness.Secret}
	notYAML := harness.WriteFile(t, "not.yaml", "participants: [")
	halfFile := harness.WriteFile(t, "half.yaml", "participants:\n  inventory-service: {transport: simulated}\n")
	unknown := harness.WriteFile(t, "unknown.yaml", "participants:\n  inventory-service: {transport: pigeon}\n")
	badTemplate := filepath.Dir(harness.WriteFile(t, "bad.yaml", "templateId: x\ntype: NO_STEPS\n"))
	taken := harness.Serve(t, harness.Options{Store: "memory"})
	noDatabase := "postgres://nobody:hunter2secret@" + harness.Addresses(t, 1)[0] + "/none?connect_timeout=2"
	notSQLite := harness.WriteFile(t, "not.db", strings.Repeat("this is no database ", 100))
	cases := []struct {
		names string // the setting that the line names
		code  int
		env   []string
		args  []string
	}{
		{"--jwt-secret", 2, nil, nil},
		{"--jwt-secret", 2, []string{"COORDINATION_JWT_SECRET=short"}, nil},
		{"--jwks", 2, secret, []string{"--jwks", "keys.json"}},
		{"--nonsense", 2, secret, []string{"--nonsense"}},
		{"--lease", 2, append(secret, "COORDINATION_LEASE=soon"), nil},
		{"--store", 2, secret, []string{"--store", "mysql://x"}},
		{"--store", 1, secret, []string{"--store", noDatabase}},
		{"--store", 1, secret, []string{"--store", "sqlite:" + filepath.Join(missing, "x.db")}},
		{"--store", 1, secret, []string{"--store", "sqlite:" + notSQLite}},
		{"--listen", 1, secret, []string{"--listen", taken.Address}},
		{"--participants", 1, secret, []string{"--participants", missing}},
		{"--participants", 1, secret, []string{"--participants", notYAML}},
		{"--participants", 1, secret, []string{"--participants", halfFile}},
		{"--participants", 1, secret, []string{"--participants", unknown}},
		{"--templates", 1, secret, []string{"--templates", missing}},
		{"--templates", 1, secret, []string{"--templates", badTemplate}},
		{"--jwks", 1, nil, []string{"--jwks", missing}},
	}
	for _, c := range cases {
		t.Run(c.names+" "+strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			// What is given later wins: each case breaks what would work.
			args := append([]string{"serve", "--listen", harness.Addresses(t, 1)[0], "--ops-listen", "off", "--store", "memory"}, c.args...)
			code, out, errs := run(t, c.env, args...)
			if code != c.code || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.names) || !strings.HasPrefix(errs, "coordinator: ") {
				t.Errorf("exit code %d, want %d, and one line that names %s; printed %q, said\n%s", code, c.code, c.names, out, errs)
			}
			if strings.Contains(errs, "hunter2secret") {
				t.Error("the line shows the database's password")
			}
		})
	}
}

func TestTokenIsAccepted(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: "memory"})
	secret := []string{"COORDINATION_JWT_SECRET=" + harness.Secret}
	code, out, errs := run(t, secret, "token", "--role", "service", "--subject", "me", "--scope", "health:read")
	if code != 0 || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit code %d, %q, %s", code, out, errs)
	}
	authorization := []string{"Authorization", "Bearer " + strings.TrimSpace(out)}
	c.Get(t, "/health", authorization...).Is(200)
	c.Get(t, "/workflows", authorization...).Is(403)

	for _, args := range [][]string{{"--role", "root", "--subject", "me"}, {"--role", "admin"}, {"--role", "admin", "--subject", "me", "--ttl", "-1h"}} {
		if code, out, errs := run(t, secret, append([]string{"token"}, args...)...); code != 2 || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("token %v: exit code %d, %q, %s", args, code, out, errs)
		}
	}
}

func TestOpenAPIIsWhatIsServed(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: "memory"})
	for version, path := range map[string]string{"3.1": "openapi.yaml", "3.0": "openapi-3.0.yaml"} {
		code, out, errs := run(t, nil, "openapi", "--version", version)
		if code != 0 || !strings.HasPrefix(out, "openapi: "+version+".") {
			t.Errorf("openapi %s: exit code %d, %.200s %s", version, code, out, errs)
		}
		committed, err := os.ReadFile(filepath.Join("..", "..", "openapi", path))
		if err != nil {
			t.Fatal(err)
		}
		if string(committed) != out {
			t.Errorf("%s differs from what is committed", path)
		}
		if served := fetch(t, c.URL("/"+path)); served != out {
			t.Errorf("%s differs from what is served:\n%.500s", path, served)
		}
	}
	if asset := elsewhere.FindString(fetch(t, c.URL("/docs"))); asset != "" {
		t.Errorf("the docs page needs something from elsewhere: %s", asset)
	}
}

// elsewhere recognises what a page would load from another host.
var elsewhere = regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:)?//[^"'> ]*|@import|url\(|<iframe`)

// fetch gets what is open to everybody.
func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(text)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]string{"sqlite": stores["sqlite"](t), "postgres": pgtest.Empty(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			migrate(t, store)
		})
	}
}

// migrate refuses to serve an old schema when it must not change it, and serves
// the one that the command has made.
func migrate(t *testing.T, store string) {
	secret := []string{"COORDINATION_JWT_SECRET=" + harness.Secret}
	address := harness.Addresses(t, 1)[0]
	serve := []string{"serve", "--listen", address, "--ops-listen", "off", "--no-migrate", "--store", store}
	if code, _, errs := run(t, secret, serve...); code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "--store") {
		t.Errorf("serve on no schema: exit code %d, %s", code, errs)
	}
	code, out, errs := run(t, nil, "migrate", "status", "--store", store)
	if code != 0 || !strings.Contains(out, "pending") || strings.Contains(out, "applied") {
		t.Errorf("status of no schema: exit code %d, %q, %s", code, out, errs)
	}
	for range 2 { // the second time there is nothing to do
		code, out, errs = run(t, nil, "migrate", "up", "--store", store)
		if code != 0 || strings.Contains(out, "pending") || !strings.Contains(out, "applied") {
			t.Errorf("up: exit code %d, %q, %s", code, out, errs)
		}
	}
	p := harness.Start(t, harness.Program{Path: harness.CoordinatorPath(t), Args: serve, Env: secret})
	harness.Eventually(t, commandTimeout, "serve on the migrated schema", func() (string, bool) {
		return p.Log(), strings.Contains(p.Log(), `"serving"`)
	})
}
