package coordination

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Code is the code of an error of the API. It is an error itself, so that
// errors.Is(err, coordination.ErrWorkflowNotFound) asks for the code of an
// *[Error], however deep it is wrapped.
type Code string

// The error codes of the API; each is served with the HTTP status that
// [Code.HTTPStatus] tells.
const (
	ErrInvalidRequest          Code = "INVALID_REQUEST"
	ErrAuthenticationRequired  Code = "AUTHENTICATION_REQUIRED"
	ErrInsufficientPermissions Code = "INSUFFICIENT_PERMISSIONS"
	ErrNotFound                Code = "NOT_FOUND" // no such route
	ErrWorkflowNotFound        Code = "WORKFLOW_NOT_FOUND"
	ErrSagaNotFound            Code = "SAGA_NOT_FOUND"
	ErrTemplateNotFound        Code = "TEMPLATE_NOT_FOUND"
	ErrCallbackNotFound        Code = "CALLBACK_NOT_FOUND"
	ErrWebhookNotFound         Code = "WEBHOOK_NOT_FOUND"
	ErrBatchNotFound           Code = "BATCH_NOT_FOUND"
	ErrDeliveryNotFound        Code = "DELIVERY_NOT_FOUND"
	ErrMethodNotAllowed        Code = "METHOD_NOT_ALLOWED"
	ErrWorkflowAlreadyExists   Code = "WORKFLOW_ALREADY_EXISTS"
	ErrCallbackConflict        Code = "CALLBACK_CONFLICT" // answered before, with another body
	ErrCallbackGone            Code = "CALLBACK_GONE"     // the step no longer waits
	ErrInvalidWorkflowState    Code = "INVALID_WORKFLOW_STATE"
	ErrBusinessRuleViolation   Code = "BUSINESS_RULE_VIOLATION"
	ErrWorkflowExecutionFailed Code = "WORKFLOW_EXECUTION_FAILED"
	ErrCompensationFailed      Code = "COMPENSATION_FAILED"
	ErrRateLimitExceeded       Code = "RATE_LIMIT_EXCEEDED"
	ErrInternal                Code = "INTERNAL_ERROR"
	ErrServiceUnavailable      Code = "SERVICE_UNAVAILABLE"
	ErrTimeoutExceeded         Code = "TIMEOUT_EXCEEDED"
)

// ErrUnexpectedResponse is the code the client gives a response that is none of
// the API's, such as the page of a proxy. No server sends it.
const ErrUnexpectedResponse Code = "UNEXPECTED_RESPONSE"

// ReasonIdempotencyKeyReused is details.reason of [ErrWorkflowAlreadyExists]
// when an idempotency key came again with another body.
const ReasonIdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED"

