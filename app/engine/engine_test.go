package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// script is a participant that a test writes: it decides the answer to a
// command, and remembers every command it got.
type script struct {
	mu     sync.Mutex
	answer func(domain.Dispatch) domain.Answer
	got    []domain.Dispatch
}

func (s *script) Send(_ context.Context, cmd domain.Dispatch) domain.Answer {
	s.mu.Lock()
	s.got = append(s.got, cmd)
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return ok(cmd)
	}
	return answer(cmd)
}

func (s *script) Check(context.Context) ports.DependencyHealth {
	return ports.DependencyHealth{Up: true, ResponseTime: time.Millisecond}
}

func (s *script) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, c := range s.got {
		ids = append(ids, c.CommandID)
	}
	return ids
}

func ok(cmd domain.Dispatch) domain.Answer {
	return domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(`{"` + cmd.Step + `":"done"}`)}
}

// sixSteps is a template of six steps with six undos.
func sixSteps(t testing.TB) *domain.Template {
	t.Helper()
	tmpl := map[string]any{"templateId": "tmpl-six", "name": "Six", "type": "SIX", "version": "1", "businessKey": "id"}
	var steps, undos []map[string]any
	for i := 1; i <= 6; i++ {
		steps = append(steps, map[string]any{"name": fmt.Sprintf("S%d", i), "service": "service", "action": "do",
			"parameters": map[string]any{"id": "{{input.id}}"}, "retryPolicy": map[string]any{"maxAttempts": 3, "initialInterval": "PT0.01S", "backoffMultiplier": 1}})
		undos = append(undos, map[string]any{"name": fmt.Sprintf("U%d", i), "compensates": fmt.Sprintf("S%d", i), "service": "service", "action": "undo",
			"retryPolicy": map[string]any{"maxAttempts": 2, "initialInterval": "PT0.01S", "backoffMultiplier": 1}})
	}
	tmpl["steps"], tmpl["compensationSteps"] = steps, undos
	data, err := json.Marshal(tmpl)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := domain.ParseTemplate(data)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func newEngine(t testing.TB, store ports.Store, p ports.Participant, change ...func(*engine.Config, *engine.Deps)) *engine.Engine {
	t.Helper()
	cfg := engine.Config{}
	deps := engine.Deps{Store: store, Participants: map[string]engine.Service{"service": {Participant: p}}, Templates: []*domain.Template{sixSteps(t)}}
	for _, f := range change {
		f(&cfg, &deps)
	}
	e, err := engine.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

func start(t testing.TB, e *engine.Engine, id string) ports.Receipt {
	t.Helper()
	r, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: id, Input: json.RawMessage(`{"id":"` + id + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func await(t testing.TB, e *engine.Engine, id string) ports.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	snap, err := e.Await(ctx, id)
	if err != nil {
		t.Fatalf("%s did not end: %v (%s)", id, err, snap.State.Status)
	}
	return snap
}

func TestAnOrderOfSixStepsCompletes(t *testing.T) {
	t.Parallel()
	p := &script{}
	e := newEngine(t, memory.New(memory.Config{}), p)
	r := start(t, e, "a")
	if r.State.Status != domain.Started || r.State.Version != 1 {
		t.Errorf("acknowledged as %s v%d, want STARTED v1", r.State.Status, r.State.Version)
	}
	snap := await(t, e, r.State.WorkflowID)
	if snap.State.Status != domain.Completed || snap.State.Saga != domain.SagaCompleted || len(snap.Events) != 13 {
		t.Errorf("ended %s %s with %d events, want COMPLETED with 13", snap.State.Status, snap.State.Saga, len(snap.Events))
	}
	if n := len(p.commands()); n != 6 {
		t.Errorf("%d commands were sent, want 6: %v", n, p.commands())
	}
}

func TestARefusedStepIsUndoneInReverseOrder(t *testing.T) {
	t.Parallel()
	p := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S4" {
			return domain.Answer{Outcome: domain.Rejected, Error: &domain.StepError{Code: "NO"}}
		}
		return ok(cmd)
	}}
	e := newEngine(t, memory.New(memory.Config{}), p)
	r := start(t, e, "a")
	snap := await(t, e, r.State.WorkflowID)
	if snap.State.Status != domain.Failed || snap.State.Saga != domain.SagaCompensated {
		t.Errorf("ended %s %s", snap.State.Status, snap.State.Saga)
	}
	want := []string{"S1", "S2", "S3", "S4", "U3", "U2", "U1"}
	var got []string
	for _, c := range p.got {
		got = append(got, c.Step)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestManyIdenticalStartsWithOneKeyAreOneWorkflow(t *testing.T) {
	t.Parallel()
	e := newEngine(t, memory.New(memory.Config{}), &script{})
	const callers = 20
	ids, replayed := make(chan string, callers), atomic.Int64{}
	for range callers {
		go func() {
			r, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "a", Input: json.RawMessage(`{"id":"a"}`),
				Key: &ports.IdempotencyKey{Scope: "scope", Fingerprint: "body"}})
			if err != nil || r.State.Version != 1 {
				t.Errorf("start: %v, version %d", err, r.State.Version)
			}
			if r.Replayed {
				replayed.Add(1)
			}
			ids <- r.State.WorkflowID
		}()
	}
	first := <-ids
	for range callers - 1 {
		if id := <-ids; id != first {
			t.Errorf("two workflows: %s and %s", first, id)
		}
	}
	if replayed.Load() != callers-1 {
		t.Errorf("%d were replays, want %d", replayed.Load(), callers-1)
	}
	_, err := e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "a", Input: json.RawMessage(`{"id":"a"}`),
		Key: &ports.IdempotencyKey{Scope: "scope", Fingerprint: "other body"}})
	if !errors.Is(err, ports.ErrKeyReused) {
		t.Errorf("another body under the key: %v", err)
	}
	var exists *ports.ExistsError
	_, err = e.Start(t.Context(), ports.StartRequest{Type: "SIX", BusinessKey: "a", Input: json.RawMessage(`{"id":"a"}`)})
	if !errors.As(err, &exists) || exists.WorkflowID != first {
		t.Errorf("a second start for the business key: %v", err)
	}
}

func BenchmarkSaga6Memory(b *testing.B) {
	store := memory.New(memory.Config{})
	var wg sync.WaitGroup
	slots := make(chan struct{}, 128)
	e := newEngine(b, store, &script{answer: ok}, func(_ *engine.Config, d *engine.Deps) {
		d.Participants = map[string]engine.Service{"service": {Participant: instant{}, MaxConcurrency: 256}}
		d.Observer = ended(func() {
			<-slots
			wg.Done()
		})
	})
	var n atomic.Int64
	b.ReportAllocs()
	for b.Loop() {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			id := fmt.Sprint("o", n.Add(1))
			if _, err := e.Start(b.Context(), ports.StartRequest{Type: "SIX", BusinessKey: id, Input: json.RawMessage(`{"id":"` + id + `"}`)}); err != nil {
				b.Error(err)
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "workflows/s")
}

// ended is called for every workflow that ends.
type ended func()

func (f ended) Committed(t ports.Transition) {
	if t.After.Status.Terminal() {
		f()
	}
}

func (ended) Wrote([]error, time.Duration) {}

// instant answers at once.
type instant struct{}

func (instant) Send(_ context.Context, cmd domain.Dispatch) domain.Answer { return ok(cmd) }
func (instant) Check(context.Context) ports.DependencyHealth              { return ports.DependencyHealth{Up: true} }
