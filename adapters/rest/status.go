package rest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// maxStatusEvents bounds the log within a status; the rest is in the history.
const maxStatusEvents = 500

// startedWorkflow is the answer to a start.
func startedWorkflow(s *domain.State) *coordination.StartedWorkflow {
	w := &coordination.StartedWorkflow{
		WorkflowID: s.WorkflowID, WorkflowType: s.Template.Type, Status: coordination.Status(s.Status),
		CustomerID: s.CustomerID, CurrentStep: s.CurrentStep(), EstimatedCompletion: estimatedEnd(s),
		Steps: make(coordination.List[coordination.Step], 0, len(s.Steps)),
		Saga: coordination.StartedSaga{SagaID: s.SagaID, State: coordination.SagaState(s.Saga),
			CompensationPlan: compensationNames(s.Template)},
		Timeline:  coordination.Timeline{Started: coordination.At(s.StartedAt), LastUpdate: coordination.At(s.UpdatedAt)},
		CreatedAt: coordination.At(s.StartedAt),
	}
	for i := range s.Steps {
		w.Steps = append(w.Steps, startedStep(s, i))
	}
	nameBusiness(w, s)
	return w
}

// nameBusiness shows the business object under the names its template gives it.
func nameBusiness(w *coordination.StartedWorkflow, s *domain.State) {
	switch s.Template.BusinessKey {
	case "orderId":
		w.OrderID = s.BusinessKey
	case "returnId":
		w.ReturnID, w.OriginalOrderID = s.BusinessKey, inputText(s, "originalOrderId")
	case "replenishmentId":
		w.ReplenishmentID, w.WarehouseID, w.SupplierID = s.BusinessKey, inputText(s, "warehouseId"), inputText(s, "supplierId")
	default:
		w.BusinessKey = s.BusinessKey
	}
}

func inputText(s *domain.State, member string) string {
	var text string
	raw, _ := domain.LookupPath(s.Input, []string{member})
	_ = json.Unmarshal(raw, &text) // absent or no text: not shown
	return text
}

// startedStep is a step as the answer to a start shows it: with its estimate
// rather than with what became of it.
func startedStep(s *domain.State, i int) coordination.Step {
	st, def := &s.Steps[i], &s.Template.Steps[i]
	step := coordination.Step{Name: def.Name, Status: coordination.StepStatus(st.Status), Description: def.Description}
	if st.InFlight() {
		step.StartedAt, step.EstimatedDuration = coordination.At(st.StartedAt), coordination.Duration(def.EstimatedDuration)
		step.Attributes = def.Attributes
	}
	return step
}

// compensationNames are the undos of a template in forward order, without the
// hook, which undoes nothing.
func compensationNames(t *domain.Template) []string {
	names := make([]string, 0, len(t.Compensations))
	for i := range t.Compensations {
		if t.Compensations[i].Compensates != "" {
			names = append(names, t.Compensations[i].Name)
		}
	}
	return names
}

// estimatedEnd is when the workflow should end: absent once it has, and while
// nothing can be said.
func estimatedEnd(s *domain.State) coordination.Time {
	if s.Status.Terminal() || s.Parked != nil {
		return coordination.Time{}
	}
	begun, left := s.StartedAt, estimatedDuration(s.Template)
	if s.Saga == domain.SagaCompensating && s.Compensation != nil {
		begun, left = s.Compensation.StartedAt, time.Duration(compensationTime(s.Plan()))
	} else if s.ResumedAt.After(begun) {
		begun = s.ResumedAt
	}
	return coordination.At(begun.Add(left))
}

// estimatedDuration is how long the forward part of a template should take.
func estimatedDuration(t *domain.Template) time.Duration {
	var sum time.Duration
	for i := range t.Steps {
		sum += time.Duration(t.Steps[i].EstimatedDuration)
	}
	return sum
}

// shown is a workflow without what is sensitive in it.
func shown(s *domain.State) *domain.State {
	redacted := s.Redacted()
	return &redacted
}

