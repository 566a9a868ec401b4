package coordtest

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Now is the time of the server's clock.
func (s *Server) Now() time.Time { return s.clock.Now() }

// Advance moves the clock by d, at least 0, and returns when everything that
// became due on the way has been done, each at its time: retries, timeouts, the
// ends of waits.
func (s *Server) Advance(d time.Duration) {
	s.tb.Helper()
	if d < 0 {
		s.tb.Fatalf("coordtest: Advance by %s: the clock does not run backwards", d)
	}
	s.Rest()
	target := s.clock.Now().Add(d)
	for range maxStops {
		at := earlier(earlier(s.engine.NextTimer(), s.store.next()), s.clock.next())
		if at.IsZero() || at.After(target) {
			at = target
		}
		if now := s.clock.Now(); at.Before(now) {
			at = now
		}
		s.clock.move(at)
		s.look()
		s.Rest()
		if at.Equal(target) {
			return
		}
	}
	s.tb.Fatalf("coordtest: Advance by %s: more than %d things happened on the way", d, maxStops)
}

// look has the engine notice the time.
func (s *Server) look() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	if err := s.engine.Moved(ctx); err != nil {
		s.tb.Fatalf("coordtest: the coordinator does not look at its clock: %v", err)
	}
}

// Rest returns when every workflow has ended or waits: for a participant that
// hangs or answers later, for its time, or for a person.
func (s *Server) Rest() {
	s.tb.Helper()
	// A participant that waits, and one that is to call back, sleeps.
	asleep := func() int { return s.clock.asleep() - s.simulation.Promises() }
	for until := time.Now().Add(patience); !s.engine.Still(asleep); time.Sleep(restPoll) {
		if s.ctx.Err() != nil {
			s.tb.Fatal("coordtest: the server has ended")
		}
		if time.Now().After(until) {
			s.tb.Fatalf("coordtest: the coordinator did not come to rest within %s", patience)
		}
	}
}

// Status is where a workflow stands once everything is at rest. The test fails
// if there is none.
func (s *Server) Status(workflowID string) *coordination.WorkflowStatus {
	s.tb.Helper()
	s.Rest()
	status, err := s.Client().Workflows.GetStatus(s.ctx, workflowID)
	if err != nil {
		s.tb.Fatalf("coordtest: status of %s: %v", workflowID, err)
	}
	return status
}

// Complete gives the answer to a command that was answered with [Accept], as a
// participant does by callback, and returns when what follows is at rest. The
// test fails if the coordinator does not take it.
func (s *Server) Complete(cmd coordination.Command, a Answer) {
	s.tb.Helper()
	if cmd.Callback == nil || a.usual || a.hangs {
		s.tb.Fatal("coordtest: Complete wants a command as it was sent, and an answer")
	}
	if err := s.engine.Answer(s.ctx, cmd.Callback.Token, s.domainAnswer(a.answer)); err != nil {
		s.tb.Fatalf("coordtest: the answer to %s: %v", cmd.CommandID, err)
	}
	s.Rest()
}
