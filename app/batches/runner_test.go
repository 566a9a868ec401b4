package batches_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/batches"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// request is what a workflow was asked.
type request struct {
	workflow, key string
	actor         ports.Actor
	command       any
	at            time.Time
}

// workflows answer as a test says, and as before to a key that they know.
type workflows struct {
	ports.Workflows
	answer func(ctx context.Context, n int, workflowID string) error // n from 1, of all requests

	mu    sync.Mutex
	asked []request
	done  map[string]int // effects, by workflow
	keys  map[string]bool
}

func newWorkflows() *workflows {
	return &workflows{done: map[string]int{}, keys: map[string]bool{}, answer: func(context.Context, int, string) error { return nil }}
}

func (w *workflows) ask(ctx context.Context, id string, command any, key *ports.IdempotencyKey) (ports.Receipt, error) {
	w.mu.Lock()
	actor, _ := ports.ActorOf(ctx)
	w.asked = append(w.asked, request{id, key.Scope + " " + key.Fingerprint, actor, command, time.Now()})
	n, known := len(w.asked), w.keys[key.Scope]
	w.mu.Unlock()
	if known {
		return ports.Receipt{Replayed: true}, nil
	}
	if err := w.answer(ctx, n, id); err != nil {
		return ports.Receipt{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[key.Scope] = true
	w.done[id]++
	return ports.Receipt{}, nil
}

func (w *workflows) Retry(ctx context.Context, id string, r domain.RetryRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return w.ask(ctx, id, r, key)
}

func (w *workflows) Cancel(ctx context.Context, id string, r domain.CancelRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return w.ask(ctx, id, r, key)
}

func (w *workflows) Compensate(ctx context.Context, id string, r domain.CompensateRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return w.ask(ctx, id, r, key)
}

func (w *workflows) requests() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]request(nil), w.asked...)
}

// once checks that each of n workflows had one effect.
func (w *workflows) once(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		if got := w.done[contracttests.WorkflowID(i)]; got != 1 {
			t.Errorf("workflow %d was changed %d times", i, got)
		}
	}
}

// crew is a store and what runs batches over it, within a bubble.
type crew struct {
	t         *testing.T
	store     *memory.Store
	workflows *workflows
	log       strings.Builder
}

func newCrew(t *testing.T) *crew {
	c := &crew{t: t, store: memory.New(memory.Config{}), workflows: newWorkflows()}
	t.Cleanup(func() { _ = c.store.Close() })
	return c
}

// runner starts one over a store that may be a faulty one.
func (c *crew) runner(store batches.RunnerStore) *batches.Runner {
	c.t.Helper()
	r, err := batches.NewRunner(batches.RunnerConfig{}, batches.RunnerDeps{Store: store, Workflows: c.workflows, Clock: engine.SystemClock{},
		Entropy: engine.SystemEntropy{}, Logger: slog.New(slog.NewTextHandler(&c.log, nil))})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := r.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *crew) close(r *batches.Runner) {
	c.t.Helper()
	if err := r.Close(context.Background()); err != nil {
		c.t.Errorf("close: %v", err)
	}
}

// batch makes one of n workflows.
func (c *crew) batch(n, perSecond int) string {
	return c.make(ports.Batch{ID: "bat-1", Action: ports.BatchRetry, Reason: "OUTAGE", PerSecond: perSecond, CreatedBy: "ada", Role: "admin",
		Request: []byte(`{"request":{"fromStep":"SHIP"}}`), CreatedAt: time.Now()}, n)
}

func (c *crew) make(b ports.Batch, n int) string {
	c.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = contracttests.WorkflowID(i)
	}
	if err := c.store.CreateBatch(c.t.Context(), b, ids, nil); err != nil {
		c.t.Fatal(err)
	}
	return b.ID
}

func (c *crew) stored(id string) ports.Batch {
	c.t.Helper()
	b, err := c.store.Batch(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

func (c *crew) items(id string) []ports.BatchItem {
	c.t.Helper()
	items, err := c.store.BatchItems(c.t.Context(), id, 0, 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	return items
}

func TestABatchIsWorkedOffAtItsRateAndNoFaster(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []int{1, 7, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t)
			n := 3*perSecond + 2
			id, begun := c.batch(n, perSecond), time.Now()
			r := c.runner(c.store)
			time.Sleep(4 * time.Second)
			synctest.Wait()
			c.close(r)
			c.workflows.once(t, n)
			asked := c.workflows.requests()
			if len(asked) != n {
				t.Fatalf("%d a second: %d workflows were asked %d times", perSecond, n, len(asked))
			}
			gap := time.Second / time.Duration(perSecond)
			for i, one := range asked {
				if i > 0 && one.at.Sub(asked[i-1].at) < gap {
					t.Errorf("%d a second: only %s between two", perSecond, one.at.Sub(asked[i-1].at))
				}
				if one.workflow != contracttests.WorkflowID(i) {
					t.Errorf("the %dth is %s", i, one.workflow)
				}
			}
			b := c.stored(id)
			if took := b.EndedAt.Sub(begun); b.Status != ports.BatchCompleted || b.Succeeded != n || took > time.Duration(n)*gap {
				t.Errorf("%d a second: %+v after %s", perSecond, b, took)
			}
		})
	}
}

