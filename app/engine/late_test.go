package engine_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/domain"
)

func TestASuccessAfterTheEndIsUndoneOnceMore(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 3)
	p := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S2" {
			tokens <- cmd.Token
			return domain.Answer{Outcome: domain.Unknown}
		}
		return ok(cmd)
	}}
	e := newEngine(t, memory.New(memory.Config{}), p)
	id := start(t, e, "a").State.WorkflowID
	token := <-tokens
	if snap := await(t, e, id); snap.State.Status != domain.Failed {
		t.Fatalf("ended %s", snap.State.Status)
	}
	late := domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(`{"x":1}`)}
	if err := e.Answer(t.Context(), token, late); !errors.Is(err, domain.ErrNotWaiting) {
		t.Errorf("late success: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		snap, err := e.Workflow(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if snap.State.Run == 2 && snap.State.Status == domain.Failed {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("run %d is %s", snap.State.Run, snap.State.Status)
		}
	}
	if !slices.ContainsFunc(p.commands(), func(id string) bool { return strings.HasSuffix(id, ":1:U2:compensate-2") }) {
		t.Errorf("the undo was not sent again: %v", p.commands())
	}
}
