package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// publishing is a holding whose events go to a bus.
func publishing(t *testing.T) *holding {
	t.Helper()
	h := newHolding(t)
	h.PublishEvents()
	return h
}

// sequences are the numbers of the events that were given to the bus.
func (w *ledgerWorld) sequences() []int {
	var all []int
	for _, p := range w.published {
		for i := range p.Events {
			all = append(all, p.First+i)
		}
	}
	return all
}

func (h *holding) expectSequences(t *testing.T, want ...int) {
	t.Helper()
	got := h.world.sequences()
	if len(got) != len(want) {
		t.Fatalf("published %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("published %v, want %v", got, want)
		}
	}
}

// adopt gives the workflow to the partition, with its first published events.
func (h *holding) adopt(t *testing.T, published int) {
	t.Helper()
	all := make([]domain.Event, h.state.Version)
	for i := range all {
		all[i] = domain.Event{Type: domain.WorkflowStarted, At: h.now}
	}
	h.Adopt(h.now, h.state, all[published:])
}

func TestWhatWasNotPublishedIsPublishedByWhoeverTakesOver(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 0)
	h.expectSequences(t, 1)
}

func TestWhatWasPublishedIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 1)
	h.expectSequences(t)
}

func TestEventsArePublishedAfterTheirCommitOnly(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 1)
	h.answer("LEFT", domain.Succeeded)
	h.expectSequences(t)
	h.Committed(h.now, heldWorkflow, nil)
	h.expectSequences(t, 2)
}

func TestTheRowSaysWhatHasArrivedAtTheBus(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 0)
	h.answer("LEFT", domain.Succeeded)
	if got := h.world.commits[0].Row.Published; got != 0 {
		t.Errorf("nothing has arrived and the row says %d", got)
	}
	h.Committed(h.now, heldWorkflow, nil)
	h.Emitted(h.now, heldWorkflow, 2)
	h.answer("RIGHT", domain.Succeeded)
	if got := h.world.commits[1].Row.Published; got != 2 {
		t.Errorf("two events have arrived and the row says %d", got)
	}
}

// finish lets both branches succeed.
func (h *holding) finish(t *testing.T) ports.Change {
	t.Helper()
	h.adopt(t, 1)
	for _, step := range []string{"LEFT", "RIGHT"} {
		h.answer(step, domain.Succeeded)
		h.Committed(h.now, heldWorkflow, nil)
	}
	return h.world.commits[len(h.world.commits)-1]
}

func TestAnEndedWorkflowIsOwedUntilItsLastEventHasArrived(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	last := h.finish(t)
	if !last.Owes || last.Keeper != "b" || !last.Row.Status.Terminal() {
		t.Fatalf("the last change owes %t to %q, status %s", last.Owes, last.Keeper, last.Row.Status)
	}
	if h.Held() != 0 || h.Owing() != 1 || len(h.world.settled) != 0 {
		t.Fatalf("held %d, owing %d, settled %v", h.Held(), h.Owing(), h.world.settled)
	}
	h.Emitted(h.now, heldWorkflow, last.Row.Version-1)
	if len(h.world.settled) != 0 {
		t.Fatal("settled before the last event arrived")
	}
	h.Emitted(h.now, heldWorkflow, last.Row.Version)
	if h.Owing() != 0 || len(h.world.settled) != 1 || h.world.settled[0] != (ports.Published{WorkflowID: heldWorkflow, Version: last.Row.Version}) {
		t.Fatalf("owing %d, settled %v", h.Owing(), h.world.settled)
	}
}

func TestADrainingReplicaLeavesWhatIsOwedToOthers(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 1)
	h.answer("LEFT", domain.Succeeded)
	h.Committed(h.now, heldWorkflow, nil)
	h.answer("RIGHT", domain.Succeeded)
	h.Drain()
	h.Committed(h.now, heldWorkflow, nil)
	h2 := publishing(t)
	h2.adopt(t, 1)
	h2.Drain()
	h2.answer("LEFT", domain.Succeeded)
	h2.Committed(h2.now, heldWorkflow, nil)
	h2.expectSequences(t)
}

