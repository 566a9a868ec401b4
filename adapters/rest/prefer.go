package rest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// MaxWait is the longest that a request waits for the end of its workflow.
	MaxWait = 60 * time.Second
	// checkInterval is how soon a failed compensation ends a wait.
	checkInterval = time.Second
	// writeGrace is how long a response may take to be written.
	writeGrace = 30 * time.Second
)

// Preference is the header by which a caller asks to wait.
type Preference struct {
	Prefer string `header:"Prefer" doc:"wait=N: answer when the workflow has ended, after N seconds (at most 60) at the latest" example:"wait=10" maxLength:"1024"`
}

// wait is how long the caller wants to wait; zero if it does not. What cannot
// be understood is ignored, as RFC 7240 has it.
func (p *Preference) wait() time.Duration {
	for preference := range strings.SplitSeq(p.Prefer, ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 16)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, MaxWait)
	}
	return 0
}

// Mutated is the answer to a start, cancel, retry or compensate.
type Mutated struct {
	Status            int
	Replayed          string `header:"Idempotency-Replayed" doc:"true if an earlier request with the same key had this effect"`
	PreferenceApplied string `header:"Preference-Applied" doc:"The wait that was honoured; then the body is the final status"`
	Body              any
}

// mutated renders a mutation: as it was right after it took effect or, where
// the caller waits and the workflow ends in time, as it ended.
func (s *service) mutated(ctx context.Context, status int, r ports.Receipt, prefer *Preference, render func(*domain.State) any) (*Mutated, error) {
	answer := &Mutated{Status: status, Replayed: replayed(r.Replayed)}
	if wait := prefer.wait(); wait > 0 {
		applied := "wait=" + strconv.Itoa(int(wait/time.Second))
		end, ended := s.awaitEnd(ctx, r.State.WorkflowID, wait)
		if failure := outcomeError(&end.State); ended && failure != nil {
			if r.Replayed {
				failure.with(headerReplayed, "true")
			}
			return nil, failure.with(headerPreferenceApplied, applied)
		}
		if ended {
			answer.PreferenceApplied, answer.Body = applied, workflowStatus(&end)
			return answer, nil
		}
	}
	answer.Body = render(&r.State)
	return answer, nil
}

// awaitEnd waits until a workflow has ended or its compensation has failed; it
// reports whether that was within the wait. Where too many wait already it does
// not: waiting is a preference.
func (s *service) awaitEnd(ctx context.Context, id string, wait time.Duration) (ports.Snapshot, bool) {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > MaxWaiting {
		return ports.Snapshot{}, false
	}
	exchangeOf(ctx).leave()
	deadline := time.Now().Add(wait)
	exchangeOf(ctx).writeBy(deadline.Add(writeGrace))
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for ctx.Err() == nil {
		slice, stop := context.WithTimeout(ctx, checkInterval)
		end, err := s.Queries.Await(slice, id)
		stop()
		if err == nil {
			return end, true
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		end, err = s.Queries.Workflow(ctx, id)
		if err == nil && (end.State.Status.Terminal() || end.State.Saga == domain.SagaCompensationFailed) {
			return end, true
		}
	}
	return ports.Snapshot{}, false
}

// outcomeError is the error of a workflow that did not end well; nil if it did.
func outcomeError(s *domain.State) *apiError {
	details := coordination.FailureDetails{WorkflowID: s.WorkflowID, CompensationTriggered: s.Compensation != nil}
	switch {
	case s.Saga == domain.SagaCompensationFailed && s.Parked != nil:
		details.FailedStep, details.StepError = s.Parked.Step, errorText(s.Parked.LastError)
		return newError(coordination.ErrCompensationFailed, "Compensation failed at step "+s.Parked.Step, details)
	case s.Status != domain.Failed:
		return nil
	case s.Failure == nil:
		return newError(coordination.ErrWorkflowExecutionFailed, "Workflow failed", details)
	}
	details.FailedStep, details.StepError = s.Failure.Step, errorText(&s.Failure.Error)
	if s.Failure.Error.Code == domain.CodeWorkflowTimeout {
		return newError(coordination.ErrTimeoutExceeded, "Workflow did not finish before its deadline", details)
	}
	return newError(coordination.ErrWorkflowExecutionFailed, "Workflow failed at step "+s.Failure.Step, details)
}

// errorText is what a participant said, or its code where it said nothing.
func errorText(e *domain.StepError) string {
	switch {
	case e == nil:
		return ""
	case e.Message != "":
		return e.Message
	}
	return e.Code
}
