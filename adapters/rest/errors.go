package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// retryAfterSeconds is when a caller that was turned away should come again.
const retryAfterSeconds = 1

// apiError is an error as it is answered: the envelope, its status and headers.
type apiError struct {
	coordination.ErrorEnvelope
	status int
	header http.Header
}

// noDetails is what an error has to say that is not in its message.
var noDetails = json.RawMessage("{}")

// newError is an error with the status of its code. details becomes a JSON
// object, nil is an empty one: every envelope has the same members.
func newError(code coordination.Code, message string, details any) *apiError {
	e := &apiError{status: code.HTTPStatus()}
	e.ErrorEnvelope.Error = coordination.Error{Code: code, Message: message, Details: noDetails}
	if details != nil {
		raw, err := json.Marshal(details)
		if err != nil { // details are plain structs
			panic("rest: error details do not marshal: " + err.Error())
		}
		e.ErrorEnvelope.Error.Details = raw
	}
	return e
}

// Error is the message.
func (e *apiError) Error() string { return e.ErrorEnvelope.Error.Message }

// GetStatus is the HTTP status.
func (e *apiError) GetStatus() int { return e.status }

// GetHeaders are the headers beside the usual ones.
func (e *apiError) GetHeaders() http.Header { return e.header }

func (e *apiError) with(name, value string) *apiError {
	if e.header == nil {
		e.header = http.Header{}
	}
	e.header.Set(name, value)
	return e
}

// traced returns e as the answer of one exchange.
func (e *apiError) traced(x *exchange) *apiError {
	e.ErrorEnvelope.Error.TraceID = grouped(x.traceID)
	return e
}

// invalid is INVALID_REQUEST with its violations.
func invalid(violations ...coordination.Violation) *apiError {
	message := "The request is invalid"
	if len(violations) == 1 {
		message += ": " + violations[0].Path + ": " + violations[0].Message
	}
	return newError(coordination.ErrInvalidRequest, message, coordination.ViolationDetails{Violations: violations})
}

// writeError answers outside of a registered operation.
func (s *service) writeError(x *exchange, e *apiError) {
	e.traced(x)
	for name, values := range e.header {
		x.Header()[name] = values
	}
	x.Header().Set("Content-Type", "application/json")
	x.WriteHeader(e.status)
	_ = json.NewEncoder(x).Encode(e)
}

// failure is the answer to an error of a handler: its own, or one of the ports'.
func (s *service) failure(ctx context.Context, err error) *apiError {
	answer := portError(err)
	if answer == nil {
		answer = newError(coordination.ErrInternal, "internal error", nil)
		s.Logger.ErrorContext(ctx, "request failed", "error", err, "route", exchangeOf(ctx).route, "trace_id", exchangeOf(ctx).traceID)
	}
	return answer.traced(exchangeOf(ctx))
}

// portError translates what ports and the domain promise to return; nil for
// anything else.
func portError(err error) *apiError {
	var own *apiError
	var exists *ports.ExistsError
	var state *domain.StateError
	var step *domain.StepNameError
	var target *ports.TargetError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &exists):
		return newError(coordination.ErrWorkflowAlreadyExists, "A workflow exists for this business key",
			coordination.ConflictDetails{WorkflowID: exists.WorkflowID})
	case errors.Is(err, ports.ErrBusinessKeyTaken):
		return newError(coordination.ErrWorkflowAlreadyExists, "A workflow exists for this business key", nil)
	case errors.Is(err, ports.ErrKeyReused), errors.Is(err, ports.ErrIdempotencyKeyTaken):
		return newError(coordination.ErrWorkflowAlreadyExists, "The idempotency key was used with another request",
			coordination.ConflictDetails{Reason: coordination.ReasonIdempotencyKeyReused})
	case errors.As(err, &state):
		return stateError(state)
	case errors.As(err, &step):
		return invalid(coordination.Violation{Path: "body." + step.Field, Message: "the workflow has no such step"})
	case errors.As(err, &target):
		return invalid(coordination.Violation{Path: "body.url", Message: target.Reason})
	case errors.Is(err, ports.ErrTooManyWebhooks):
		return newError(coordination.ErrBusinessRuleViolation, fmt.Sprintf("There are %d webhooks already", ports.MaxWebhooks), nil)
	case errors.Is(err, ports.ErrTooManySecrets):
		return newError(coordination.ErrBusinessRuleViolation, fmt.Sprintf("%d secrets of this webhook sign now; wait until one has expired", ports.MaxSecrets), nil)
	case errors.Is(err, ports.ErrBatchTooLarge):
		return newError(coordination.ErrBusinessRuleViolation, fmt.Sprintf("More than %d workflows are selected, the most that one batch is for; narrow the filter", ports.MaxBatchItems), nil)
	case errors.Is(err, ports.ErrTooManyBatches):
		return newError(coordination.ErrBusinessRuleViolation, fmt.Sprintf("%d batches are unfinished; wait for one of them, or cancel it", ports.MaxRunningBatches), nil)
	case errors.Is(err, ports.ErrUnknownToken):
		return newError(coordination.ErrCallbackNotFound, "There is no such callback", nil)
	case errors.Is(err, domain.ErrNotWaiting):
		return newError(coordination.ErrCallbackGone, "The step no longer waits for an answer", nil)
	case errors.Is(err, domain.ErrOtherAnswer):
		return newError(coordination.ErrCallbackConflict, "Another answer was given before", nil)
	case errors.Is(err, ports.ErrBadCursor):
		return invalid(coordination.Violation{Path: "query.cursor", Message: ports.ErrBadCursor.Error()})
	case errors.Is(err, ports.ErrNotFound):
		return newError(coordination.ErrWorkflowNotFound, "There is no such workflow", nil)
	case unavailable(err):
		return newError(coordination.ErrServiceUnavailable, "The service cannot do this now; try again later", nil).
			with(headerRetryAfter, strconv.Itoa(retryAfterSeconds))
	}
	return nil
}