func TestEachIsAskedOnBehalfOfWhoeverMadeTheBatch(t *testing.T) {
	t.Parallel()
	for action, want := range map[string]struct {
		request, operation string
		command            any
	}{
		ports.BatchRetry:      {`{"fromStep":"SHIP","resetState":true}`, "retryWorkflow", domain.RetryRequest{FromStep: "SHIP", Reset: true}},
		ports.BatchCancel:     {`{"force":true,"reasonDetails":"d"}`, "cancelWorkflow", domain.CancelRequest{Reason: "OUTAGE", InitiatedBy: "ADMIN", ReasonDetails: "d", Force: true}},
		ports.BatchCompensate: {`{"reason":"RECALL","fromStep":"PAY","forceCompensation":true}`, "compensateSaga", domain.CompensateRequest{Reason: "RECALL", FromStep: "PAY", Force: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t)
			c.make(ports.Batch{ID: "bat-9", Action: action, Reason: "OUTAGE", PerSecond: 100, CreatedBy: "ada", Role: "admin",
				Request: []byte(`{"request":` + want.request + `}`)}, 2)
			r := c.runner(c.store)
			time.Sleep(time.Second)
			c.close(r)
			asked := c.workflows.requests()
			if len(asked) != 2 || asked[0].key == asked[1].key {
				t.Fatalf("%s: asked %+v", action, asked)
			}
			actor := ports.Actor{Subject: "ada", Role: "admin", Operation: want.operation, RequestID: "bat-9", Reason: "OUTAGE"}
			if got := asked[0]; got.actor != actor || fmt.Sprintf("%+v", got.command) != fmt.Sprintf("%+v", want.command) {
				t.Errorf("%s: asked %+v\nas    %+v", action, got.command, got.actor)
			}
		})
	}
}

func TestARunnerThatIsWokenBeginsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		r := c.runner(c.store)
		time.Sleep(10 * time.Minute)
		c.batch(1, 1)
		made := time.Now()
		r.Wake()
		synctest.Wait()
		if asked := c.workflows.requests(); len(asked) != 1 || !asked[0].at.Equal(made) {
			t.Errorf("asked %+v, made at %s", asked, made)
		}
		c.close(r)
	})
}

func TestManyBatchesAreUnderWayAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		for i := range ports.MaxRunningBatches {
			c.make(ports.Batch{ID: fmt.Sprint("bat-", i), Action: ports.BatchRetry, PerSecond: 1, Request: []byte(`{}`)}, 10)
		}
		r := c.runner(c.store)
		time.Sleep(11 * time.Second)
		c.close(r)
		for i := range ports.MaxRunningBatches {
			if b := c.stored(fmt.Sprint("bat-", i)); b.Status != ports.BatchCompleted {
				t.Errorf("%+v", b)
			}
		}
	})
}

func TestARefusalIsAResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		refusals := []error{nil, &domain.StateError{Message: "it is COMPLETED"}, ports.ErrNotFound, &domain.StepNameError{Field: "fromStep", Step: "X"},
			errors.New("secret of the store"), ports.ErrSealed}
		c.workflows.answer = func(_ context.Context, _ int, id string) error {
			for i, err := range refusals {
				if id == contracttests.WorkflowID(i) {
					return err
				}
			}
			panic("of a participant's making")
		}
		id := c.batch(len(refusals)+1, 100)
		r := c.runner(c.store)
		time.Sleep(time.Second)
		c.close(r)
		var got []string
		for _, item := range c.items(id) {
			if !item.Done || item.At.IsZero() {
				t.Errorf("without a result: %+v", item)
			}
			got = append(got, fmt.Sprint(item.Succeeded, " ", item.Code, " ", item.Message))
		}
		want := "true   | false INVALID_WORKFLOW_STATE it is COMPLETED | false WORKFLOW_NOT_FOUND there is no such workflow | " +
			"false INVALID_REQUEST fromStep: the workflow has no such step | false INTERNAL_ERROR internal error | false INTERNAL_ERROR internal error | false INTERNAL_ERROR internal error"
		if text := strings.Join(got, " | "); text != want {
			t.Errorf("results are %s\nwant        %s", text, want)
		}
		if b := c.stored(id); b.Status != ports.BatchCompleted || b.Succeeded != 1 || b.Failed != len(refusals) {
			t.Errorf("%+v", b)
		}
	})
}

func TestWhatPassesIsAskedAgainLater(t *testing.T) {
	t.Parallel()
	for _, passing := range []error{ports.ErrOverloaded, ports.ErrUnavailable, ports.ErrConflict, context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrew(t)
			begun := time.Now()
			c.workflows.answer = func(context.Context, int, string) error {
				if time.Since(begun) < time.Minute {
					return fmt.Errorf("asked: %w", passing)
				}
				return nil
			}
			id := c.batch(20, 100)
			r := c.runner(c.store)
			time.Sleep(59 * time.Second)
			if b := c.stored(id); b.Status != ports.BatchRunning || b.Failed+b.Succeeded > 0 {
				t.Errorf("%v failed workflows: %+v", passing, b)
			}
			if n := len(c.workflows.requests()); n > 40 {
				t.Errorf("%v: asked %d times in a minute", passing, n)
			}
			time.Sleep(10 * time.Second)
			c.close(r)
			if b := c.stored(id); b.Status != ports.BatchCompleted || b.Succeeded != 20 {
				t.Errorf("%v: %+v", passing, b)
			}
			c.workflows.once(t, 20)
		})
	}
}

func TestACancelledBatchStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		id := c.batch(1000, 100)
		r := c.runner(c.store)
		time.Sleep(3 * time.Second)
		if _, err := c.store.CancelBatch(t.Context(), id, time.Now(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // what is under way ends
		before := len(c.workflows.requests())
		time.Sleep(time.Minute)
		c.close(r)
		if after := len(c.workflows.requests()); after != before || after > 340 {
			t.Errorf("%d were asked soon after the end, %d later", before, after)
		}
		if b := c.stored(id); b.Status != ports.BatchCancelled || b.Succeeded != before {
			t.Errorf("%d were asked: %+v", before, b)
		}
	})
}
