package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Resolution is the precision of all recorded times.
const Resolution = time.Millisecond

// encodeEvents gives the bytes that a store keeps for the events of one change.
func encodeEvents(events []domain.Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, nil
	}
	return json.Marshal(events)
}

// decodeEvents reads all events of a record, in order.
func decodeEvents(batches [][]byte) ([]domain.Event, error) {
	var all []domain.Event
	for _, b := range batches {
		var part []domain.Event
		if len(b) > 0 && b[0] != '[' {
			return nil, fmt.Errorf("stored events: %w", ports.ErrSealed)
		}
		if err := json.Unmarshal(b, &part); err != nil {
			return nil, fmt.Errorf("stored events: %w", err)
		}
		all = append(all, part...)
	}
	return all, nil
}

// hold says who looks after a workflow next.
type hold struct {
	owner  string
	dueAt  time.Time
	wakeAt time.Time
}

// project is the row of a workflow in state s.
func project(s *domain.State, h hold) ports.Row {
	r := ports.Row{
		WorkflowID: s.WorkflowID, SagaID: s.SagaID, Type: s.Template.Type, TemplateHash: s.Template.Hash(),
		BusinessKey: s.BusinessKey, CustomerID: s.CustomerID, Priority: s.Priority,
		Status: s.Status, Saga: s.Saga, CurrentStep: s.CurrentStep(), SettledSteps: s.SettledSteps(), TotalSteps: len(s.Steps),
		ErrorCode: errorCode(s), Metadata: s.Metadata, Version: s.Version, Run: s.Run,
		StartedAt: s.StartedAt, UpdatedAt: s.UpdatedAt, EndedAt: s.EndedAt,
		Owner: h.owner, DueAt: h.dueAt, WakeAt: h.wakeAt,
	}
	if s.Compensation != nil && s.Compensation.Late && !s.Status.Terminal() {
		r.BusinessKey = "" // it may have been used again since the workflow ended
	}
	return r
}

// errorCode is the code of what went wrong last: what parked the workflow,
// what it was compensated for, or what the step that waits for its next
// attempt said.
func errorCode(s *domain.State) string {
	switch {
	case s.Parked != nil && s.Parked.LastError != nil:
		return s.Parked.LastError.Code
	case s.Failure != nil:
		return s.Failure.Error.Code
	}
	for i := range s.Steps {
		if st := &s.Steps[i]; st.Status == domain.StepRetrying && st.Error != nil {
			return st.Error.Code
		}
	}
	return ""
}
