package coordination

import (
	"context"
	"net/http"
)

// WorkflowService starts, watches and steers workflows.
type WorkflowService struct{ client *Client }

// StartOrder starts an order fulfilment workflow. An order that has an active
// or completed workflow is [ErrWorkflowAlreadyExists].
func (s *WorkflowService) StartOrder(ctx context.Context, order OrderRequest, options ...CallOption) (*StartedWorkflow, error) {
	return s.start(ctx, "start order", []string{"workflows", "order", "start"}, order, options)
}

// StartReturn starts a return workflow. A return that has an active or
// completed workflow is [ErrWorkflowAlreadyExists].
func (s *WorkflowService) StartReturn(ctx context.Context, request ReturnRequest, options ...CallOption) (*StartedWorkflow, error) {
	return s.start(ctx, "start return", []string{"workflows", "return", "start"}, request, options)
}

// StartReplenishment starts an inventory replenishment workflow. One that has
// an active or completed workflow is [ErrWorkflowAlreadyExists].
func (s *WorkflowService) StartReplenishment(ctx context.Context, request ReplenishmentRequest, options ...CallOption) (*StartedWorkflow, error) {
	return s.start(ctx, "start replenishment", []string{"workflows", "replenishment", "start"}, request, options)
}

// Start starts a workflow of any template. An unknown type is
// [ErrTemplateNotFound], a business key that has an active or completed
// workflow of the type [ErrWorkflowAlreadyExists].
func (s *WorkflowService) Start(ctx context.Context, request StartRequest, options ...CallOption) (*StartedWorkflow, error) {
	return s.start(ctx, "start workflow", []string{"workflows", "start"}, request, options)
}

func (s *WorkflowService) start(ctx context.Context, name string, path []string, body any, options []CallOption) (*StartedWorkflow, error) {
	return mutate(ctx, s.client, call{name: name, path: path, body: body}, options,
		func(status *WorkflowStatus) *StartedWorkflow {
			return &StartedWorkflow{
				WorkflowID: status.WorkflowID, WorkflowType: status.WorkflowType,
				Status: status.Status, CurrentStep: status.CurrentStep, Steps: status.Steps,
				Saga:      StartedSaga{SagaID: status.Saga.SagaID, State: status.Saga.State},
				Timeline:  Timeline{Started: status.CreatedAt, LastUpdate: status.UpdatedAt},
				CreatedAt: status.CreatedAt, Ended: status,
			}
		})
}

// GetStatus returns the status of a workflow, or [ErrWorkflowNotFound].
func (s *WorkflowService) GetStatus(ctx context.Context, workflowID string) (*WorkflowStatus, error) {
	return perform[WorkflowStatus](ctx, s.client, call{
		name: "get workflow status", method: http.MethodGet, path: []string{"workflows", workflowID, "status"},
	})
}

// Cancel cancels an active workflow and has what was done undone. To cancel
// again gives the same answer; a workflow that has completed or failed is
// [ErrInvalidWorkflowState].
func (s *WorkflowService) Cancel(ctx context.Context, workflowID string, request CancelRequest, options ...CallOption) (*CancelResponse, error) {
	return mutate(ctx, s.client,
		call{name: "cancel workflow", path: []string{"workflows", workflowID, "cancel"}, body: request}, options,
		func(status *WorkflowStatus) *CancelResponse {
			return &CancelResponse{
				WorkflowID: status.WorkflowID, Status: status.Status, Reason: request.Reason,
				Saga:  CancelledSaga{SagaID: status.Saga.SagaID, State: status.Saga.State},
				Ended: status,
			}
		})
}

// Retry resumes a workflow that is parked or has failed, from the earliest step
// that is not in effect. Any other step, or any other status, is
// [ErrInvalidWorkflowState].
func (s *WorkflowService) Retry(ctx context.Context, workflowID string, request RetryRequest, options ...CallOption) (*RetryResponse, error) {
	return mutate(ctx, s.client,
		call{name: "retry workflow", path: []string{"workflows", workflowID, "retry"}, body: request}, options,
		func(status *WorkflowStatus) *RetryResponse {
			return &RetryResponse{
				WorkflowID: status.WorkflowID, Status: status.Status,
				CurrentStep: status.CurrentStep, Ended: status,
			}
		})
}

// mutate posts one mutating call. An answer that is the final status, because
// WithWait asked for it, becomes a T through fromStatus.
func mutate[T any](ctx context.Context, c *Client, call call, options []CallOption, fromStatus func(*WorkflowStatus) *T) (*T, error) {
	var err error
	if call.mutation, err = newMutation(options); err != nil {
		return nil, err
	}
	call.method = http.MethodPost
	got, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	if !ended(got) {
		return decode[T](call, got)
	}
	status, err := decode[WorkflowStatus](call, got)
	if err != nil {
		return nil, err
	}
	return fromStatus(status), nil
}