// unavailable reports errors that pass by themselves.
func unavailable(err error) bool {
	return slices.ContainsFunc([]error{ports.ErrOverloaded, ports.ErrUnavailable, ports.ErrClosed, ports.ErrConflict,
		context.DeadlineExceeded, context.Canceled}, func(target error) bool { return errors.Is(err, target) })
}

func stateError(e *domain.StateError) *apiError {
	return newError(coordination.ErrInvalidWorkflowState, e.Message, coordination.StateDetails{
		Status: coordination.Status(e.Status), Reason: e.Reason, ResumesFrom: e.ResumesFrom, LaterSteps: e.LaterSteps})
}

// isNotFound replaces ErrNotFound by the error of what was looked for.
func isNotFound(err error, code coordination.Code, what string) error {
	if errors.Is(err, ports.ErrNotFound) {
		return newError(code, "There is no such "+what, nil)
	}
	return err
}

// humaError makes huma's own errors ours: validation is INVALID_REQUEST with
// all faults and none of the values.
func humaError(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
	var e *apiError
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		e = invalid(violations(errs)...)
	case http.StatusUnsupportedMediaType:
		e = unsupportedMediaType()
	case http.StatusRequestEntityTooLarge:
		e = newError(coordination.ErrInvalidRequest, "The request body is larger than 256 KiB", nil)
		e.status = status
	case http.StatusRequestTimeout:
		e = newError(coordination.ErrInvalidRequest, "The request body did not arrive in time", nil)
		e.status = status
	case http.StatusInternalServerError: // of huma: only a body that could not be read
		e = invalid(coordination.Violation{Path: "body", Message: "could not be read"})
	default:
		e = newError(coordination.ErrInternal, "internal error", nil)
	}
	if ctx == nil {
		return e
	}
	return e.traced(exchangeOf(ctx.Context()))
}

func unsupportedMediaType() *apiError {
	e := newError(coordination.ErrInvalidRequest, "The request body must be application/json", nil)
	e.status = http.StatusUnsupportedMediaType
	return e
}

// violations takes path and message out of huma's errors, each fault once and
// in the order of their paths. What the schema found at a place is not said
// again in the words of the scanner or of a rule.
func violations(errs []error) []coordination.Violation {
	list := make([]coordination.Violation, 0, min(len(errs), maxViolations))
	for _, err := range errs {
		if len(list) == maxViolations {
			break
		}
		v, again := violationOf(err), false
		_, ours := err.(scanFault)
		for _, known := range list {
			again = again || known == v || ours && known.Path == v.Path && v.Message != msgDuplicate
		}
		if !again {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		list = append(list, coordination.Violation{Path: "body", Message: "is required"})
	}
	slices.SortStableFunc(list, func(a, b coordination.Violation) int { return strings.Compare(a.Path, b.Path) })
	return list
}

func violationOf(err error) coordination.Violation {
	v := coordination.Violation{Path: "request", Message: "is not valid"}
	var detailer huma.ErrorDetailer
	if errors.As(err, &detailer) {
		detail := detailer.ErrorDetail()
		v.Message = detail.Message
		if detail.Location != "" {
			v.Path = clip(detail.Location, maxPathLength)
		}
	}
	return v
}