func TestAnOwedWorkflowIsPublishedAndSettled(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	last := h.finish(t)
	other := publishing(t)
	var events []domain.Event
	for range 2 {
		events = append(events, domain.Event{Type: domain.StepSucceeded, At: h.now})
	}
	h.Emitted(h.now, heldWorkflow, last.Row.Version)
	ended := h.state
	ended.Version, ended.Status = last.Row.Version, last.Row.Status
	other.Owe(other.now, ended, events)
	other.expectSequences(t, ended.Version-1, ended.Version)
	if other.Owing() != 1 {
		t.Fatalf("owing %d", other.Owing())
	}
	other.Emitted(other.now, heldWorkflow, ended.Version)
	if other.Owing() != 0 || len(other.world.settled) != 1 {
		t.Fatalf("owing %d, settled %v", other.Owing(), other.world.settled)
	}
}

// TestWhatEndedHereAndLaterElsewhereIsOwedToo: a replica that still publishes an
// earlier end of a workflow is given the entry of a later one.
func TestWhatEndedHereAndLaterElsewhereIsOwedToo(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	last := h.finish(t)
	offered := len(h.world.sequences())
	ended := h.state
	ended.Version, ended.Status = last.Row.Version, last.Row.Status
	later := ended
	later.Version += 2
	log := make([]domain.Event, later.Version)
	for i := range log {
		log[i] = domain.Event{Type: domain.StepSucceeded, At: h.now}
	}
	h.Owe(h.now, later, log)
	h.Emitted(h.now, heldWorkflow, ended.Version)
	h.Loaded(h.now, heldWorkflow, later, "", log, nil)
	if got := h.world.sequences(); len(got) != offered+2 || got[len(got)-1] != later.Version {
		t.Fatalf("published %v", got)
	}
	h.Emitted(h.now, heldWorkflow, later.Version)
	if n := len(h.world.settled); h.Owing() != 0 || n == 0 || h.world.settled[n-1].Version != later.Version {
		t.Errorf("owing %d, settled %v", h.Owing(), h.world.settled)
	}
}

// TestAnEntryOfWhatIsActiveAgainIsSettled: a replica reopens a workflow while it
// is given the outbox entry of its end.
func TestAnEntryOfWhatIsActiveAgainIsSettled(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	ended := h.state
	for _, step := range []string{"LEFT", "RIGHT"} {
		var err error
		if ended, _, err = domain.Advance(ended, domain.Answer{Moment: domain.Moment{Now: h.now}, CommandID: "saga-1:1:" + step + ":execute", Attempt: 1, Outcome: domain.Succeeded}); err != nil {
			t.Fatal(err)
		}
	}
	log := make([]domain.Event, ended.Version)
	for i := range log {
		log[i] = domain.Event{Type: domain.StepSucceeded, At: h.now}
	}
	h.Handle(h.now, engine.Request{WorkflowID: heldWorkflow, Command: domain.CompensateRequest{Moment: domain.Moment{Now: h.now}, Reason: "R"}})
	h.Loaded(h.now, heldWorkflow, ended, "", log, nil)
	reopened := h.world.commits[0]
	if reopened.Owes || reopened.Row.Status.Terminal() {
		t.Fatalf("reopened as %+v", reopened)
	}
	h.Owe(h.now, ended, log)
	h.Committed(h.now, heldWorkflow, nil)
	h.Emitted(h.now, heldWorkflow, reopened.Row.Version)
	if len(h.world.settled) != 1 || h.world.settled[0].Version != ended.Version {
		t.Errorf("settled %v", h.world.settled)
	}
}

