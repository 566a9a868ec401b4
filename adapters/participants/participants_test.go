package participants_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/participants"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const example = `
participants:                       # one entry per service of the templates
  inventory-service:    {transport: http, url: http://127.0.0.1:9001, secret: ` + secret + `, maxConcurrency: 8}
  payment-service:      {transport: bus}
  notification-service:
    transport: simulated
`

func TestParse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "participants.yaml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := participants.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	inventory := file["inventory-service"]
	if inventory.Transport != participants.HTTP || inventory.URL != "http://127.0.0.1:9001" || inventory.Secret.Reveal() != secret || inventory.MaxConcurrency != 8 {
		t.Errorf("inventory-service: %+v", inventory)
	}
	if got, want := file["payment-service"], (participants.Entry{Transport: participants.Bus, MaxConcurrency: participants.DefaultMaxConcurrency}); !reflect.DeepEqual(got, want) {
		t.Errorf("payment-service: %+v", got)
	}
	if len(file) != 3 || file["notification-service"].Transport != participants.Simulated {
		t.Errorf("file %+v", file)
	}
	if file, err := participants.Parse([]byte("participants: {}")); err != nil || len(file) != 0 {
		t.Errorf("no entries: %+v, %v", file, err)
	}
	if _, err := participants.Load(path + ".absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestParseNamesFaults(t *testing.T) {
	t.Parallel()
	entry := func(members string) string { return "participants: {a-service: {" + members + "}}" }
	for text, want := range map[string]string{
		"":                             "participants: want the one member participants",
		"[]":                           "participants: want a mapping",
		"participants: [":              "participants: not YAML",
		"participants:":                "participants: participants: want a mapping",
		"participant: {}":              "participants: participant: unknown member; want participants",
		"{participants: {}, other: 1}": "participants: other: unknown member; want participants",
		"participants: {}\n---\n{}":    "participants: more than one YAML document",
		"participants: {a-service: }":  "participants: a-service: want a mapping",
		"participants: {A: {transport: simulated}}":  "participants: A: a service's name must match ^[a-z][a-z0-9-]{0,63}$",
		entry("transport: simulated}, a-service: {"): "participants: participants: a-service: given twice",
		entry(""):                  "participants: a-service: transport: missing",
		entry("transport: grpc"):   "participants: a-service: transport: want http, bus or simulated",
		entry("transport: [http]"): "participants: a-service: transport: want a single value",
		entry("transport: simulated, transport: http"):             "participants: a-service: transport: given twice",
		entry("transport: http"):                                   "participants: a-service: url: missing",
		entry("transport: bus, url: 'http://h'"):                   "participants: a-service: url: only with transport http",
		entry("transport: simulated, secret: " + secret):           "participants: a-service: secret: only with transport http",
		entry("transport: http, url: 'http://h', sercet: hunter2"): "participants: a-service: sercet: unknown member; want transport, url, secret or maxConcurrency",
		entry("transport: http, url: 'http://h', secret: hunter2"): "participants: a-service: secret: not a secret: want whsec_ and 16 to 64 bytes in base64",
		entry("transport: simulated, maxConcurrency: 0"):           "participants: a-service: maxConcurrency: want a number from 1 to 4096",
		entry("transport: simulated, maxConcurrency: 4097"):        "participants: a-service: maxConcurrency: want a number from 1 to 4096",
		entry("transport: simulated, maxConcurrency: many"):        "participants: a-service: maxConcurrency: want a number from 1 to 4096",
		"participants: {test-service: {transport: bus}}":           "participants: test-service: transport: this service is always simulated",
		"participants: {b-service: {transport: x}, a-service: {}}": "participants: a-service: transport: missing; b-service: transport: want http, bus or simulated",
		strings.Repeat("#", participants.MaxFileBytes+1):           "participants: larger than 1048576 bytes",
	} {
		_, err := participants.Parse([]byte(text))
		var faults *participants.FileError
		if !errors.As(err, &faults) || err.Error() != want {
			t.Errorf("%.70s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func open(t *testing.T, cfg participants.Config) (participants.Registry, error) {
	t.Helper()
	cfg.Simulated = simulated.New(simulated.Config{Instant: true})
	t.Cleanup(cfg.Simulated.Close)
	cfg.CallbackBaseURL = "http://127.0.0.1:8081"
	registry, err := participants.Open(cfg)
	t.Cleanup(registry.Close)
	return registry, err
}

func parse(t *testing.T, text string) participants.File {
	t.Helper()
	file, err := participants.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWithoutAFileAllAreSimulated(t *testing.T) {
	t.Parallel()
	registry, err := open(t, participants.Config{Services: []string{"order-service", "payment-service", participants.TestService}})
	if err != nil || len(registry) != 3 {
		t.Fatalf("%+v, %v", registry, err)
	}
	for service, s := range registry {
		if a := s.Participant.Send(t.Context(), domain.Dispatch{CommandID: service, Service: service}); a.Outcome != domain.Succeeded || s.MaxConcurrency != participants.DefaultMaxConcurrency {
			t.Errorf("%s: %+v, %d at once", service, a, s.MaxConcurrency)
		}
	}
}

type onBus struct{ ports.Participant }

func TestOpen(t *testing.T) {
	t.Parallel()
	var asked string
	registry, err := open(t, participants.Config{
		File:     parse(t, example),
		Services: []string{"inventory-service", "payment-service", "notification-service", participants.TestService},
		Bus: func(service string, _ participants.Entry) (ports.Participant, error) {
			asked = service
			return onBus{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(registry) != 4 || registry["inventory-service"].MaxConcurrency != 8 || asked != "payment-service" || registry["payment-service"].Participant != (onBus{}) {
		t.Errorf("%+v", registry)
	}
	if h := registry[participants.TestService].Participant.Check(context.Background()); !h.Up {
		t.Error("test-service is not simulated")
	}
}

func TestOpenNamesFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"participants: {}": "participants: order-service: missing, but a template uses it",
		"participants: {order-service: {transport: bus}}":                                      "participants: order-service: transport: bus is not available in this build",
		"participants: {order-service: {transport: http, url: 'ftp://h'}}":                     "participants: order-service: url: must begin with http:// or https:// and a host",
		"participants: {a: {transport: http, url: 'http://u:hunter2@h'}, b: {transport: bus}}": "participants: a: url: must not hold a user or password; b: transport: bus is not available in this build; order-service: missing, but a template uses it",
	} {
		registry, err := open(t, participants.Config{File: parse(t, text), Services: []string{"order-service", participants.TestService}})
		if registry != nil || err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}
