package service_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestTheSameKeyHasOneEffectAndOneAnswer(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.send("ring", execute("k"))
	s.succeeds(first)
	s.same(first, s.send("ring", execute("k").with("attempt", 2)))
	s.restart()
	s.same(first, s.send("ring", execute("k").with("attempt", 3)))
	s.effects("ring")
}

func TestParallelDuplicatesHaveOneEffectAndOneAnswer(t *testing.T) {
	t.Parallel()
	const callers = 32
	s := start(t)
	var all sync.WaitGroup
	var answers [callers]answer
	for i := range callers {
		all.Go(func() { answers[i] = s.send("ring", execute("k")) })
	}
	all.Wait()
	for _, a := range answers {
		s.succeeds(a)
		s.same(answers[0], a)
	}
	s.effects("ring")
}

func TestAnotherRequestUnderTheSameKeyIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.send("ring", execute("k"))
	loud := map[string]any{"volume": 11}
	for range 2 {
		s.want(s.send("ring", execute("k").with("parameters", loud)), "", 400, service.CodeKeyReused)
		s.want(s.send("later", execute("k")), "", 400, service.CodeKeyReused)
		s.want(s.send("silence", compensate("k", "another")), "", 400, service.CodeKeyReused)
		s.same(first, s.send("ring", execute("k")))
		s.restart()
	}
	s.effects("ring")
}

func TestParametersAreComparedAsValues(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := func(parameters string) []byte {
		return []byte(`{"commandId":"k","direction":"EXECUTE","parameters":` + parameters + `}`)
	}
	first := s.post("ring", body(`{"volume":3,"note":{"a":1.50,"b":[1,2]}}`), nil)
	s.succeeds(first)
	s.same(first, s.post("ring", body(` { "note" : {"b": [1, 2], "a":1.50}, "volume":3}`), nil))
	s.want(s.post("ring", body(`{"volume":3,"note":{"a":1.50,"b":[2,1]}}`), nil), "", 400, service.CodeKeyReused)
	s.effects("ring")
}

func TestAnUndoBeforeItsExecutionForbidsIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	undo := s.send("silence", compensate("u", "k"))
	s.succeeds(undo)
	s.want(s.send("ring", execute("k")), coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
	s.restart()
	s.want(s.send("ring", execute("k")), coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
	s.same(undo, s.send("silence", compensate("u", "k")))
	s.succeeds(s.send("silence", compensate("u:compensate-2", "k")))
	s.effects()
	if e := s.entries()[0]; e.Kind != ledger.Tombstone || e.Forward != "k" {
		t.Errorf("first entry %+v, want a tombstone for k", e)
	}
}

func TestAnExecutionIsUndoneOnceUnderWhicheverKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k")))
	first := s.send("silence", compensate("u", "k"))
	s.succeeds(first)
	s.same(first, s.send("silence", compensate("u", "k")))
	s.same(first, s.send("silence", compensate("u:compensate-2", "k")))
	s.restart()
	s.same(first, s.send("silence", compensate("u", "k")))
	s.same(first, s.send("silence", compensate("u:compensate-3", "k")))
	s.effects("ring", "silence")
}

func TestAnExecutionThatWasUndoneIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k")))
	s.succeeds(s.send("silence", compensate("u", "k")))
	for range 2 {
		s.want(s.send("ring", execute("k")), coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
		s.restart()
	}
	s.effects("ring", "silence")
}

func TestAnUndoFindsItsExecutionByKeyNotByParameters(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k")))
	undo := s.send("silence", compensate("u", "k").with("parameters", map[string]any{"volume": 99}))
	if want := `{"outcome":"SUCCEEDED","result":{"rang":{"volume":3}}}`; undo.body != want {
		t.Errorf("got %s, want %s", undo.body, want)
	}
	// The coordinator has learned the result meanwhile: still the same undo.
	s.same(undo, s.send("silence", compensate("u", "k").with("parameters", map[string]any{"volume": 3})))
	s.effects("ring", "silence")
}

func TestTheKeyOfAnUndoBelongsToOneExecution(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k1")))
	s.succeeds(s.send("ring", execute("k2")))
	s.succeeds(s.send("silence", compensate("u", "k2")))
	s.want(s.send("silence", compensate("u", "k1")), "", 400, service.CodeKeyReused)
	s.effects("ring", "ring", "silence")
}

func TestThereIsNothingToUndoAfterARejection(t *testing.T) {
	t.Parallel()
	s := start(t)
	no := map[string]any{"behave": "reject"}
	first := s.send("ring", execute("k").with("parameters", no))
	s.want(first, coordination.OutcomeRejected, 422, "TOO_LATE_AT_NIGHT")
	s.restart()
	s.same(first, s.send("ring", execute("k").with("parameters", no)))
	s.succeeds(s.send("silence", compensate("u", "k")))
	s.effects()
}

