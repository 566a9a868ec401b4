package config_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/config"
)

const (
	secret        = "0123456789abcdef0123456789abcdef"
	encryptionKey = "aGlkZGVuLTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg="
)

// defaultRetention is that of the README.
var defaultRetention = config.Retention{Completed: 30 * 24 * time.Hour, Failed: 90 * 24 * time.Hour, Cancelled: 30 * 24 * time.Hour,
	Deliveries: 30 * 24 * time.Hour, Audit: 365 * 24 * time.Hour, Batches: 90 * 24 * time.Hour}

// environment is a lookup in a map.
func environment(variables map[string]string) config.Environment {
	return func(name string) (string, bool) {
		value, found := variables[name]
		return value, found
	}
}

func parse(t *testing.T, line string, variables map[string]string) (config.Command, error) {
	t.Helper()
	return config.Parse(strings.Fields(line), environment(variables), io.Discard)
}

func mustParse[C config.Command](t *testing.T, line string, variables map[string]string) C {
	t.Helper()
	command, err := parse(t, line, variables)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	typed, ok := command.(C)
	if !ok {
		t.Fatalf("%s: got %T", line, command)
	}
	return typed
}

func TestServeDefaults(t *testing.T) {
	t.Parallel()
	got := mustParse[config.Serve](t, "serve --jwt-secret "+secret, nil)
	want := config.Serve{Service: config.Service{
		Listen:       ":8081",
		OpsListen:    "127.0.0.1:9091",
		Store:        config.Store{Kind: config.StoreSQLite, Location: "coordination.db"},
		Bus:          "memory",
		JWTSecret:    secret,
		RateLimit:    "on",
		Retention:    defaultRetention,
		Lease:        10 * time.Second,
		LogLevel:     "info",
		LogFormat:    "json",
		DrainTimeout: 25 * time.Second,
	}}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDevDefaultsDiffer(t *testing.T) {
	t.Parallel()
	got := mustParse[config.Dev](t, "dev --once", nil)
	if got.Store.Kind != config.StoreMemory || got.LogFormat != "text" || got.JWTSecret != "" || !got.Once {
		t.Errorf("got %+v", got)
	}
}

func TestEveryFlagIsAVariableAndTheFlagWins(t *testing.T) {
	t.Parallel()
	variables := map[string]string{
		"COORDINATION_LISTEN":                "127.0.0.1:1",
		"COORDINATION_OPS_LISTEN":            "off",
		"COORDINATION_STORE":                 "postgres://user:hidden@db/orders",
		"COORDINATION_NO_MIGRATE":            "true",
		"COORDINATION_ENCRYPTION_KEYS":       encryptionKey,
		"COORDINATION_BUS":                   "memory",
		"COORDINATION_PARTICIPANTS":          "participants.yaml",
		"COORDINATION_JWT_SECRET":            secret,
		"COORDINATION_JWT_ISSUER":            "issuer",
		"COORDINATION_JWT_AUDIENCE":          "audience",
		"COORDINATION_CALLBACK_URL":          "https://coordination.example",
		"COORDINATION_RATE_LIMIT":            "off",
		"COORDINATION_WEBHOOK_ALLOW_PRIVATE": "true",
		"COORDINATION_TEMPLATES":             "templates",
		"COORDINATION_RETENTION":             "completed=10d,failed=never,cancelled=168h,deliveries=0,audit=730d,batches=1d",
		"COORDINATION_LEASE":                 "3s",
		"COORDINATION_LOG_LEVEL":             "debug",
		"COORDINATION_LOG_FORMAT":            "text",
		"COORDINATION_DRAIN_TIMEOUT":         "4s",
	}
	want := config.Service{
		Listen:              "127.0.0.1:1",
		OpsListen:           "off",
		Store:               config.Store{Kind: config.StorePostgres, Location: "postgres://user:hidden@db/orders"},
		NoMigrate:           true,
		EncryptionKeys:      encryptionKey,
		Bus:                 "memory",
		Participants:        "participants.yaml",
		JWTSecret:           secret,
		JWTIssuer:           "issuer",
		JWTAudience:         "audience",
		CallbackURL:         "https://coordination.example",
		RateLimit:           "off",
		WebhookAllowPrivate: true,
		Templates:           "templates",
		Retention: config.Retention{Completed: 240 * time.Hour, Cancelled: 168 * time.Hour,
			Audit: 730 * 24 * time.Hour, Batches: 24 * time.Hour},
		Lease:        3 * time.Second,
		LogLevel:     "debug",
		LogFormat:    "text",
		DrainTimeout: 4 * time.Second,
	}
	if got := mustParse[config.Serve](t, "serve", variables); got.Service != want {
		t.Errorf("got  %+v\nwant %+v", got.Service, want)
	}
	want.Lease, want.Store = 7*time.Second, config.Store{Kind: config.StoreMemory}
	if got := mustParse[config.Serve](t, "serve --lease 7s --store memory", variables); got.Service != want {
		t.Errorf("the flag must win\ngot  %+v\nwant %+v", got.Service, want)
	}
}

func TestEmptyVariableIsUnset(t *testing.T) {
	t.Parallel()
	got := mustParse[config.Dev](t, "dev", map[string]string{"COORDINATION_LISTEN": "", "COORDINATION_LEASE": ""})
	if got.Listen != ":8081" || got.Lease != 10*time.Second {
		t.Errorf("got %+v", got)
	}
}

func TestRetentionThatLeavesPartsOutKeepsTheirDefaults(t *testing.T) {
	t.Parallel()
	got := mustParse[config.Dev](t, "dev --retention failed=never,completed=7d", nil).Retention
	want := defaultRetention
	want.Failed, want.Completed = 0, 7*24*time.Hour
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text := got.String(); text != "completed=7d,failed=never,cancelled=30d,deliveries=30d,audit=365d,batches=90d" {
		t.Errorf("got %s", text)
	}
}

func TestOtherCommands(t *testing.T) {
	t.Parallel()
	token := mustParse[config.Token](t, "token --role admin --subject me", map[string]string{"COORDINATION_JWT_SECRET": secret})
	if token != (config.Token{Role: "admin", Subject: "me", TTL: time.Hour, JWTSecret: secret}) {
		t.Errorf("got %+v", token)
	}
	if up := mustParse[config.MigrateUp](t, "migrate up --store sqlite:x.db", nil); up.Store.Location != "x.db" {
		t.Errorf("got %+v", up)
	}
	if status := mustParse[config.MigrateStatus](t, "migrate status", nil); status.Store.String() != config.DefaultStore {
		t.Errorf("got %+v", status)
	}
	if document := mustParse[config.OpenAPI](t, "openapi", nil); document.Version != "3.1" {
		t.Errorf("got %+v", document)
	}
	rotate := mustParse[config.KeysRotate](t, "keys rotate --store sqlite:x.db --encryption-keys "+encryptionKey, nil)
	if rotate != (config.KeysRotate{Store: config.Store{Kind: config.StoreSQLite, Location: "x.db"}, EncryptionKeys: encryptionKey}) {
		t.Errorf("got %+v", rotate)
	}
	mustParse[config.KeysNew](t, "keys new", nil)
	mustParse[config.Version](t, "version", nil)
}

func TestHelpIsPrintedAndNothingElseMatters(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	command, err := config.Parse([]string{"serve", "--help"}, environment(nil), &out)
	if _, ok := command.(config.Help); !ok || err != nil {
		t.Fatalf("got %T, %v", command, err)
	}
	for _, flag := range []string{"--listen", "--drain-timeout", "--jwt-secret"} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("help does not mention %s:\n%s", flag, out.String())
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct{ line, names string }{
		{"serve --no-such-flag", "--no-such-flag"},
		{"sarve", "sarve"},
		{"", "serve"},
		{"serve extra", "extra"},
		{"serve", "--jwt-secret"},
		{"serve --jwt-secret short", "--jwt-secret"},
		{"serve --jwks keys.json --jwt-secret " + secret, "--jwks"},
		{"serve --jwks keys.json --store mysql://x", "--store"},
		{"serve --jwks keys.json --store sqlite:", "--store"},
		{"serve --jwks keys.json --store postgres:db", "--store"},
		{"serve --jwks keys.json --listen 8081", "--listen"},
		{"serve --jwks keys.json --listen :http", "--listen"},
		{"serve --jwks keys.json --listen :65536", "--listen"},
		{"serve --jwks keys.json --ops-listen on", "--ops-listen"},
		{"serve --jwks keys.json --listen :1 --ops-listen :1", "--ops-listen"},
		{"serve --jwks keys.json --bus ftp://x", "--bus"},
		{"serve --jwks keys.json --bus nats", "--bus"},
		{"serve --jwks keys.json --rate-limit maybe", "--rate-limit"},
		{"serve --jwks keys.json --retention completed", `--retention: "completed" is not PART=AGE`},
		{"serve --jwks keys.json --retention compleat=30d", `--retention: "compleat" is no part; there are completed, failed, cancelled, deliveries, audit, batches`},
		{"serve --jwks keys.json --retention completed=30d,completed=31d", "--retention: completed is given twice"},
		{"serve --jwks keys.json --retention completed=6d", "--retention: completed: 6d is less than 7d, the shortest age"},
		{"serve --jwks keys.json --retention cancelled=1h", "--retention: cancelled: 1h is less than 7d"},
		{"serve --jwks keys.json --retention deliveries=23h", "--retention: deliveries: 23h is less than 1d"},
		{"serve --jwks keys.json --retention audit=6d", "--retention: audit: 6d is less than 7d"},
		{"serve --jwks keys.json --retention batches=-2h", `--retention: batches: "-2h" is no age`},
		{"serve --jwks keys.json --retention failed=soon", `--retention: failed: "soon" is no age; want such as 30d, 720h or never`},
		{"serve --jwks keys.json --retention failed=-1d", `--retention: failed: "-1d" is no number of days`},
		{"serve --jwks keys.json --retention failed=36501d", "--retention: failed: 36501d is more than 36500d, the longest age; never keeps for ever"},
		{"serve --jwks keys.json --retention failed=4000000000d", "--retention: failed: 4000000000d is more than 36500d"},
		{"serve --jwks keys.json --lease 1", "--lease"},
		{"serve --jwks keys.json --lease 99ms", "--lease"},
		{"serve --jwks keys.json --lease 11m", "--lease"},
		{"serve --jwks keys.json --drain-timeout 0s", "--drain-timeout"},
		{"serve --jwks keys.json --drain-timeout soon", "--drain-timeout"},
		{"serve --jwks keys.json --callback-url example.org", "--callback-url"},
		{"serve --jwks keys.json --callback-url ftp://example.org", "--callback-url"},
		{"serve --jwks keys.json --callback-url http://example.org/?x=1", "--callback-url"},
		{"serve --jwks keys.json --callback-url http://me:pw@example.org", "--callback-url"},
		{"serve --jwks keys.json --log-level loud", "--log-level"},
		{"serve --jwks keys.json --log-format xml", "--log-format"},
		{"dev --jwks keys.json", "--jwks"},
		{"dev --jwt-secret short", "--jwt-secret"},
		{"token --role admin --subject me", "--jwt-secret"},
		{"token --role admin --subject me --jwt-secret short", "--jwt-secret"},
		{"token --role root --subject me --jwt-secret " + secret, "--role"},
		{"token --subject me --jwt-secret " + secret, "--role"},
		{"token --role admin --jwt-secret " + secret, "--subject"},
		{"token --role admin --subject me --ttl 0s --jwt-secret " + secret, "--ttl"},
		{"serve --jwks keys.json --encryption-keys " + encryptionKey + ",short", "--encryption-keys: key 2: want 32 bytes in base64"},
		{"serve --jwks keys.json --encryption-keys " + encryptionKey + "," + encryptionKey, "--encryption-keys: key 2 is key 1 again"},
		{"keys rotate --store sqlite:x.db", "--encryption-keys"},
		{"keys rotate --store memory --encryption-keys " + encryptionKey, "--store"},
		{"keys rotate --encryption-keys short,shorter", "--encryption-keys"},
		{"keys", "new"},
		{"migrate up --store memory", "--store"},
		{"migrate status --store memory", "--store"},
		{"migrate down", "down"},
		{"openapi --version 2.0", "--version"},
	}
	for _, c := range cases {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, c.line, nil)
			var usage *config.UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usage error", err)
			}
			if !strings.Contains(err.Error(), c.names) || strings.Contains(err.Error(), "\n") {
				t.Errorf("want one line that names %s, got %q", c.names, err)
			}
		})
	}
}

