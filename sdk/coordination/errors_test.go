package coordination_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// codes are the error codes with the statuses they are documented to have.
var codes = map[coordination.Code]int{
	"INVALID_REQUEST": 400, "AUTHENTICATION_REQUIRED": 401, "INSUFFICIENT_PERMISSIONS": 403,
	"NOT_FOUND": 404, "WORKFLOW_NOT_FOUND": 404, "SAGA_NOT_FOUND": 404, "TEMPLATE_NOT_FOUND": 404, "CALLBACK_NOT_FOUND": 404,
	"METHOD_NOT_ALLOWED": 405, "WORKFLOW_ALREADY_EXISTS": 409, "CALLBACK_CONFLICT": 409, "CALLBACK_GONE": 410,
	"INVALID_WORKFLOW_STATE": 422, "BUSINESS_RULE_VIOLATION": 422, "WORKFLOW_EXECUTION_FAILED": 422, "COMPENSATION_FAILED": 422,
	"RATE_LIMIT_EXCEEDED": 429, "INTERNAL_ERROR": 500, "SERVICE_UNAVAILABLE": 503, "TIMEOUT_EXCEEDED": 504,
	"NO_SUCH_CODE": 500,
}

func TestEveryCodeArrivesAsATypedError(t *testing.T) {
	t.Parallel()
	for code, status := range codes {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			if code.HTTPStatus() != status {
				t.Errorf("has status %d, want %d", code.HTTPStatus(), status)
			}
			client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(code.HTTPStatus())
				_ = json.NewEncoder(w).Encode(coordination.ErrorEnvelope{Error: coordination.Error{
					Code: code, Message: "because", TraceID: "trace-1", Details: json.RawMessage(`{"workflowId":"wf-1"}`),
				}})
			}), coordination.WithRetry(coordination.Retries{MaxAttempts: 1}))
			_, err := client.Workflows.GetStatus(t.Context(), workflowID)
			if !errors.Is(err, code) || errors.Is(err, coordination.Code("OTHER")) {
				t.Errorf("the error is %v", err)
			}
			answer, ok := errors.AsType[*coordination.Error](fmt.Errorf("wrapped: %w", err))
			if !ok || answer.Status != status || answer.Message != "because" || answer.TraceID != "trace-1" || answer.RetryAfter != 7*time.Second {
				t.Errorf("the error is %+v", answer)
			}
			if text := err.Error(); text != "coordination: get workflow status: "+string(code)+": because (trace trace-1)" {
				t.Errorf("the text is %s", text)
			}
		})
	}
}

func TestResponsesWithoutEnvelopeGetACode(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]coordination.Code{
		401: coordination.ErrAuthenticationRequired, 403: coordination.ErrInsufficientPermissions, 429: coordination.ErrRateLimitExceeded,
		502: coordination.ErrServiceUnavailable, 503: coordination.ErrServiceUnavailable, 504: coordination.ErrServiceUnavailable,
		400: coordination.ErrUnexpectedResponse, 404: coordination.ErrUnexpectedResponse, 302: coordination.ErrUnexpectedResponse, 500: coordination.ErrUnexpectedResponse,
	} {
		for _, body := range []string{"", "<html>secret</html>", `{"error":"text"}`, `{"error":{}}`, `[]`} {
			client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}), coordination.WithRetry(coordination.Retries{MaxAttempts: 1}))
			_, err := client.Health.Get(t.Context())
			answer, ok := errors.AsType[*coordination.Error](err)
			if !ok || answer.Code != want || answer.Status != status || strings.Contains(err.Error(), "secret") {
				t.Errorf("%d %q: the error is %v", status, body, err)
			}
		}
	}
}

func TestAnAnswerThatIsNoJSONIsAnError(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	_, err := client.Sagas.Get(t.Context(), sagaID)
	if _, ok := errors.AsType[*json.SyntaxError](err); !ok {
		t.Errorf("the error is %v", err)
	}
}

func TestDetailsDecodeIntoTheirType(t *testing.T) {
	t.Parallel()
	envelope := document[coordination.ErrorEnvelope]("error")
	var details coordination.FailureDetails
	if err := envelope.Error.DecodeDetails(&details); err != nil {
		t.Fatal(err)
	}
	want := coordination.FailureDetails{
		WorkflowID: workflowID, FailedStep: "PAYMENT_PROCESSING",
		StepError: "Payment was declined by the issuing bank", CompensationTriggered: true,
	}
	if details != want {
		t.Errorf("the details are %+v", details)
	}
	if err := new(coordination.Error).DecodeDetails(&details); err != nil || details != want {
		t.Errorf("absent details gave %+v (%v)", details, err)
	}
}
