package webhooks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/webhooks"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
	sdk "github.com/firstviscount/platform-coordination/sdk/webhook"
)

// bench is a service over a store of its own, and a clock that tests move.
type bench struct {
	*webhooks.Service
	t       *testing.T
	store   *memory.Store
	changes int

	mu  sync.Mutex
	now time.Time
}

func (b *bench) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) after(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func newBench(t *testing.T, change ...func(*webhooks.Deps)) *bench {
	t.Helper()
	b := &bench{t: t, store: memory.New(memory.Config{}), now: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)}
	d := webhooks.Deps{Store: b.store, Guard: guard.New(guard.Config{AllowPrivate: true}), Sealer: ring(t), Clock: b,
		Entropy: engine.SystemEntropy{}, Changed: func() { b.mu.Lock(); b.changes++; b.mu.Unlock() }}
	for _, f := range change {
		f(&d)
	}
	b.Service = webhooks.New(d)
	return b
}

func ring(t *testing.T) ports.Sealer {
	t.Helper()
	r, err := sealing.New(sealing.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request() ports.WebhookRequest {
	return ports.WebhookRequest{URL: "https://shop.example.com/hooks/s3cret?k=s3cret", Description: "shop", Active: true}
}

func keyOf(name, body string) *ports.IdempotencyKey {
	return &ports.IdempotencyKey{Scope: "scope-" + name, Fingerprint: "fingerprint-" + body}
}

func (b *bench) create(key *ports.IdempotencyKey) ports.WebhookReceipt {
	b.t.Helper()
	receipt, err := b.CreateWebhook(b.t.Context(), request(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	return receipt
}

func (b *bench) stored(id string) ports.Webhook {
	b.t.Helper()
	w, err := b.store.Webhook(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

func TestASubscriptionIsMadeWithASecretOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := b.create(nil), b.create(nil)
	w := b.stored(first.Webhook.ID)
	if !regexp.MustCompile(`^whk-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-`).MatchString(w.ID) || w.ID == second.Webhook.ID {
		t.Errorf("the IDs are %s and %s", w.ID, second.Webhook.ID)
	}
	seven := []string{"saga.compensated", "saga.compensating", "workflow.cancelled", "workflow.completed", "workflow.failed", "workflow.started", "workflow.step.completed"}
	if !slices.Equal(w.Events, seven) || !w.Active || w.Version != 1 || w.URL != request().URL {
		t.Errorf("stored is %+v", w)
	}
	secret, err := sdk.ParseSecret(first.Secret)
	if err != nil || len(secret.Bytes()) != webhook.SecretBytes || first.Secret == second.Secret {
		t.Errorf("the secrets are of %d bytes, %v", len(secret.Bytes()), err)
	}
	if bytes.Contains(w.Secrets[0].Sealed, secret.Bytes()) || bytes.Contains(w.Secrets[0].Sealed, []byte(first.Secret[6:])) {
		t.Error("the secret is stored as it is")
	}
	if b.changes != 2 {
		t.Errorf("told of %d changes", b.changes)
	}
}

func TestTargetsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(d *webhooks.Deps) { d.Guard = guard.New(guard.Config{}) })
	var target *ports.TargetError
	r := request()
	r.URL = "http://127.0.0.1/s3cret"
	if _, err := b.CreateWebhook(t.Context(), r, nil); !errors.As(err, &target) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("made with %v", err)
	}
	w := b.create(nil).Webhook
	if _, err := b.UpdateWebhook(t.Context(), w.ID, ports.WebhookChange{URL: &r.URL}); !errors.As(err, &target) {
		t.Errorf("changed with %v", err)
	}
	if b.stored(w.ID).URL != request().URL {
		t.Error("the refused URL is stored")
	}
}

// TestARequestWithAKeyHasItsEffectOnce however often, and on however many
// replicas, it comes at once.
func TestARequestWithAKeyHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := keyOf("a", "1")
	var wg sync.WaitGroup
	receipts := make([]ports.WebhookReceipt, 20)
	for i := range receipts {
		wg.Go(func() {
			var err error
			if receipts[i], err = b.CreateWebhook(t.Context(), request(), key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	secrets := 0
	for _, r := range receipts {
		if r.Secret != "" {
			secrets++
		}
		if r.Webhook.ID != receipts[0].Webhook.ID || r.Replayed == (r.Secret != "") {
			t.Errorf("%+v", r)
		}
	}
	if all, _ := b.Webhooks(t.Context()); len(all) != 1 || secrets != 1 {
		t.Errorf("%d subscriptions and %d secrets", len(all), secrets)
	}
}

// TestAReplayShowsTheFirstAnswer whatever has changed since.
func TestAReplayShowsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := keyOf("a", "1")
	first := b.create(key)
	inactive, other := false, "https://other.example.com/"
	b.after(time.Hour)
	if _, err := b.UpdateWebhook(t.Context(), first.Webhook.ID, ports.WebhookChange{URL: &other, Active: &inactive}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := b.RotateSecret(t.Context(), first.Webhook.ID, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	first.Webhook.Secrets = nil
	again := b.create(key)
	if !again.Replayed || again.Secret != "" || !reflect.DeepEqual(again.Webhook, first.Webhook) {
		t.Errorf("again  %+v\nat first %+v", again, first)
	}
	if _, err := b.CreateWebhook(t.Context(), request(), keyOf("a", "2")); !errors.Is(err, ports.ErrKeyReused) {
		t.Errorf("another request with the same key: %v", err)
	}
	if err := b.DeleteWebhook(t.Context(), first.Webhook.ID); err != nil {
		t.Fatal(err)
	}
	if anew := b.create(key); anew.Replayed || anew.Secret == "" { // the key lives as long as what it made
		t.Errorf("after the deletion %+v", anew)
	}
}

func TestUpdates(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(nil).Webhook.ID
	text, url, off, on := "new", "https://new.example.com/", false, true
	for name, c := range map[string]struct {
		change ports.WebhookChange
		holds  func(w ports.Webhook) bool
	}{
		"nothing":     {ports.WebhookChange{}, func(w ports.Webhook) bool { return w.Version > 1 }},
		"url":         {ports.WebhookChange{URL: &url}, func(w ports.Webhook) bool { return w.URL == url }},
		"description": {ports.WebhookChange{Description: &text}, func(w ports.Webhook) bool { return w.Description == text }},
		"events": {ports.WebhookChange{Events: []string{"workflow.parked", "saga.compensated", "workflow.parked"}}, func(w ports.Webhook) bool {
			return slices.Equal(w.Events, []string{"saga.compensated", "workflow.parked"})
		}},
		"active": {ports.WebhookChange{Active: &off}, func(w ports.Webhook) bool { return !w.Active && w.Disabled == "" }},
	} {
		b.after(time.Second)
		got, err := b.UpdateWebhook(t.Context(), id, c.change)
		if err != nil || !c.holds(got) || !got.UpdatedAt.Equal(b.now) || !reflect.DeepEqual(got, b.stored(id)) {
			t.Errorf("%s: %v, %+v, stored %+v", name, err, got, b.stored(id))
		}
	}
	if _, err := b.UpdateWebhook(t.Context(), id, ports.WebhookChange{Active: &on}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.DisableWebhook(t.Context(), id, "gone", b.now); err != nil {
		t.Fatal(err)
	}
	if w, err := b.UpdateWebhook(t.Context(), id, ports.WebhookChange{Description: &url}); err != nil || w.Active || w.Disabled != "gone" {
		t.Errorf("a disabled one, described anew: %+v, %v", w, err)
	}
	if w, err := b.UpdateWebhook(t.Context(), id, ports.WebhookChange{Active: &on}); err != nil || !w.Active || w.Disabled != "" {
		t.Errorf("a disabled one, activated: %+v, %v", w, err)
	}
}

// TestUpdatesAtOnceAllTakeEffect: none overwrites what another changed.
func TestUpdatesAtOnceAllTakeEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(nil).Webhook.ID
	var wg sync.WaitGroup
	text, url := "new", "https://new.example.com/"
	for _, c := range []ports.WebhookChange{{URL: &url}, {Description: &text}, {Events: []string{"workflow.parked"}}} {
		wg.Go(func() {
			if _, err := b.UpdateWebhook(t.Context(), id, c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w := b.stored(id); w.URL != url || w.Description != text || len(w.Events) != 1 || w.Version != 4 {
		t.Errorf("%+v", w)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.create(keyOf("c", "1"))
	id := first.Webhook.ID
	r, err := b.RotateSecret(t.Context(), id, time.Hour, keyOf("r", "1"))
	if err != nil || r.Secret == "" || r.Secret == first.Secret || !r.OverlapUntil.Equal(b.now.Add(time.Hour)) {
		t.Fatalf("%v, until %s", err, r.OverlapUntil)
	}
	w := b.stored(id)
	if len(w.Secrets) != 2 || !w.Secrets[0].Until.IsZero() || !w.Secrets[1].Until.Equal(b.now.Add(time.Hour)) {
		t.Errorf("%d secrets", len(w.Secrets))
	}
	b.after(2 * time.Hour)
	again, err := b.RotateSecret(t.Context(), id, time.Hour, keyOf("r", "1"))
	if err != nil || !again.Replayed || again.Secret != "" || !again.RotatedAt.Equal(r.RotatedAt) || !again.OverlapUntil.Equal(r.OverlapUntil) || b.stored(id).Version != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := b.RotateSecret(t.Context(), id, time.Hour, keyOf("r", "2")); !errors.Is(err, ports.ErrKeyReused) {
		t.Errorf("another request with the same key: %v", err)
	}
	if _, err := b.RotateSecret(t.Context(), contracttests.WebhookID(7), 0, nil); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	for _, overlap := range []time.Duration{-1, ports.MaxSecretOverlap + 1} {
		if _, err := b.RotateSecret(t.Context(), id, overlap, nil); err == nil {
			t.Errorf("with an overlap of %s", overlap)
		}
	}
}

func TestSecretsThatOverlapAreFew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(nil).Webhook.ID
	for range ports.MaxSecrets - 1 {
		if _, err := b.RotateSecret(t.Context(), id, 24*time.Hour, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.RotateSecret(t.Context(), id, 24*time.Hour, nil); !errors.Is(err, ports.ErrTooManySecrets) {
		t.Errorf("one too many: %v", err)
	}
	b.after(25 * time.Hour)
	for range 20 {
		b.after(25 * time.Hour)
		if _, err := b.RotateSecret(t.Context(), id, 24*time.Hour, nil); err != nil {
			t.Fatal(err)
		}
	}
	if w := b.stored(id); len(w.Secrets) != ports.MaxSecrets {
		t.Errorf("%d secrets are kept", len(w.Secrets))
	}
}

// TestALostKeyIsNoDeadEnd: a new secret can be made.
func TestALostKeyIsNoDeadEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(nil).Webhook.ID
	b.Sealer = ring(t)
	r, err := b.RotateSecret(t.Context(), id, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := b.stored(id)
	if opened, err := webhook.OpenSecret(b.Sealer, id, w.Secrets[0].Sealed); err != nil || opened.Reveal() != r.Secret || len(w.Secrets) != 1 {
		t.Errorf("%d secrets, %v", len(w.Secrets), err)
	}
}

func TestASecretForDevelopment(t *testing.T) {
	t.Parallel()
	known := webhook.NewSecret()
	b := newBench(t, func(d *webhooks.Deps) { d.Secret = known })
	first := b.create(nil)
	if first.Secret != known.Reveal() {
		t.Error("the first subscription has another secret")
	}
	if r, err := b.RotateSecret(t.Context(), first.Webhook.ID, 0, nil); err != nil || r.Secret == known.Reveal() {
		t.Errorf("rotated to the same, %v", err)
	}
}

func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	as := func(operation string) context.Context {
		return ports.WithActor(t.Context(), ports.Actor{Subject: "ada", Role: "admin", Operation: operation, RequestID: "req", TraceID: "trace"})
	}
	created, err := b.CreateWebhook(as("createWebhook"), request(), nil)
	if err != nil {
		t.Fatal(err)
	}
	id, off := created.Webhook.ID, false
	steps := []func() error{
		func() error {
			_, err := b.UpdateWebhook(as("updateWebhook"), id, ports.WebhookChange{Active: &off})
			return err
		},
		func() error { _, err := b.RotateSecret(as("rotateWebhookSecret"), id, 0, nil); return err },
		func() error { _, err := b.Recover(as("recoverWebhook"), id, b.now, nil); return err }, // nothing has failed: no entry
		func() error { return b.DeleteWebhook(as("deleteWebhook"), id) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	page, err := b.store.ListAudit(t.Context(), ports.AuditQuery{Target: id, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range page.Entries {
		actions = append(actions, e.Action)
		text := string(e.Before) + string(e.After)
		if e.Subject != "ada" || e.RequestID != "req" || text == "" || strings.Contains(text, "s3cret") || strings.Contains(text, "whsec") {
			t.Errorf("%+v: %s", e, text)
		}
	}
	slices.Reverse(actions)
	if want := []string{"createWebhook", "updateWebhook", "rotateWebhookSecret", "deleteWebhook"}; !slices.Equal(actions, want) {
		t.Errorf("audited are %v", actions)
	}
}

func TestHealthTellsWhatIsDisabledAndWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if h, err := b.WebhookHealth(t.Context()); err != nil || h != (ports.WebhookHealth{}) {
		t.Errorf("of none: %+v, %v", h, err)
	}
	b.create(nil)
	gone := b.create(nil).Webhook.ID
	c := contracttests.StartOf(1)
	c.Notices = []ports.Notice{{Sequence: 1, Event: "workflow.started", At: c.Row.StartedAt}}
	if err := b.store.Commit(t.Context(), []ports.Change{c})[0]; err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.DisableWebhook(t.Context(), gone, "gone", b.now); err != nil {
		t.Fatal(err)
	}
	h, err := b.WebhookHealth(t.Context())
	if err != nil || h.Subscriptions != 2 || h.Disabled != 1 || h.Pending != 1 || h.OldestDue.IsZero() {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range ports.MaxWebhooks {
		b.create(keyOf(fmt.Sprint(n), "1"))
	}
	if _, err := b.CreateWebhook(t.Context(), request(), nil); !errors.Is(err, ports.ErrTooManyWebhooks) {
		t.Errorf("one too many: %v", err)
	}
}
