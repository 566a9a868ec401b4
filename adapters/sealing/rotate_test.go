package sealing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// subscribe makes a webhook with two secrets, as after a rotation of them.
func subscribe(t *testing.T, s ports.WebhookStore, r *sealing.Ring, id string) {
	t.Helper()
	w := ports.Webhook{ID: id, URL: "https://shop.example", Events: []string{"workflow.completed"}, Active: true, Version: 1,
		CreatedAt: contracttests.Epoch, UpdatedAt: contracttests.Epoch}
	for i, secret := range []string{"current", "former"} {
		sealed, err := r.Seal([]byte(secret), []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		w.Secrets = append(w.Secrets, ports.SealedSecret{Sealed: sealed})
		if i > 0 {
			w.Secrets[i].Until = contracttests.Epoch.Add(time.Hour)
		}
	}
	if err := s.SaveWebhook(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
}

func entry(id string) *ports.AuditEntry {
	return &ports.AuditEntry{ID: "aud-" + id, At: contracttests.Epoch, Subject: "test", Action: "rotateEncryptionKey", Target: id}
}

func secretsOf(t *testing.T, s ports.WebhookStore, r *sealing.Ring, id string) (texts []string) {
	t.Helper()
	w, err := s.Webhook(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range w.Secrets {
		plain, err := r.Open(secret.Sealed, []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(plain))
	}
	return texts
}

func TestSecretsAreSealedAgainWithTheNewestKey(t *testing.T) {
	t.Parallel()
	s, older, newer := open(t), sealing.NewKey(), sealing.NewKey()
	subscribe(t, s, ring(t, older), "whk-1")
	subscribe(t, s, ring(t, newer), "whk-2")
	both := ring(t, newer, older)
	for _, want := range []sealing.Resealed{{Again: 2, Were: 2}, {Again: 0, Were: 4}} {
		if got, err := sealing.Reseal(t.Context(), s, both, entry); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	alone := ring(t, newer)
	for _, id := range []string{"whk-1", "whk-2"} {
		if got := secretsOf(t, s, alone, id); len(got) != 2 || got[0] != "current" || got[1] != "former" {
			t.Errorf("%s: %v", id, got)
		}
	}
	page, err := s.ListAudit(t.Context(), ports.AuditQuery{Limit: 10})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Target != "whk-1" {
		t.Errorf("audited: %+v, %v", page.Entries, err)
	}
}

func TestWithoutTheOlderKeyNothingIsSealedAgain(t *testing.T) {
	t.Parallel()
	s, older := open(t), ring(t, sealing.NewKey())
	subscribe(t, s, older, "whk-1")
	if _, err := sealing.Reseal(t.Context(), s, ring(t, sealing.NewKey()), entry); !errors.Is(err, ports.ErrSealed) {
		t.Errorf("got %v", err)
	}
	if got := secretsOf(t, s, older, "whk-1"); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
}

// busy changes a webhook each time it is about to be saved, as often as it is told.
type busy struct {
	*memory.Store
	times *int
}

func (b busy) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	if *b.times > 0 {
		*b.times--
		other, err := b.Webhook(ctx, w.ID)
		if err != nil {
			return err
		}
		other.Description, other.Version = "changed", other.Version+1
		if err := b.Store.SaveWebhook(ctx, other, nil); err != nil {
			return err
		}
	}
	return b.Store.SaveWebhook(ctx, w, audit)
}

func TestAWebhookThatSomebodyChangesMeanwhileKeepsTheChange(t *testing.T) {
	t.Parallel()
	s, older, newer, times := open(t), sealing.NewKey(), sealing.NewKey(), 3
	subscribe(t, s, ring(t, older), "whk-1")
	if got, err := sealing.Reseal(t.Context(), busy{s, &times}, ring(t, newer, older), entry); err != nil || got.Again != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	w, err := s.Webhook(t.Context(), "whk-1")
	if err != nil || w.Description != "changed" || w.Version != 5 || len(secretsOf(t, s, ring(t, newer), "whk-1")) != 2 {
		t.Errorf("got %+v, %v", w, err)
	}
}

func TestASurveyTellsWhichWorkflowsNeedOlderKeys(t *testing.T) {
	t.Parallel()
	behind, older, newer := open(t), sealing.NewKey(), sealing.NewKey()
	commit(t, behind, contracttests.StartOf(1))
	commit(t, sealing.NewStore(behind, ring(t, older)), contracttests.StartOf(2))
	running := contracttests.StartOf(3)
	commit(t, sealing.NewStore(behind, ring(t, older)), running)
	commit(t, sealing.NewStore(behind, ring(t, newer, older)), contracttests.NextOf(running.Row))
	commit(t, sealing.NewStore(behind, ring(t, newer, older)), contracttests.StartOf(4))
	for n, sealer := range []ports.Sealer{ring(t, older), ring(t, newer, older)} {
		if err := sealing.NewStore(behind, sealer).CreateBatch(t.Context(), batch(n), []string{"wf-1"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	needed, err := sealing.Survey(t.Context(), behind, ring(t, newer, older))
	if err != nil || len(needed) != 2 || needed[sealing.Unencrypted].Workflows != 1 || needed[older.ID()].Workflows != 2 || needed[older.ID()].Batches != 1 {
		t.Errorf("needed: %+v, %v", needed, err)
	}
	if last := needed[older.ID()].LastStarted; !last.Equal(running.Row.StartedAt) {
		t.Errorf("the last was started at %s, not %s", last, running.Row.StartedAt)
	}
	if needed, err = sealing.Survey(t.Context(), open(t), ring(t, newer)); err != nil || len(needed) != 0 {
		t.Errorf("an empty store needs %+v, %v", needed, err)
	}
}
