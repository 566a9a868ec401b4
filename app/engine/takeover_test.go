package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// unruly is a store that does what real ones do on a bad day.
type unruly struct {
	ports.Store
	commit func(ctx context.Context, batch []ports.Change) []error
	renew  func() error
}

func (u *unruly) Commit(ctx context.Context, batch []ports.Change) []error {
	if u.commit != nil {
		return u.commit(ctx, batch)
	}
	return u.Store.Commit(ctx, batch)
}

func (u *unruly) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	if u.renew != nil {
		return u.renew()
	}
	return u.Store.Renew(ctx, replica, ttl)
}

func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func TestAnAmbiguousCommitLosesNothing(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	var n atomic.Int64
	// Every second commit is applied although an error is reported, every
	// third one that is left fails for real.
	flaky := &unruly{Store: store, commit: func(ctx context.Context, batch []ports.Change) []error {
		switch i := n.Add(1); {
		case i%2 == 0:
			_ = store.Commit(ctx, batch)
			return all(len(batch), ports.ErrUnavailable)
		case i%3 == 0:
			return all(len(batch), ports.ErrUnavailable)
		}
		return store.Commit(ctx, batch)
	}}
	p := &script{}
	e := newEngine(t, flaky, p)
	var id string
	key := &ports.IdempotencyKey{Scope: "s", Fingerprint: "f"}
	for { // a caller who got an error repeats the request under its key
		r, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "a", Input: json.RawMessage(`{"id":"a"}`), Key: key})
		if err == nil {
			id = r.State.WorkflowID
			break
		}
		if !errors.Is(err, ports.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	snap := await(t, e, id)
	if snap.State.Status != domain.Completed {
		t.Errorf("ended %s", snap.State.Status)
	}
	commands := p.commands()
	slices.Sort(commands)
	if unique := slices.Compact(commands); len(unique) != 6 {
		t.Errorf("%d different commands for six steps: %v", len(unique), unique)
	}
}

func TestAnotherReplicaTakesOverWhatASilentOneHeld(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	lease := func(c *engine.Config, _ *engine.Deps) { c.Lease = 200 * time.Millisecond }
	hung := make(chan struct{})
	reached := make(chan struct{}, 2)
	first := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S3" {
			reached <- struct{}{}
			<-hung
		}
		return ok(cmd)
	}}
	silent := atomic.Bool{}
	mute := &unruly{Store: store}
	mute.renew = func() error {
		if silent.Load() {
			return ports.ErrUnavailable
		}
		return store.Renew(context.Background(), "replica-1", 200*time.Millisecond)
	}
	e1 := newEngine(t, mute, first, lease, func(c *engine.Config, _ *engine.Deps) { c.Replica = "replica-1" })
	id := start(t, e1, "a").State.WorkflowID
	<-reached
	silent.Store(true)

	second := &script{}
	e2 := newEngine(t, store, second, lease)
	snap := await(t, e2, id)
	close(hung) // the first replica wakes up and does no harm
	if snap.State.Status != domain.Completed {
		t.Errorf("ended %s", snap.State.Status)
	}
	if got := second.commands(); len(got) == 0 || got[0] != first.commands()[2] {
		t.Errorf("the second replica began with %v, not with the command in doubt %s", got, first.commands()[2])
	}
	if again := await(t, e1, id); again.State.Version != snap.State.Version {
		t.Errorf("the log grew from %d to %d after the end", snap.State.Version, again.State.Version)
	}
}

func TestDrainingHandsEverythingOver(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	release := make(chan struct{})
	reached := make(chan struct{}, 1)
	p := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S2" {
			reached <- struct{}{}
			<-release
		}
		return ok(cmd)
	}}
	e1 := newEngine(t, store, p)
	id := start(t, e1, "a").State.WorkflowID
	<-reached
	closed := make(chan error, 1)
	go func() { closed <- e1.Close(context.WithoutCancel(t.Context())) }()
	for { // draining: new work is refused while the delivery in flight may finish
		_, err := e1.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "b", Input: json.RawMessage(`{}`)})
		if errors.Is(err, ports.ErrClosed) {
			break
		}
		if err != nil && !errors.Is(err, ports.ErrBusinessKeyTaken) {
			t.Fatal(err)
		}
	}
	close(release)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	rec, err := store.Load(t.Context(), id)
	if err != nil || rec.Row.Owner != "" || rec.Row.DueAt.IsZero() || rec.Row.SettledSteps < 2 {
		t.Fatalf("handed over as %+v, %v", rec.Row, err)
	}
	e2 := newEngine(t, store, &script{})
	if snap := await(t, e2, id); snap.State.Status != domain.Completed {
		t.Errorf("ended %s", snap.State.Status)
	}
}

func TestALaterAnswerComesByItsToken(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1)
	p := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S2" {
			tokens <- cmd.Token
			return domain.Answer{Outcome: domain.Accepted}
		}
		return ok(cmd)
	}}
	e := newEngine(t, memory.New(memory.Config{}), p)
	id := start(t, e, "a").State.WorkflowID
	token := <-tokens
	if err := e.Heartbeat(t.Context(), token); err != nil {
		t.Error(err)
	}
	if err := e.Answer(t.Context(), "cbt_nonsense", domain.Answer{Outcome: domain.Succeeded}); !errors.Is(err, ports.ErrUnknownToken) {
		t.Errorf("nonsense: %v", err)
	}
	if err := e.Answer(t.Context(), token, domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(`{"x":1}`)}); err != nil {
		t.Fatal(err)
	}
	if snap := await(t, e, id); snap.State.Status != domain.Completed || string(snap.State.Context()["x"]) != "1" {
		t.Errorf("ended %s with context %v", snap.State.Status, snap.State.Context())
	}
	if err := e.Answer(t.Context(), token, domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(`{ "x": 1 }`)}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := e.Answer(t.Context(), token, domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(`{"x":2}`)}); !errors.Is(err, domain.ErrOtherAnswer) {
		t.Errorf("another answer: %v", err)
	}
	if err := e.Heartbeat(t.Context(), token); !errors.Is(err, domain.ErrNotWaiting) {
		t.Errorf("heartbeat after the end: %v", err)
	}
}

func TestTooManyCallersAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	stuck, writing := make(chan struct{}), make(chan struct{}, 16)
	slow := &unruly{Store: store, commit: func(ctx context.Context, batch []ports.Change) []error {
		writing <- struct{}{}
		<-stuck
		return store.Commit(ctx, batch)
	}}
	e := newEngine(t, slow, &script{}, func(c *engine.Config, _ *engine.Deps) { c.MaxRequests = 1 })
	begun := make(chan error, 1)
	go func() {
		_, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "a", Input: json.RawMessage(`{"id":"a"}`)})
		begun <- err
	}()
	<-writing
	_, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "b", Input: json.RawMessage(`{"id":"b"}`)})
	if !errors.Is(err, ports.ErrOverloaded) {
		t.Errorf("one caller too many: %v", err)
	}
	close(stuck)
	if err := <-begun; err != nil {
		t.Error(err)
	}
}

func TestOperationsOnWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	e := newEngine(t, memory.New(memory.Config{}), &script{})
	if _, err := e.Cancel(t.Context(), "wf-none", domain.CancelRequest{Reason: "R", InitiatedBy: "ADMIN"}, nil); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("cancel: %v", err)
	}
	if _, err := e.Start(t.Context(), ports.StartRequest{Type: "NONE", Input: json.RawMessage(`{}`)}); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("start: %v", err)
	}
	if _, err := e.Workflow(t.Context(), "wf-none"); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("workflow: %v", err)
	}
}
