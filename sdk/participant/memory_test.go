package participant_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

func TestTheRulesInMemory(t *testing.T) {
	t.Parallel()
	t.Run("again", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		first, second := post(s, "pay", command), post(s, "pay", strings.Replace(command, `"attempt":1`, `"attempt":2`, 1))
		if first.Body.String() != second.Body.String() || s.paid.Load() != 1 {
			t.Errorf("%s, then %s; done %d times", first.Body, second.Body, s.paid.Load())
		}
	})
	t.Run("at the same time", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { is(t, post(s, "pay", command), 200, coordination.OutcomeSucceeded, "") })
		}
		callers.Wait()
		if s.paid.Load() != 1 {
			t.Errorf("done %d times", s.paid.Load())
		}
	})
	t.Run("another request under the key", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		post(s, "pay", command)
		is(t, post(s, "pay", strings.Replace(command, "10.5", "11", 1)), 400, "", participant.CodeKeyReused)
	})
	t.Run("undo after do, twice", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		post(s, "pay", command)
		for range 2 {
			is(t, post(s, "void", undo), 200, coordination.OutcomeSucceeded, "")
		}
		is(t, post(s, "pay", command), 422, coordination.OutcomeRejected, participant.CodeAlreadyCompensated)
		if s.voided.Load() != 1 {
			t.Errorf("undone %d times", s.voided.Load())
		}
	})
	t.Run("undo before do", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		is(t, post(s, "void", undo), 200, coordination.OutcomeSucceeded, "")
		is(t, post(s, "pay", command), 422, coordination.OutcomeRejected, participant.CodeAlreadyCompensated)
		if s.paid.Load() != 0 || s.voided.Load() != 0 {
			t.Errorf("done %d times, undone %d times", s.paid.Load(), s.voided.Load())
		}
	})
	t.Run("undo of what was refused", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, participant.Rejected{Code: "DECLINED"})
		post(s, "pay", command)
		is(t, post(s, "void", undo), 200, coordination.OutcomeSucceeded, "")
		if s.voided.Load() != 0 {
			t.Error("undone")
		}
	})
	t.Run("what was not done may be done later", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, participant.Retry{Code: "BUSY"})
		post(s, "pay", command)
		post(s, "pay", command)
		if s.paid.Load() != 2 {
			t.Errorf("tried %d times", s.paid.Load())
		}
	})
	t.Run("undo of nothing named", func(t *testing.T) {
		t.Parallel()
		s := newPayments(participant.Config{}, paid)
		is(t, post(s, "void", `{"commandId":"k","direction":"COMPENSATE"}`), 400, "", participant.CodeInvalidCommand)
	})
}

// later is a participant whose action and undo are answered later.
func later() (*participant.Participant, *participant.Memory) {
	rules, p := participant.NewMemory(), participant.New("pay", participant.Config{Logger: quiet})
	accept := func(context.Context, *participant.Command) participant.Outcome { return participant.Accepted{} }
	p.Handle("pay", rules.Do(accept))
	p.Handle("void", rules.Undo(accept))
	return p, rules
}

func execution(key string) *participant.Command {
	return &participant.Command{Command: coordination.Command{CommandID: key, Action: "pay", Direction: coordination.DirectionExecute}}
}

func undoOf(forward, key string) *participant.Command {
	return &participant.Command{Command: coordination.Command{CommandID: key, Action: "void", Direction: coordination.DirectionCompensate,
		Forward: &coordination.Forward{CommandID: forward}}}
}

func gives(t *testing.T, p *participant.Participant, c *participant.Command, want coordination.Outcome) {
	t.Helper()
	m, err := p.Reply(c, p.Do(t.Context(), c))
	if err != nil || !strings.HasSuffix(m.ID, "/"+string(want)) {
		t.Errorf("%s: %s (%v), want %s", c.CommandID, m.ID, err, want)
	}
}

func TestPromisesInMemory(t *testing.T) {
	t.Parallel()
	t.Run("kept", func(t *testing.T) {
		t.Parallel()
		p, rules := later()
		gives(t, p, execution("k"), coordination.OutcomeAccepted)
		if rules.Settle(execution("k"), participant.Retry{}) || !rules.Settle(execution("k"), paid) {
			t.Error("only a final outcome settles a promise")
		}
		gives(t, p, execution("k"), coordination.OutcomeSucceeded)
	})
	t.Run("undone", func(t *testing.T) {
		t.Parallel()
		p, rules := later()
		gives(t, p, execution("k"), coordination.OutcomeAccepted)
		gives(t, p, undoOf("k", "u"), coordination.OutcomeAccepted)
		if rules.Settle(execution("k"), paid) {
			t.Error("a promise was kept while it was being undone")
		}
		gives(t, p, execution("k"), coordination.OutcomeRejected)
		if !rules.Settle(undoOf("k", "u"), participant.Rejected{Code: "NO"}) {
			t.Error("an undo that failed was not settled")
		}
		gives(t, p, undoOf("k", "u"), coordination.OutcomeAccepted) // tried again
		if !rules.Settle(undoOf("k", "u"), participant.Succeeded{}) {
			t.Error("an undo was not settled")
		}
		gives(t, p, undoOf("k", "u"), coordination.OutcomeSucceeded)
		gives(t, p, undoOf("k", "u-2"), coordination.OutcomeSucceeded)
	})
	t.Run("of nothing", func(t *testing.T) {
		t.Parallel()
		if _, rules := later(); rules.Settle(execution("k"), paid) {
			t.Error("a command that never came was settled")
		}
	})
	t.Run("settled before the action returns", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			rules, p := participant.NewMemory(), participant.New("pay", participant.Config{Logger: quiet})
			settled := make(chan bool, 1)
			p.Handle("pay", rules.Do(func(_ context.Context, c *participant.Command) participant.Outcome {
				go func() { settled <- rules.Settle(c, paid) }()
				time.Sleep(time.Second)
				return participant.Accepted{}
			}))
			gives(t, p, execution("k"), coordination.OutcomeAccepted)
			if !<-settled {
				t.Error("it was lost")
			}
		})
	})
}

func TestABarrierSpeaksTwoDialects(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Postgres and SQLite only") {
			t.Errorf("a third dialect: %q", text)
		}
	}()
	participant.NewBarrier(nil, participant.SQLite+1)
}