// TestTheEndInDoubtIsLookedAt: a commit without a verdict may have made this
// replica the keeper of what is owed, and nobody else would publish it.
func TestTheEndInDoubtIsLookedAt(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	h.adopt(t, 1)
	h.answer("LEFT", domain.Succeeded)
	h.Committed(h.now, heldWorkflow, nil)
	h.answer("RIGHT", domain.Succeeded)
	last := h.world.commits[len(h.world.commits)-1]
	h.Committed(h.now, heldWorkflow, ports.ErrUnavailable)
	h.now = h.NextWake()
	h.Tick(h.now)
	ended := h.state
	ended.Version, ended.Status = last.Row.Version, last.Row.Status
	h.Loaded(h.now, heldWorkflow, ended, "", h.events(t, last), nil)
	if h.Owing() != 1 {
		t.Fatalf("owing %d: what may be owed was forgotten", h.Owing())
	}
	h.Emitted(h.now, heldWorkflow, last.Row.Version)
	if len(h.world.settled) != 1 {
		t.Fatal("not settled")
	}
}

// neverUndone has an undo that its condition leaves out: a late success ends it again.
const neverUndone = `{"templateId":"tmpl-one","name":"One","type":"ONE","version":"1","steps":[
 {"name":"RIGHT","service":"s","action":"right","retryPolicy":{"maxAttempts":1,"backoffMultiplier":1}}],
 "compensationSteps":[{"name":"UNDO","compensates":"RIGHT","service":"s","action":"undo","condition":"input.undo == true"}]}`

// TestACommitInDoubtMayComeThroughAfterALook: the workflow had ended before, is
// found as it was, and then the late success that was in doubt is in the store.
func TestACommitInDoubtMayComeThroughAfterALook(t *testing.T) {
	t.Parallel()
	h := publishing(t)
	template, err := domain.ParseTemplate([]byte(neverUndone))
	if err != nil {
		t.Fatal(err)
	}
	at := domain.Moment{Now: h.now}
	before, _, err := domain.Advance(domain.New(heldWorkflow, template), domain.Start{Moment: at, SagaID: "saga-1", Input: json.RawMessage(`{"undo":false}`)})
	if err == nil {
		before, _, err = domain.Advance(before, domain.Answer{Moment: at, CommandID: "saga-1:1:RIGHT:execute", Attempt: 1, Outcome: domain.Unknown})
	}
	if err != nil {
		t.Fatal(err)
	}
	if before.Status != domain.Failed {
		t.Fatalf("it is %s", before.Status)
	}
	h.answer("RIGHT", domain.Succeeded)
	h.Loaded(h.now, heldWorkflow, before, "", nil, nil)
	late := h.world.commits[0]
	if !late.Owes || late.Keeper != "b" || late.Row.Status != domain.Failed {
		t.Fatalf("the late success is committed as %+v", late)
	}
	h.Committed(h.now, heldWorkflow, ports.ErrUnavailable)
	h.now = h.NextWake()
	h.Tick(h.now)
	h.Loaded(h.now, heldWorkflow, before, "", nil, nil) // not yet, or never
	h.Committed(h.now, heldWorkflow, ports.ErrConflict) // it came through after all
	after := before
	for _, e := range h.events(t, late) {
		after = domain.Evolve(after, e)
	}
	h.Loaded(h.now, heldWorkflow, after, "", h.events(t, late), nil)
	if h.Owing() != 1 {
		t.Fatalf("owing %d: nobody else publishes what this replica keeps", h.Owing())
	}
	var sequences []int
	for n := before.Version + 1; n <= after.Version; n++ {
		sequences = append(sequences, n)
	}
	h.expectSequences(t, sequences...)
	h.Emitted(h.now, heldWorkflow, after.Version)
	if h.Owing() != 0 || h.world.settled[len(h.world.settled)-1].Version != after.Version {
		t.Errorf("owing %d, settled %v", h.Owing(), h.world.settled)
	}
}

func TestWithoutABusNothingIsOwed(t *testing.T) {
	t.Parallel()
	h := newHolding(t)
	last := h.finish(t)
	h.expectSequences(t)
	if last.Owes || h.Owing() != 0 {
		t.Errorf("owes %t, owing %d", last.Owes, h.Owing())
	}
}

var _ engine.World = (*ledgerWorld)(nil)
