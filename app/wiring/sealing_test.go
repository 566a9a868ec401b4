package wiring_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/wiring"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// keysOf are the IDs of the keys that a store is opened with, or the error.
func keysOf(t *testing.T, store ports.Settings, given string) (ids []string, made bool, fault string) {
	t.Helper()
	ring, made, err := wiring.OpenKeys(t.Context(), store, config.EncryptionKeys(given))
	if err != nil {
		return nil, false, err.Error()
	}
	return ring.KeyIDs(), made, ""
}

func memoryStore(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New(memory.Config{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAKeyIsMadeOnceAndStillOpensWhenKeysAreGiven(t *testing.T) {
	t.Parallel()
	store, given := memoryStore(t), sealing.NewKey()
	first, made, fault := keysOf(t, store, "")
	again, _, _ := keysOf(t, store, "")
	if !made || fault != "" || len(first) != 1 || len(again) != 1 || first[0] != again[0] {
		t.Fatalf("made %v, then %v: %s", first, again, fault)
	}
	both, made, fault := keysOf(t, store, given.Reveal())
	if made || fault != "" || len(both) != 2 || both[0] != given.ID() || both[1] != first[0] {
		t.Errorf("given: %v, %s", both, fault)
	}
}

func TestAStoreWithGivenKeysGetsNoneOfItsOwn(t *testing.T) {
	t.Parallel()
	store, given := memoryStore(t), sealing.NewKey()
	if ids, _, fault := keysOf(t, store, given.Reveal()); fault != "" || len(ids) != 1 {
		t.Fatalf("given: %v, %s", ids, fault)
	}
	if ids, _, fault := keysOf(t, store, ""); !strings.Contains(fault, "missing") {
		t.Errorf("without keys: %v, %s", ids, fault)
	}
}

func TestKeysAreReadFromAFile(t *testing.T) {
	t.Parallel()
	newer, older := sealing.NewKey(), sealing.NewKey()
	good, bad := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "keys")
	text := "# 2026\n" + newer.Reveal() + "\n# 2025\n" + older.Reveal() + "\n"
	for path, content := range map[string]string{good: text, bad: text + "hunter2\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if ids, _, fault := keysOf(t, memoryStore(t), good); fault != "" || len(ids) != 2 || ids[0] != newer.ID() {
		t.Errorf("%v, %s", ids, fault)
	}
	for given, want := range map[string]string{
		bad:                                "the file: key 3: want 32 bytes in base64",
		newer.Reveal()[1:]:                 "neither keys of 32 bytes",
		filepath.Join(t.TempDir(), "none"): "nor a file that can be read",
	} {
		if _, _, fault := keysOf(t, memoryStore(t), given); !strings.Contains(fault, want) || strings.Contains(fault, given[5:]) || strings.Contains(fault, "hunter2") {
			t.Errorf("want %s, got %s", want, fault)
		}
	}
}

// served runs one order on a SQLite store and returns what was logged.
func served(t *testing.T, path, orderID string, keys ...sealing.Key) (logged string, err error) {
	t.Helper()
	var given []string
	for _, k := range keys {
		given = append(given, k.Reveal())
	}
	s, log := settings(), &bytes.Buffer{}
	s.Store = config.Store{Kind: config.StoreSQLite, Location: path}
	s.EncryptionKeys = config.EncryptionKeys(strings.Join(given, ","))
	service, err := wiring.New(t.Context(), s, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		return log.String(), err
	}
	defer stop(t, service)
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := client(t, service)
	if _, err := c.Workflows.StartOrder(t.Context(), order(orderID, "tok_visa_4242"), coordination.WithWait(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return log.String(), nil
}

func TestAReplicaThatCannotOpenWhatIsStoredDoesNotStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordination.db")
	older, newer, other := sealing.NewKey(), sealing.NewKey(), sealing.NewKey()
	if _, err := served(t, path, "order-1", older); err != nil {
		t.Fatal(err)
	}
	if _, err := served(t, path, "order-2", newer, older); err != nil {
		t.Fatal(err)
	}
	_, err := served(t, path, "order-3", other)
	if err == nil || !strings.HasPrefix(err.Error(), "--encryption-keys: workflow wf-") || !strings.Contains(err.Error(), newer.ID()) {
		t.Errorf("with another key: %v", err)
	}
	if _, err = served(t, path, "order-3"); err == nil || !strings.HasPrefix(err.Error(), "--encryption-keys: missing") {
		t.Errorf("without a key: %v", err)
	}
}

func TestAKeyInTheStoreIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordination.db")
	for _, id := range []string{"order-1", "order-2"} {
		log, err := served(t, path, id)
		if err != nil || strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "--encryption-keys") {
			t.Errorf("%v: %s", err, log)
		}
	}
	if log, err := served(t, path, "order-3", sealing.NewKey()); err != nil || strings.Contains(log, "--encryption-keys") {
		t.Errorf("%v: %s", err, log)
	}
}
