package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// SagaPath names a saga in a path.
type SagaPath struct {
	SagaID string `path:"sagaId" doc:"Saga identifier, with or without its prefix" example:"saga-770e8400-e29b-41d4-a716-446655440000"`
}

// SagaOutput is a saga.
type SagaOutput struct {
	Body *coordination.Saga
}

func (s *service) saga(ctx context.Context, text string) (ports.Snapshot, error) {
	id, err := sagaID(text)
	if err != nil {
		return ports.Snapshot{}, err
	}
	snap, err := s.Queries.Saga(ctx, id)
	return snap, isNotFound(err, coordination.ErrSagaNotFound, "saga")
}

func (s *service) getSaga(ctx context.Context, in *SagaPath) (*SagaOutput, error) {
	snap, err := s.saga(ctx, in.SagaID)
	if err != nil {
		return nil, err
	}
	body, err := sagaDetails(&snap)
	return &SagaOutput{body}, err
}

// sagaDetails is a workflow as its saga shows it.
func sagaDetails(snap *ports.Snapshot) (*coordination.Saga, error) {
	s := shown(&snap.State)
	context, err := json.Marshal(s.Context())
	if err != nil {
		return nil, err
	}
	return &coordination.Saga{
		SagaID: s.SagaID, SagaType: s.Template.Type + "_SAGA", WorkflowID: s.WorkflowID,
		State: coordination.SagaState(s.Saga), Version: int64(s.Version), CurrentStep: currentStep(s), Context: context,
		CompletedSteps:    completed(s.Steps, func(i int) string { return s.Template.Steps[i].Name }),
		CompensationPlan:  compensationPlan(s.Template),
		CompensationState: coordination.CompensationState{Executed: executedUndos(s), Pending: pendingUndos(s)},
		Parked:            parkedState(s), Events: sagaEvents(snap.Events),
		CreatedAt: coordination.At(s.StartedAt), UpdatedAt: coordination.At(s.UpdatedAt),
	}, nil
}

// compensationPlan says in forward order how each step is undone.
func compensationPlan(t *domain.Template) []coordination.CompensationEntry {
	plan := make([]coordination.CompensationEntry, 0, len(t.Compensations))
	for i := range t.Compensations {
		c := &t.Compensations[i]
		if c.Compensates == "" { // the hook undoes nothing
			continue
		}
		entry := coordination.CompensationEntry{Step: c.Name, Condition: c.Condition.String(), Service: c.Service, Action: c.Action}
		if raw, err := c.Parameters.MarshalJSON(); err == nil && !c.Parameters.IsZero() {
			entry.Parameters = raw
		}
		plan = append(plan, entry)
	}
	return plan
}

// pendingUndos are the undos still to come once compensation was decided.
func pendingUndos(s *domain.State) []string {
	var pending []string
	if s.Compensation == nil || s.Status.Terminal() {
		return pending
	}
	for _, u := range s.Plan() {
		if u.State.Status != domain.StepCompleted && u.State.Status != domain.StepNotApplicable {
			pending = append(pending, u.Definition.Name)
		}
	}
	return pending
}

// sagaEvents is the log as the saga shows it: the same events under the
// version they led to, the first under the saga's own name.
func sagaEvents(events []domain.Event) []coordination.SagaEvent {
	first := max(0, len(events)-maxStatusEvents)
	list := make([]coordination.SagaEvent, 0, len(events)-first)
	for i := first; i < len(events); i++ {
		name := coordination.EventName(events[i].Type)
		if events[i].Type == domain.WorkflowStarted {
			name = coordination.EventSagaStarted
		}
		list = append(list, coordination.SagaEvent{Timestamp: coordination.At(events[i].At), Event: name, Step: events[i].Step, Version: int64(i + 1)})
	}
	return list
}

// CompensateInput is a request to undo a saga.
type CompensateInput struct {
	SagaPath
	Idempotency
	Preference
	DryRun bool `query:"dryRun" doc:"Answer 200 with what would be done, and change nothing"`
	JSONBody[coordination.CompensateRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *CompensateInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, metadataFaults(in.Body.Metadata, "body.metadata")...)
}

func (s *service) compensate(ctx context.Context, in *CompensateInput) (*Mutated, error) {
	snap, err := s.saga(ctx, in.SagaID)
	if err != nil {
		return nil, err
	}
	request := domain.CompensateRequest{Reason: in.Body.Reason, FromStep: in.Body.FromStep, Force: in.Body.ForceCompensation,
		Metadata: orAbsent(in.Body.Metadata)}
	if in.DryRun {
		preview, err := s.preview(&snap.State, request)
		return &Mutated{Status: http.StatusOK, Body: preview}, err
	}
	id := snap.State.WorkflowID
	receipt, err := s.Workflows.Compensate(ctx, id, request, in.key(exchangeOf(ctx), "compensateSaga", id, in.canonical))
	if err != nil {
		return nil, isNotFound(err, coordination.ErrSagaNotFound, "saga")
	}
	return s.mutated(ctx, http.StatusAccepted, receipt, &in.Preference, func(state *domain.State) any { return compensated(state) })
}

// compensated is the answer to a manual compensation.
func compensated(s *domain.State) *coordination.CompensateResponse {
	plan := shown(s).Plan()
	c := &coordination.CompensateResponse{SagaID: s.SagaID, State: coordination.SagaState(s.Saga),
		CompensationSteps: compensationSteps(plan, false), EstimatedCompletionTime: compensationTime(plan)}
	if s.Compensation != nil {
		c.CompensationID = s.Compensation.ID
	}
	return c
}

// preview is what a compensation would do. It is refused as the compensation
// itself would be: the same decision is asked for, and not kept.
func (s *service) preview(state *domain.State, request domain.CompensateRequest) (*coordination.CompensationPreview, error) {
	request.Moment = domain.Moment{Now: s.Clock.Now(), NewID: "preview"}
	if _, err := domain.Decide(*state, request); err != nil {
		return nil, err
	}
	state = shown(state)
	plan := state.Plan() // of the compensation that is under way already
	if state.Saga == domain.SagaActive || state.Saga == domain.SagaCompleted {
		var err error
		if plan, err = state.PlanFor(request.FromStep, request.Force); err != nil {
			return nil, err
		}
	}
	return &coordination.CompensationPreview{SagaID: state.SagaID, State: coordination.SagaState(state.Saga), DryRun: true,
		CompensationSteps: compensationSteps(plan, false), EstimatedCompletionTime: compensationTime(plan)}, nil
}
