package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/adapters/sqlite"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestANewKeyIsPrintedAlone(t *testing.T) {
	t.Parallel()
	first, second := program(t.Context(), nil, "keys", "new"), program(t.Context(), nil, "keys", "new")
	_, err := sealing.ParseKey(strings.TrimSuffix(first.out, "\n"))
	if first.code != exitOK || first.errs != "" || err != nil || first.out == second.out {
		t.Errorf("%+v, %v", first, err)
	}
}

// fill puts a workflow and a webhook, sealed with a key, into a SQLite store.
func fill(t *testing.T, path string, n int, key sealing.Key) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ring, err := sealing.New(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := sealing.NewStore(store, ring).Commit(t.Context(), []ports.Change{contracttests.StartOf(n)})[0]; err != nil {
		t.Fatal(err)
	}
	id := "whk-" + contracttests.WorkflowID(n)
	secret, err := ring.Seal([]byte("secret"), []byte(id))
	if err != nil {
		t.Fatal(err)
	}
	w := ports.Webhook{ID: id, URL: "https://shop.example", Events: []string{"workflow.completed"}, Active: true, Version: 1,
		Secrets: []ports.SealedSecret{{Sealed: secret}}, CreatedAt: contracttests.Epoch, UpdatedAt: contracttests.Epoch}
	if err := store.SaveWebhook(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "coordination.db")
	older, newer := sealing.NewKey(), sealing.NewKey()
	fill(t, path, 1, older)
	fill(t, path, 2, newer)
	rotate := func(keys string) result {
		return program(t.Context(), map[string]string{"COORDINATION_ENCRYPTION_KEYS": keys}, "keys", "rotate", "--store", "sqlite:"+path)
	}
	got := rotate(newer.Reveal() + "," + older.Reveal())
	for _, line := range []string{"newest key: " + newer.ID(), "webhook secrets: 1 sealed again with it, 1 were already",
		"workflows: 1 need key " + older.ID() + ", the last of them started " + contracttests.StartOf(1).Row.StartedAt.Format("2006-01-02"), "Keep these keys"} {
		if !strings.Contains(got.out, line) {
			t.Errorf("exit %d, the output lacks %q:\n%s%s", got.code, line, got.out, got.errs)
		}
	}
	// The secrets need the older key no more, so that rotating goes on without it.
	if got = rotate(newer.Reveal()); got.code != exitOK || !strings.Contains(got.out, "0 sealed again with it, 2 were already") {
		t.Errorf("exit %d:\n%s%s", got.code, got.out, got.errs)
	}
	if got = rotate(sealing.NewKey().Reveal()); got.code != exitFailure || !strings.Contains(got.errs, newer.ID()) || strings.Contains(got.errs, newer.Reveal()) {
		t.Errorf("exit %d: %s", got.code, got.errs)
	}
}
