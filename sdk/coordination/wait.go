package coordination

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Intervals of [WorkflowService.Wait] while it has no stream of events. The
// longest leaves room in the hourly quota of the smallest role.
const (
	minPollInterval = 100 * time.Millisecond
	maxPollInterval = 10 * time.Second
)

// Wait returns the status of a workflow as soon as it has ended, or is PARKED
// and so waits for a person; bound it with ctx. It listens to the events of the
// workflow. Where they cannot be had, it asks for the status at intervals that
// grow to ten seconds.
func (s *WorkflowService) Wait(ctx context.Context, workflowID string) (*WorkflowStatus, error) {
	streams, atOnce := true, false
	for interval := minPollInterval; ; interval = min(interval*3/2, maxPollInterval) {
		status, err := s.GetStatus(ctx, workflowID)
		if err != nil {
			return nil, err
		}
		if status.Status.Terminal() || status.Status == StatusParked {
			return status, nil
		}
		settled, begun := false, time.Now()
		if streams && !atOnce {
			settled, streams = s.untilSettled(ctx, workflowID, status.Saga.Version)
		}
		if time.Since(begun) > maxPollInterval { // it was a good stream
			interval = minPollInterval
		}
		// If the look at once is for nothing, since the status comes from a
		// replica that is behind, the next one is not at once.
		if atOnce = settled; atOnce {
			continue
		}
		if !sleep(ctx, interval) {
			return nil, fmt.Errorf("coordination: wait for workflow: %w", ctx.Err())
		}
	}
}

// untilSettled listens to one stream of the events after the given sequence,
// and reports whether one came after which the status is worth a look, and
// whether it is any use to listen again.
func (s *WorkflowService) untilSettled(ctx context.Context, workflowID string, after int64) (settled, again bool) {
	w := &watch{client: s.client, workflowID: workflowID, last: after, take: func(e RecordedEvent) bool {
		settled = e.Event.Terminal() || e.Event == EventWorkflowParked
		return !settled
	}}
	err := w.stream(ctx)
	return settled || err == nil, err == nil || transient(err) || errors.Is(err, ErrStream)
}
