package coordination

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// SagaService shows and compensates the sagas behind workflows.
type SagaService struct{ client *Client }

// Get returns a saga, or [ErrSagaNotFound].
func (s *SagaService) Get(ctx context.Context, sagaID string) (*Saga, error) {
	return perform[Saga](ctx, s.client, call{
		name: "get saga", method: http.MethodGet, path: []string{"sagas", sagaID},
	})
}

// Compensate has a saga undone, from the step that request names backwards.
// One that cannot be undone that way is [ErrInvalidWorkflowState].
func (s *SagaService) Compensate(ctx context.Context, sagaID string, request CompensateRequest, options ...CallOption) (*CompensateResponse, error) {
	return mutate(ctx, s.client, compensateCall("compensate saga", sagaID, request), options,
		func(status *WorkflowStatus) *CompensateResponse {
			return &CompensateResponse{
				SagaID: status.Saga.SagaID, State: status.Saga.State, Ended: status,
			}
		})
}

// PreviewCompensation returns what Compensate would do, and changes nothing (a
// dry run). It fails as Compensate would.
func (s *SagaService) PreviewCompensation(ctx context.Context, sagaID string, request CompensateRequest) (*CompensationPreview, error) {
	call := compensateCall("preview compensation", sagaID, request)
	call.method = http.MethodPost
	call.query = url.Values{"dryRun": {"true"}}
	return perform[CompensationPreview](ctx, s.client, call)
}

func compensateCall(name, sagaID string, request CompensateRequest) call {
	return call{name: name, path: []string{"sagas", sagaID, "compensate"}, body: request}
}

// TemplateService shows the workflow templates.
type TemplateService struct{ client *Client }

// List returns all templates.
func (s *TemplateService) List(ctx context.Context) ([]Template, error) {
	list, err := perform[TemplateList](ctx, s.client, call{
		name: "list workflow templates", method: http.MethodGet, path: []string{"workflow-templates"},
	})
	if err != nil {
		return nil, err
	}
	return list.Templates, nil
}

// Get returns a template, or [ErrTemplateNotFound].
func (s *TemplateService) Get(ctx context.Context, templateID string) (*Template, error) {
	return perform[Template](ctx, s.client, call{
		name: "get workflow template", method: http.MethodGet, path: []string{"workflow-templates", templateID},
	})
}

// HealthService shows the health of the service.
type HealthService struct{ client *Client }

// Get returns the health of the service and of what it depends on. A service
// that answers that it is DOWN is no error.
func (s *HealthService) Get(ctx context.Context) (*Health, error) {
	return perform[Health](ctx, s.client, call{
		name: "get health", method: http.MethodGet, path: []string{"health"}, accepts: isHealth,
	})
}

// isHealth reports whether a response that says unavailable is a health report
// and not an error.
func isHealth(got *response) bool {
	var health Health
	return got.status == http.StatusServiceUnavailable &&
		json.Unmarshal(got.body, &health) == nil && health.Status != ""
}

// CallbackService answers commands that a participant has accepted. The token
// of the command's callback authorises it; the client's own is not sent.
type CallbackService struct{ client *Client }

// Answer gives the final answer to a command. To give the same again is no
// error; another one is [ErrCallbackConflict], one for a step that no longer
// waits [ErrCallbackGone], an unknown token [ErrCallbackNotFound].
func (s *CallbackService) Answer(ctx context.Context, token string, answer Answer) (*CallbackReceipt, error) {
	return perform[CallbackReceipt](ctx, s.client, call{
		name: "answer callback", method: http.MethodPost, path: []string{"callbacks", token},
		body: answer, anonymous: true,
	})
}

// Heartbeat tells the coordinator that the command is still worked on, so that
// it waits longer. A step that no longer waits is [ErrCallbackGone].
func (s *CallbackService) Heartbeat(ctx context.Context, token string) (*CallbackReceipt, error) {
	return perform[CallbackReceipt](ctx, s.client, call{
		name: "send heartbeat", method: http.MethodPost, path: []string{"callbacks", token, "heartbeat"},
		anonymous: true,
	})
}
