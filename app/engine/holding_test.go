package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// These tests drive a Partition step by step through what the simulator found:
// the ways in which a replica could hold a workflow and not know it, or know
// less of what was sent than it thought.

const twoBranches = `{"templateId":"tmpl-two","name":"Two","type":"TWO","version":"1","steps":[
 {"name":"LEFT","service":"s","action":"left","after":[],"retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}},
 {"name":"RIGHT","service":"s","action":"right","after":[],"retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}],
 "compensationSteps":[{"name":"UNDO_LEFT","compensates":"LEFT","service":"s","action":"undo_left"}]}`

const heldWorkflow = "wf-01890000-0000-7000-8000-000000000001"

// ledgerWorld writes down what a partition wants to happen.
type ledgerWorld struct {
	loads   int
	commits []ports.Change
	sent    []string

	published []engine.Publication
	settled   []ports.Published
}

func (w *ledgerWorld) Load(string)                  { w.loads++ }
func (w *ledgerWorld) Commit(c ports.Change)        { w.commits = append(w.commits, c) }
func (w *ledgerWorld) Send(cmd domain.Dispatch)     { w.sent = append(w.sent, cmd.Step) }
func (w *ledgerWorld) Changed(ports.Transition)     {}
func (w *ledgerWorld) Publish(p engine.Publication) { w.published = append(w.published, p) }
func (w *ledgerWorld) Settled(d ports.Published)    { w.settled = append(w.settled, d) }
func (w *ledgerWorld) UUID() string                 { return "01890000-0000-7000-8000-0000000000ff" }
func (w *ledgerWorld) Random() uint64               { return 0 }

// holding is a partition of replica "b" and what it wants of the world.
type holding struct {
	*engine.Partition
	world *ledgerWorld
	now   time.Time
	state domain.State // a started workflow with both branches out
}

func newHolding(t *testing.T) *holding {
	t.Helper()
	template, err := domain.ParseTemplate([]byte(twoBranches))
	if err != nil {
		t.Fatal(err)
	}
	h := &holding{world: &ledgerWorld{}, now: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)}
	h.Partition = engine.NewPartition("b", h.world)
	start := domain.At(domain.Start{SagaID: "saga-1", Input: json.RawMessage(`{}`)}, domain.Moment{Now: h.now})
	h.state, _, err = domain.Advance(domain.New(heldWorkflow, template), start)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *holding) answer(step string, outcome domain.Outcome) {
	h.Handle(h.now, engine.Request{WorkflowID: heldWorkflow, Command: domain.Answer{
		CommandID: "saga-1:1:" + step + ":execute", Attempt: 1, Outcome: outcome}})
}

func (h *holding) events(t *testing.T, c ports.Change) []domain.Event {
	t.Helper()
	var events []domain.Event
	if err := json.Unmarshal(c.Events, &events); err != nil {
		t.Fatal(err)
	}
	return events
}

func (h *holding) expectSent(t *testing.T, steps ...string) {
	t.Helper()
	if !slices.Equal(h.world.sent, steps) {
		t.Errorf("sent %v, want %v", h.world.sent, steps)
	}
}

func TestTakingOverByARequestSendsWhatIsUnanswered(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	h.answer("LEFT", domain.Succeeded) // to a replica that does not hold it
	h.Loaded(h.now, heldWorkflow, h.state, "a", nil, nil)
	if len(h.world.commits) != 1 || h.world.commits[0].Holder != "a" || h.world.commits[0].Row.Owner != "b" {
		t.Fatalf("commits %+v", h.world.commits)
	}
	h.Committed(h.now, heldWorkflow, nil)
	h.expectSent(t, "RIGHT")

	// "a" may have had RIGHT delivered too: that our delivery did nothing leaves doubt.
	h.answer("RIGHT", domain.Retry)
	gaveUp := h.events(t, h.world.commits[1])[0]
	if gaveUp.Type != domain.StepGaveUp || gaveUp.Outcome != domain.Unknown {
		t.Errorf("recorded %s %s", gaveUp.Type, gaveUp.Outcome)
	}
}

func TestWhoKeepsAWorkflowDoesNotSendAgain(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	h.Adopt(h.now, h.state, nil)
	h.expectSent(t, "LEFT", "RIGHT")
	h.answer("LEFT", domain.Succeeded)
	h.Committed(h.now, heldWorkflow, ports.ErrUnavailable)
	h.now = h.NextWake()
	h.Tick(h.now)
	h.Loaded(h.now, heldWorkflow, h.state, "b", nil, nil)
	h.expectSent(t, "LEFT", "RIGHT")
	if len(h.world.commits) != 2 {
		t.Errorf("the answer was not written again: %d commits", len(h.world.commits))
	}
}

func TestAClaimThatArrivesDuringALoadIsNotForgotten(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	h.Handle(h.now, engine.Request{WorkflowID: heldWorkflow, Command: domain.Heartbeat{CommandID: "none"}})
	h.Adopt(h.now, h.state, nil)                         // claimed after the read that is under way
	h.Loaded(h.now, heldWorkflow, h.state, "", nil, nil) // which saw it unheld
	if h.world.loads != 2 {
		t.Fatalf("%d loads: what was read before the claim was believed", h.world.loads)
	}
	h.Loaded(h.now, heldWorkflow, h.state, "b", nil, nil)
	h.expectSent(t, "LEFT", "RIGHT")
}

func TestACommitThatLandsAfterItsErrorIsFound(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	h.answer("LEFT", domain.Succeeded)
	h.Loaded(h.now, heldWorkflow, h.state, "", nil, nil)
	committed := h.world.commits[0]
	h.Committed(h.now, heldWorkflow, fmt.Errorf("%w: cut off", ports.ErrUnavailable))
	landed := domain.Fold(h.state, h.events(t, committed))
	for range 3 { // nothing yet; the answer is decided again and refused meanwhile
		h.now = h.NextWake()
		h.Tick(h.now)
		h.Loaded(h.now, heldWorkflow, h.state, "", nil, nil)
		h.Committed(h.now, heldWorkflow, ports.ErrUnavailable)
	}
	h.now = h.NextWake()
	h.Tick(h.now)
	h.Loaded(h.now, heldWorkflow, landed, "b", nil, nil)
	h.expectSent(t, "RIGHT")
}

func TestAnAdoptedWorkflowThatIsParkedIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	for _, step := range []string{"LEFT", "RIGHT"} {
		answer := domain.At(domain.Answer{CommandID: "saga-1:1:" + step + ":execute", Outcome: domain.ContractError}, domain.Moment{Now: h.now})
		next, _, err := domain.Advance(h.state, answer)
		if err != nil {
			t.Fatal(err)
		}
		h.state = next
	}
	if h.state.Status != domain.Parked || !h.state.WakeAt().IsZero() {
		t.Fatalf("%s until %s", h.state.Status, h.state.WakeAt())
	}
	h.Adopt(h.now, h.state, nil)
	if len(h.world.commits) != 1 || h.world.commits[0].Row.Owner != "" || len(h.world.commits[0].Events) > 0 {
		t.Fatalf("commits %+v", h.world.commits)
	}
	h.Committed(h.now, heldWorkflow, nil)
	if h.Held() != 0 {
		t.Error("it is still in memory")
	}
}

func TestADrainingReplicaLetsNothingTimeOut(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	h.Adopt(h.now, h.state, nil)
	h.Drain()
	h.Tick(h.now.Add(time.Hour))
	if len(h.world.commits) != 0 {
		t.Errorf("commits %+v", h.world.commits)
	}
}