// httpStatuses maps every code to the status it is served with.
var httpStatuses = map[Code]int{
	ErrInvalidRequest:          http.StatusBadRequest,
	ErrAuthenticationRequired:  http.StatusUnauthorized,
	ErrInsufficientPermissions: http.StatusForbidden,
	ErrNotFound:                http.StatusNotFound,
	ErrWorkflowNotFound:        http.StatusNotFound,
	ErrSagaNotFound:            http.StatusNotFound,
	ErrTemplateNotFound:        http.StatusNotFound,
	ErrCallbackNotFound:        http.StatusNotFound,
	ErrWebhookNotFound:         http.StatusNotFound,
	ErrBatchNotFound:           http.StatusNotFound,
	ErrDeliveryNotFound:        http.StatusNotFound,
	ErrMethodNotAllowed:        http.StatusMethodNotAllowed,
	ErrWorkflowAlreadyExists:   http.StatusConflict,
	ErrCallbackConflict:        http.StatusConflict,
	ErrCallbackGone:            http.StatusGone,
	ErrInvalidWorkflowState:    http.StatusUnprocessableEntity,
	ErrBusinessRuleViolation:   http.StatusUnprocessableEntity,
	ErrWorkflowExecutionFailed: http.StatusUnprocessableEntity,
	ErrCompensationFailed:      http.StatusUnprocessableEntity,
	ErrRateLimitExceeded:       http.StatusTooManyRequests,
	ErrInternal:                http.StatusInternalServerError,
	ErrServiceUnavailable:      http.StatusServiceUnavailable,
	ErrTimeoutExceeded:         http.StatusGatewayTimeout,
}

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// HTTPStatus returns the status the code is served with; 500 for a code that is
// none of the constants. INVALID_REQUEST is also served with 413 and 415.
func (c Code) HTTPStatus() int {
	if status, ok := httpStatuses[c]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// ErrorEnvelope is the body of every error response.
type ErrorEnvelope struct {
	Error Error `json:"error" doc:"What went wrong"`
}

// Error is an error the API answered with. The client returns it as *Error.
type Error struct {
	Code    Code            `json:"code" doc:"Error code" example:"WORKFLOW_EXECUTION_FAILED"`
	Message string          `json:"message" doc:"What went wrong, for people" example:"Workflow failed at step PAYMENT_PROCESSING"`
	Details json.RawMessage `json:"details,omitempty" doc:"JSON object that depends on the code"`
	TraceID string          `json:"traceId" doc:"W3C trace id in UUID grouping" example:"b9d7c9a8-3e2f-4d1e-8c7b-6a5d4c3b2a1f"`

	// Status is the HTTP status of the response, RetryAfter how long its
	// Retry-After header asks to wait, zero without one. The client sets them,
	// they are not part of the body.
	Status     int           `json:"-"`
	RetryAfter time.Duration `json:"-"`

	// bare tells that the response had no envelope, so that it came from
	// something between client and server.
	bare bool
}

// Error names the code, the message and the trace.
func (e *Error) Error() string {
	if e.TraceID == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s (trace %s)", e.Code, e.Message, e.TraceID)
}

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// DecodeDetails decodes the details into target, for example a
// *[ViolationDetails] or a *[FailureDetails]. Members that target does not have
// are ignored; absent details leave it as it is.
func (e *Error) DecodeDetails(target any) error {
	if len(e.Details) == 0 {
		return nil
	}
	return json.Unmarshal(e.Details, target)
}

// ViolationDetails are the details of [ErrInvalidRequest].
type ViolationDetails struct {
	Violations List[Violation] `json:"violations" doc:"All faults of the request"`
}

// Violation is one fault of a request. It never repeats the value, which may be
// a secret.
type Violation struct {
	Path    string `json:"path" doc:"Where the fault is" example:"body.items[0].quantity"`
	Message string `json:"message" doc:"What is wrong" example:"expected number >= 1"`
}

// ConflictDetails are the details of [ErrWorkflowAlreadyExists].
type ConflictDetails struct {
	WorkflowID string `json:"workflowId,omitempty" doc:"Workflow that is in the way" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	Reason     string `json:"reason,omitempty" doc:"IDEMPOTENCY_KEY_REUSED if the key came with another body" example:"IDEMPOTENCY_KEY_REUSED"`
}

// StateDetails are the details of [ErrInvalidWorkflowState].
type StateDetails struct {
	WorkflowID  string   `json:"workflowId,omitempty" doc:"Workflow identifier"`
	Status      Status   `json:"status,omitempty" doc:"Status of the workflow" example:"COMPLETED" enum:"STARTED,IN_PROGRESS,RETRYING,COMPENSATING,CANCELLING,PARKED,COMPLETED,FAILED,CANCELLED"`
	Reason      string   `json:"reason,omitempty" doc:"Why the state does not allow it, for programs" example:"OTHER_STEP"`
	ResumesFrom string   `json:"resumesFrom,omitempty" doc:"The only step a retry can resume from" example:"PAYMENT_PROCESSING"`
	LaterSteps  []string `json:"laterSteps,omitempty" doc:"Later steps that may have effects; forceCompensation includes them" example:"PAYMENT_PROCESSING"`
}

// FailureDetails are the details of [ErrWorkflowExecutionFailed] and
// [ErrCompensationFailed].
type FailureDetails struct {
	WorkflowID            string `json:"workflowId" doc:"Workflow identifier" example:"wf-660e8400-e29b-41d4-a716-446655440000"`
	FailedStep            string `json:"failedStep,omitempty" doc:"Step that failed" example:"PAYMENT_PROCESSING"`
	StepError             string `json:"stepError,omitempty" doc:"What the participant said" example:"Payment was declined by the issuing bank"`
	CompensationTriggered bool   `json:"compensationTriggered" doc:"Whether what was done is undone" example:"true"`
}

// PolicyFailedLogins is LimitDetails.policy when an address sent too many
// requests without a valid token.
const PolicyFailedLogins = "failed-logins"

// LimitDetails are the details of [ErrRateLimitExceeded].
type LimitDetails struct {
	Policy     string   `json:"policy" doc:"The limit that was met: a role, or failed-logins" example:"external"`
	Limit      int      `json:"limit,omitempty" doc:"Requests that a window allows" example:"1000"`
	Window     Duration `json:"window,omitempty" doc:"Length of a window" example:"PT1H"`
	RetryAfter Duration `json:"retryAfter" doc:"Until requests are allowed again" example:"PT14M30S"`
}