// workflowStatus is the status document.
func workflowStatus(snap *ports.Snapshot) *coordination.WorkflowStatus {
	s := shown(&snap.State)
	w := &coordination.WorkflowStatus{
		WorkflowID: s.WorkflowID, WorkflowType: s.Template.Type, Status: coordination.Status(s.Status), CurrentStep: s.CurrentStep(),
		Progress: progressOf(s.SettledSteps(), len(s.Steps)),
		Steps:    make(coordination.List[coordination.Step], 0, len(s.Steps)),
		Saga: coordination.SagaSummary{SagaID: s.SagaID, State: coordination.SagaState(s.Saga), Version: int64(s.Version),
			CompensationExecuted: executedUndos(s)},
		Parked: parkedState(s), Metadata: s.Metadata, Events: statusEvents(snap),
		EstimatedCompletion: estimatedEnd(s), CompletedAt: coordination.At(s.EndedAt),
		CreatedAt: coordination.At(s.StartedAt), UpdatedAt: coordination.At(s.UpdatedAt),
	}
	for i := range s.Steps {
		w.Steps = append(w.Steps, statusStep(s, i))
	}
	return w
}

func progressOf(done, total int) coordination.Progress {
	return coordination.Progress{CompletedSteps: done, TotalSteps: total, Percentage: coordination.PercentOf(int64(done), int64(total))}
}

// statusStep is a step and what became of it so far.
func statusStep(s *domain.State, i int) coordination.Step {
	st, def := &s.Steps[i], &s.Template.Steps[i]
	step := coordination.Step{Name: def.Name, Status: coordination.StepStatus(st.Status), Description: def.Description,
		StartedAt: coordination.At(st.StartedAt), CompletedAt: coordination.At(st.CompletedAt), Result: st.Result, Error: stepError(st.Error)}
	if st.Status == domain.StepPending {
		return step
	}
	step.Attributes = def.Attributes
	if !st.CompletedAt.IsZero() && !st.StartedAt.IsZero() {
		took := coordination.Duration(st.CompletedAt.Sub(st.StartedAt))
		step.Duration = &took // shown even if it is none
	}
	if st.InFlight() {
		step.EstimatedCompletion = coordination.At(st.StartedAt.Add(time.Duration(def.EstimatedDuration)))
	}
	if st.Status != domain.StepCompleted || st.Attempt > 1 {
		step.Attempts = st.Attempt
	}
	return step
}

func stepError(e *domain.StepError) *coordination.StepError {
	if e == nil {
		return nil
	}
	return &coordination.StepError{Code: e.Code, Message: e.Message}
}

// executedUndos are the compensation steps that are done, oldest first.
func executedUndos(s *domain.State) []coordination.CompletedStep {
	return completed(s.Undos, func(i int) string { return s.Template.Compensations[i].Name })
}

// completed are the commands that have succeeded, in the order in which they did.
func completed(list []domain.StepState, name func(int) string) []coordination.CompletedStep {
	order := make([]int, 0, len(list))
	for i := range list {
		if list[i].Status == domain.StepCompleted {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return list[a].DoneSeq - list[b].DoneSeq })
	steps := make([]coordination.CompletedStep, 0, len(order))
	for _, i := range order {
		steps = append(steps, coordination.CompletedStep{Step: name(i), CompletedAt: coordination.At(list[i].CompletedAt), Result: list[i].Result})
	}
	return steps
}

func parkedState(s *domain.State) *coordination.Parked {
	if s.Parked == nil {
		return nil
	}
	actions := make([]coordination.Action, 0, len(s.AllowedActions()))
	for _, a := range s.AllowedActions() {
		actions = append(actions, coordination.Action(a))
	}
	return &coordination.Parked{Reason: coordination.ParkReason(s.Parked.Reason), Step: s.Parked.Step, LastError: stepError(s.Parked.LastError),
		Since: coordination.At(s.Parked.Since), Until: coordination.At(s.Parked.Until), AllowedActions: actions}
}

func statusEvents(snap *ports.Snapshot) []coordination.Event {
	events := snap.Events[max(0, len(snap.Events)-maxStatusEvents):]
	list := make([]coordination.Event, 0, len(events))
	for i := range events {
		e := &events[i]
		list = append(list, coordination.Event{Timestamp: coordination.At(e.At), Event: coordination.EventName(e.Type), Step: e.Step,
			Details: wire.Details(snap.State.Template, e)})
	}
	return list
}
