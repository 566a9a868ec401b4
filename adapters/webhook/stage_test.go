package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// stage is a store with workflows in it and receivers on the other side. Tests
// run on it in virtual time.
type stage struct {
	t     *testing.T
	store *memory.Store
	seal  ports.Sealer
	log   *lines

	mu    sync.Mutex
	flows map[string]*story
	rows  map[string]ports.Row
	// receivers by host; the default answers 204.
	receivers map[string]func(*http.Request) (*http.Response, error)
	got       []received
	told      []Attempted
	disabled  []string
}

// received is a request as a receiver saw it.
type received struct {
	host   string
	at     time.Time
	header http.Header
	body   string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{t: t, store: memory.New(memory.Config{}), seal: newSealer(t), log: &lines{}, flows: map[string]*story{}, rows: map[string]ports.Row{},
		receivers: map[string]func(*http.Request) (*http.Response, error){}}
}

// onStage runs a test in virtual time.
func onStage(t *testing.T, test func(t *testing.T, b *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newStage(t)) })
}

// dispatcher is one replica; it ends with the test.
func (b *stage) dispatcher(change ...func(*Config, *Deps)) *Dispatcher {
	b.t.Helper()
	cfg := Config{Guard: guard.New(guard.Config{})}
	deps := Deps{Store: b.store, Workflows: b, Sealer: b.seal, Clock: clock{}, Entropy: entropy{}, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Attempted: func(a Attempted) { b.locked(func() { b.told = append(b.told, a) }) },
		Disabled:  func(id, _ string) { b.locked(func() { b.disabled = append(b.disabled, id) }) }}
	for _, f := range change {
		f(&cfg, &deps)
	}
	d, err := New(cfg, deps)
	if err != nil {
		b.t.Fatal(err)
	}
	d.sender.transport = b
	if err := d.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := d.Close(context.Background()); err != nil {
			b.t.Error(err)
		}
	})
	return d
}

const patience = 10 * time.Second

// patient makes a dispatcher look rarely, so that days pass quickly.
func patient(cfg *Config, _ *Deps) { cfg.PollEvery, cfg.Lease = patience, time.Hour }

func (b *stage) locked(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do()
}

// RoundTrip is the network.
func (b *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.got = append(b.got, received{r.URL.Hostname(), time.Now(), r.Header.Clone(), string(body)})
	receiver := b.receivers[r.URL.Hostname()]
	b.mu.Unlock()
	if receiver == nil {
		return answer(http.StatusNoContent), nil
	}
	return receiver(r)
}

