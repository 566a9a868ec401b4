package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestCountsKeepNoTextOfCallers: a reason that is a code is counted by itself,
// any other one with the others.
func TestCountsKeepNoTextOfCallers(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	e := newEngine(t, store, &script{})
	for id, reason := range map[string]string{"a": "RECALL_2026", "b": "Mrs. Doe of 1 Main St called", "c": "called", "d": strings.Repeat("A", 129), "e": ""} {
		done := await(t, e, start(t, e, id).State.WorkflowID)
		if _, err := e.Compensate(t.Context(), done.State.WorkflowID, domain.CompensateRequest{Reason: reason}, nil); err != nil {
			t.Fatal(err)
		}
		if undone := await(t, e, done.State.WorkflowID); undone.State.Status != domain.Cancelled {
			t.Fatalf("it is %s", undone.State.Status)
		}
	}
	now := engine.SystemClock{}.Now()
	list, err := store.Counts(t.Context(), now.Add(-2*time.Hour), now.Add(2*time.Hour), "SIX")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, c := range list {
		if c.Name == ports.CountCompensated {
			got[c.Label] += c.N
		}
	}
	want := map[string]int64{"RECALL_2026": 1, ports.CountedOther: 3, domain.ReasonManual: 1}
	if len(got) != len(want) || !slices.Equal([]int64{got["RECALL_2026"], got[ports.CountedOther], got[domain.ReasonManual]}, []int64{1, 3, 1}) {
		t.Errorf("counted are %v, want %v", got, want)
	}
}