func TestBadVariablesAreNamed(t *testing.T) {
	t.Parallel()
	_, err := parse(t, "dev", map[string]string{"COORDINATION_LEASE": "long"})
	if err == nil || !strings.Contains(err.Error(), "--lease") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	hidden := "hidden-0123456789abcdef-0123456789abcdef"
	got := mustParse[config.Serve](t, "serve --jwt-secret "+hidden+" --store postgres://user:hidden@db/orders --encryption-keys "+encryptionKey, nil)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, got); strings.Contains(text, "hidden") || strings.Contains(text, encryptionKey[:8]) {
			t.Errorf("%s shows a secret: %s", format, text)
		}
	}
	for _, line := range []string{"serve --store postgres://user:hidden@db:x/%zz", "serve --jwt-secret hidden", "serve --store hidden://x",
		"keys rotate --encryption-keys hidden,hidden"} {
		if _, err := parse(t, line, nil); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}

func TestEncryptionKeysAreGivenOrInAFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		keys int
		file string
	}{
		encryptionKey:       {keys: 1},
		"/run/secrets/keys": {file: "/run/secrets/keys"},
		encryptionKey[1:]:   {file: encryptionKey[1:]}, // a mistyped key is a file that is not there
	} {
		keys, file, err := config.EncryptionKeys(text).Keys()
		if err != nil || len(keys) != want.keys || file != want.file {
			t.Errorf("%s: %d keys, file %q, %v", text, len(keys), file, err)
		}
	}
}

func TestCallbackBase(t *testing.T) {
	t.Parallel()
	cases := []struct {
		configured string
		listener   net.Addr
		want       string
	}{
		{"https://coordination.example/", &net.TCPAddr{Port: 1}, "https://coordination.example"},
		{"", &net.TCPAddr{IP: net.IPv6unspecified, Port: 8081}, "http://127.0.0.1:8081"},
		{"", &net.TCPAddr{IP: net.IPv4zero, Port: 8081}, "http://127.0.0.1:8081"},
		{"", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}, "http://10.0.0.7:80"},
		{"", &net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "http://[::1]:80"},
	}
	for _, c := range cases {
		s := config.Service{CallbackURL: c.configured}
		if got := s.CallbackBase(c.listener); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}