func answer(status int, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// receives makes a receiver answer with these statuses, the last one for ever.
func (b *stage) receives(host string, statuses ...int) {
	at := 0
	b.receivers[host] = func(*http.Request) (*http.Response, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		status := statuses[min(at, len(statuses)-1)]
		at++
		return answer(status), nil
	}
}

// hangs makes a receiver never answer.
func (b *stage) hangs(host string) {
	b.receivers[host] = func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
}

// subscribe makes a subscription to everything at a host.
func (b *stage) subscribe(n int, host string, secrets ...webhook.Secret) ports.Webhook {
	b.t.Helper()
	w := ports.Webhook{ID: contracttests.WebhookID(n), URL: "https://" + host + "/hook", Active: true, Version: 1, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	for _, name := range domain.Announcements(false) {
		w.Events = append(w.Events, string(name))
	}
	slices.Sort(w.Events)
	if len(secrets) == 0 {
		secrets = []webhook.Secret{NewSecret()}
	}
	for _, s := range secrets {
		w.Secrets = append(w.Secrets, b.sealed(w.ID, s))
	}
	b.save(w)
	return w
}

func (b *stage) sealed(webhookID string, s webhook.Secret) ports.SealedSecret {
	b.t.Helper()
	sealed, err := SealSecret(b.seal, webhookID, Secret{Secret: s})
	if err != nil {
		b.t.Fatal(err)
	}
	return ports.SealedSecret{Sealed: sealed}
}

func (b *stage) save(w ports.Webhook) {
	b.t.Helper()
	if err := b.store.SaveWebhook(b.t.Context(), w, nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *stage) webhook(id string) ports.Webhook {
	b.t.Helper()
	w, err := b.store.Webhook(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// Workflow is what the dispatcher reads.
func (b *stage) Workflow(_ context.Context, id string) (ports.Snapshot, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.flows[id]
	if s == nil {
		return ports.Snapshot{}, ports.ErrNotFound
	}
	return ports.Snapshot{State: s.snap.State, Events: slices.Clone(s.snap.Events)}, nil
}

// start commits the start of the n-th workflow, and more moves it on.
func (b *stage) start(n int) *story {
	b.t.Helper()
	s := &story{t: b.t, now: storyBegins}
	s.snap.State = domain.New(contracttests.WorkflowID(n), builtin(b.t, "order-fulfillment"))
	s.does(domain.Start{SagaID: contracttests.SagaID(n), BusinessKey: fmt.Sprintf("ord-%d", n), Input: []byte(orderInput), Secret: []byte("0123456789abcdef")})
	b.locked(func() { b.flows[s.snap.State.WorkflowID] = s })
	b.commit(n, s, 0)
	return s
}

// goOn lets a step of the n-th workflow succeed.
func (b *stage) goOn(n int, s *story) {
	b.t.Helper()
	before := len(s.snap.Events)
	b.locked(func() { s.after(time.Second).succeeds(`{"reservationId":"r"}`) })
	b.commit(n, s, before)
}

// complete runs a whole workflow: eight events that are told.
func (b *stage) complete(n int) {
	b.t.Helper()
	s := b.start(n)
	for s.snap.State.Status != domain.Completed {
		b.goOn(n, s)
	}
}

const toldOfAnOrder = 8

func (b *stage) commit(n int, s *story, before int) {
	b.t.Helper()
	c := contracttests.StartOf(n)
	if before > 0 {
		c = contracttests.NextOf(b.rows[s.snap.State.WorkflowID])
	}
	c.Row.Version, c.Row.BusinessKey = len(s.snap.Events), ""
	for i := before; i < len(s.snap.Events); i++ {
		if name := s.snap.Events[i].Announced(s.snap.State.Template); name != "" {
			c.Notices = append(c.Notices, ports.Notice{Sequence: i + 1, Event: string(name), At: s.snap.Events[i].At})
		}
	}
	if err := b.store.Commit(b.t.Context(), []ports.Change{c})[0]; err != nil {
		b.t.Fatal(err)
	}
	b.rows[s.snap.State.WorkflowID] = c.Row
}

// at waits until virtual time d after now and for everything to come to rest.
func (b *stage) after(d time.Duration) *stage {
	time.Sleep(d)
	synctest.Wait()
	return b
}

// requests are those that a host has got so far.
func (b *stage) requests(host string) []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []received
	for _, r := range b.got {
		if r.host == host {
			list = append(list, r)
		}
	}
	return list
}

// deliveries are all of a subscription, oldest event first.
func (b *stage) deliveries(id string) []ports.Delivery {
	b.t.Helper()
	var list []ports.Delivery
	for q := (ports.DeliveryQuery{WebhookID: id, Limit: 100}); ; {
		page, err := b.store.ListDeliveries(b.t.Context(), q)
		if err != nil {
			b.t.Fatal(err)
		}
		list = append(list, page.Deliveries...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			slices.Reverse(list)
			return list
		}
	}
}

// settled wants all deliveries of a subscription to have a status.
func (b *stage) settled(id string, n int, want ports.DeliveryStatus) {
	b.t.Helper()
	list := b.deliveries(id)
	if len(list) != n {
		b.t.Errorf("%d deliveries, want %d", len(list), n)
	}
	for _, d := range list {
		if d.Status != want {
			b.t.Errorf("%s of %s is %s after %d attempts: %s", d.Event, d.WorkflowID, d.Status, d.Attempts, d.Error)
		}
	}
}

type clock struct{}

func (clock) Now() time.Time { return time.Now() }

type entropy struct{}

func (entropy) UUID() string   { return uuid.NewString() }
func (entropy) Random() uint64 { return mrand.Uint64() }
func (entropy) Secret() []byte { return []byte("0123456789abcdef") }

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newSealer(t testing.TB) ports.Sealer {
	t.Helper()
	ring, err := sealing.New(sealing.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
