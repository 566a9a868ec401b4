package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// WorkflowPath names a workflow in a path.
type WorkflowPath struct {
	WorkflowID string `path:"workflowId" doc:"Workflow identifier, with or without its prefix" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
}

// StatusOutput is the status of a workflow.
type StatusOutput struct {
	Body *coordination.WorkflowStatus
}

// workflow is what a path names.
func (s *service) workflow(ctx context.Context, in *WorkflowPath) (ports.Snapshot, error) {
	id, err := workflowID(in.WorkflowID)
	if err != nil {
		return ports.Snapshot{}, err
	}
	return s.Queries.Workflow(ctx, id)
}

func (s *service) getStatus(ctx context.Context, in *WorkflowPath) (*StatusOutput, error) {
	snap, err := s.workflow(ctx, in)
	if err != nil {
		return nil, err
	}
	return &StatusOutput{workflowStatus(&snap)}, nil
}

// CancelInput is a request to cancel a workflow.
type CancelInput struct {
	WorkflowPath
	Idempotency
	Preference
	JSONBody[coordination.CancelRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *CancelInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, metadataFaults(in.Body.Metadata, "body.metadata")...)
}

func (s *service) cancel(ctx context.Context, in *CancelInput) (*Mutated, error) {
	id, err := workflowID(in.WorkflowID)
	if err != nil {
		return nil, err
	}
	if in.Body.Force {
		if err := requireForce(ctx, "cancelWorkflow"); err != nil {
			return nil, err
		}
	}
	receipt, err := s.Workflows.Cancel(ctx, id, domain.CancelRequest{Reason: in.Body.Reason, ReasonDetails: in.Body.ReasonDetails,
		InitiatedBy: in.Body.InitiatedBy, Force: in.Body.Force, Metadata: orAbsent(in.Body.Metadata)},
		in.key(exchangeOf(ctx), "cancelWorkflow", id, in.canonical))
	if err != nil {
		return nil, err
	}
	return s.mutated(ctx, http.StatusAccepted, receipt, &in.Preference, func(state *domain.State) any { return cancelled(state) })
}

// cancelled is the answer to a cancellation.
func cancelled(s *domain.State) *coordination.CancelResponse {
	plan := shown(s).Plan()
	c := &coordination.CancelResponse{
		WorkflowID: s.WorkflowID, Status: coordination.Status(s.Status),
		Saga:                      coordination.CancelledSaga{SagaID: s.SagaID, State: coordination.SagaState(s.Saga), CompensationSteps: compensationSteps(plan, true)},
		EstimatedCompensationTime: compensationTime(plan), Refund: refundOf(s, plan),
	}
	switch {
	case s.Cancel != nil:
		c.CancelledAt, c.Reason = coordination.At(s.Cancel.At), s.Cancel.Reason
	case s.Compensation != nil: // cancelled by a manual compensation
		c.CancelledAt, c.Reason = coordination.At(s.Compensation.StartedAt), s.Compensation.Reason
	}
	return c
}

// RetryInput is a request to let a workflow go on.
type RetryInput struct {
	WorkflowPath
	Idempotency
	Preference
	JSONBody[coordination.RetryRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *RetryInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, metadataFaults(in.Body.Metadata, "body.metadata")...)
}

func (s *service) retry(ctx context.Context, in *RetryInput) (*Mutated, error) {
	id, err := workflowID(in.WorkflowID)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Workflows.Retry(ctx, id, domain.RetryRequest{FromStep: in.Body.FromStep, Reset: in.Body.ResetState,
		Metadata: orAbsent(in.Body.Metadata)}, in.key(exchangeOf(ctx), "retryWorkflow", id, in.canonical))
	if err != nil {
		return nil, err
	}
	return s.mutated(ctx, http.StatusOK, receipt, &in.Preference, func(state *domain.State) any { return retried(state) })
}

// retried is the answer to a retry.
func retried(s *domain.State) *coordination.RetryResponse {
	return &coordination.RetryResponse{WorkflowID: s.WorkflowID, Status: coordination.Status(s.Status), RetryAttempt: s.Resumes + 1,
		ResumedAt: coordination.At(s.ResumedAt), CurrentStep: currentStep(s)}
}
