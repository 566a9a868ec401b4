package service

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestPromisesAreLimited(t *testing.T) {
	t.Parallel()
	action := Action{Do: func(*coordination.Command) (Decision, error) {
		d, err := Succeed("ring", struct{}{})
		return d.After(time.Hour), err
	}}
	s, err := Open(Definition{Name: "bell-service"}, Config{Ledger: filepath.Join(t.TempDir(), "l")})
	if err != nil {
		t.Fatal(err)
	}
	s.promises.Store(maxPromises - 1)
	for i, want := range []coordination.Outcome{coordination.OutcomeAccepted, coordination.OutcomeRetry} {
		c := &coordination.Command{CommandID: string(rune('a' + i)), Direction: coordination.DirectionExecute, Callback: &coordination.Callback{URL: "http://coordinator.test"}}
		if a, err := s.handle(t.Context(), "ring", action, c); err != nil || a.outcome != want {
			t.Errorf("got %s, %v, want %s", a.outcome, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