func TestAnUndoThatIsRejectedLeavesTheEffect(t *testing.T) {
	t.Parallel()
	s := start(t)
	rusty := map[string]any{"behave": "rusty"}
	first := s.send("ring", execute("k").with("parameters", rusty))
	for range 2 {
		s.want(s.send("silence", compensate("u", "k")), coordination.OutcomeRejected, 422, "RUSTY")
		s.want(s.send("silence", compensate("u:compensate-2", "k")), coordination.OutcomeRejected, 422, "RUSTY")
		s.same(first, s.send("ring", execute("k").with("parameters", rusty)))
		s.restart()
	}
	s.effects("ring")
}

// Whichever comes first, in the end nothing is in effect.
func TestDoingAndUndoingAtTheSameTime(t *testing.T) {
	t.Parallel()
	const rounds = 100
	s := start(t, func(c *service.Config) { c.NoSync = true })
	for i := range rounds {
		key := fmt.Sprint("k", i)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if a := s.send("ring", execute(key)); a.Outcome == coordination.OutcomeRejected {
					s.want(a, coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
				}
			})
		}
		for n := range 2 {
			both.Go(func() { s.succeeds(s.send("silence", compensate(fmt.Sprint("u", n, key), key))) })
		}
		both.Wait()
		s.want(s.send("ring", execute(key)), coordination.OutcomeRejected, 422, service.CodeAlreadyCompensated)
	}
	balance := map[string]int{}
	for _, e := range s.entries() {
		if e.Kind == ledger.Effect {
			balance[e.Effect]++
		}
	}
	if balance["ring"] != balance["silence"] {
		t.Errorf("effects %v: something is left over", balance)
	}
	for _, f := range ledger.Check(s.entries()) {
		t.Error(f)
	}
}

func TestRetryIsNeverRemembered(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.send("ring", execute("k").with("parameters", map[string]any{"behave": "retry"}))
	s.want(a, coordination.OutcomeRetry, 503, "OUT_OF_BREATH")
	if after := a.header.Get("Retry-After"); after != "2" || a.RetryAfter.String() != "PT1.5S" {
		t.Errorf("Retry-After %s, retryAfter %s", after, a.RetryAfter)
	}
	if n := len(s.entries()); n != 0 {
		t.Errorf("%d entries", n)
	}
	s.succeeds(s.send("ring", execute("k")))
	s.effects("ring")
}

func TestNothingHappensAfterTheDeadline(t *testing.T) {
	t.Parallel()
	s := start(t)
	past, future := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	s.want(s.send("ring", execute("k").with("deadline", past)), coordination.OutcomeRetry, 503, service.CodeDeadlinePassed)
	s.want(s.send("silence", compensate("u", "k").with("deadline", past)), coordination.OutcomeRetry, 503, service.CodeDeadlinePassed)
	if n := len(s.entries()); n != 0 {
		t.Errorf("%d entries", n)
	}
	first := s.send("ring", execute("k").with("deadline", future))
	s.succeeds(first)
	// What is known can be said at any time.
	s.same(first, s.send("ring", execute("k").with("deadline", past)))
	s.effects("ring")
}

func TestAHookMayBePartOfACompensation(t *testing.T) {
	t.Parallel()
	s := start(t)
	hook := execute("h").with("direction", "COMPENSATE")
	first := s.send("apologise", hook)
	s.succeeds(first)
	s.same(first, s.send("apologise", hook))
	s.succeeds(s.send("apologise", execute("h2")))
	s.effects("ring", "ring")
}

func TestTheLedgerTellsTheStory(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.succeeds(s.send("ring", execute("k")))
	s.succeeds(s.send("silence", compensate("u", "k")))
	e := s.entries()[1]
	if e.Time.IsZero() || e.Fingerprint == "" {
		t.Errorf("no time or fingerprint: %+v", e)
	}
	got := strings.Join([]string{e.CommandID, e.WorkflowID, e.Service, e.Step, e.Action, e.Direction, e.Effect, e.Forward, e.Outcome}, " ")
	if want := "u wf-1 bell-service SILENCE silence COMPENSATE silence k SUCCEEDED"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIDsAreDerivedFromTheKey(t *testing.T) {
	t.Parallel()
	a := service.ID("res-", "k")
	if a != service.ID("res-", "k") || a == service.ID("res-", "l") || a[4:] == service.ID("pay-", "k")[4:] {
		t.Error("not a function of prefix and key")
	}
	if len(a) != len("res-")+36 || a[18] != '8' {
		t.Errorf("%s is no prefixed UUID of version 8", a)
	}
}
