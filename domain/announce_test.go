package domain

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// told plays a scenario and gives what subscribers of everything hear.
func told(t *testing.T, scenario string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/scenarios/" + scenario + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	p := playScenario(t, string(text))
	var heard []string
	for i := range p.events {
		if name := p.events[i].Announced(p.s.Template); name != "" {
			heard = append(heard, string(name))
		}
	}
	return heard
}

func TestWhatSubscribersAreTold(t *testing.T) {
	t.Parallel()
	for scenario, want := range map[string][]string{
		"completes": {
			"workflow.started", "workflow.step.completed", "workflow.step.completed", "workflow.step.completed", "workflow.step.completed",
			"workflow.step.completed", "workflow.completed",
		},
		// The hook that fails in the first run, and its success, change nothing and are not told.
		"declined": {
			"workflow.started", "workflow.step.completed", "workflow.step.failed", "saga.compensating", "saga.compensated", "workflow.failed",
			"workflow.step.completed",
		},
		"undo_fails": {
			"workflow.started", "workflow.step.completed", "workflow.step.completed", "workflow.step.failed", "saga.compensating",
			"saga.compensation.failed", "workflow.parked", "saga.compensated", "workflow.failed",
		},
	} {
		if got := told(t, scenario); !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", scenario, got, want)
		}
	}
}

func TestWhatIsToldOnlyToThoseWhoAsk(t *testing.T) {
	t.Parallel()
	all, byDefault := Announcements(false), Announcements(true)
	if len(all) != 10 || len(byDefault) != 7 {
		t.Fatalf("%d announcements, %d of them by default", len(all), len(byDefault))
	}
	for _, name := range []Announcement{AnnounceStepFailed, AnnounceParked, AnnounceCompensationFailed} {
		if !slices.Contains(all, name) || slices.Contains(byDefault, name) {
			t.Errorf("%s is told by default, or not at all", name)
		}
	}
}

// TestNextStepIsTheOneThatStarts compares it with what the logs of all
// scenarios say happened next, in the same commit.
func TestNextStepIsTheOneThatStarts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	compared := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := playScenario(t, string(text))
		s := New(p.s.WorkflowID, p.s.Template)
		for i, e := range p.events {
			before := s
			s = Evolve(s, e)
			if e.Type != StepSucceeded {
				continue
			}
			compared++
			want := ""
			for _, later := range p.events[i+1:] {
				if later.Type != StepStarted && later.Type != StepPassedOver || !later.At.Equal(e.At) {
					break
				}
				if later.Type == StepStarted && s.Steps[s.Template.graph.index[later.Step]].Status == StepPending {
					want = later.Step
					break
				}
			}
			if got := s.NextStep(); got != want {
				t.Errorf("%s: after %s of %s (%s) comes %q, not %q", file, e.Type, e.Step, before.Status, want, got)
			}
		}
	}
	if compared < 30 {
		t.Errorf("only %d steps compared", compared)
	}
}
