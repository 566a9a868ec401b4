package participant

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Outcome is what became of a command: [Succeeded], [Accepted], [Rejected],
// [Retry], [Unknown], [Refused] or [Answered].
type Outcome interface {
	answer() (coordination.Answer, error)
}

// Succeeded: done. The members of Result join the saga's context; it must be
// encodable as a JSON object, nil is an empty one.
type Succeeded struct{ Result any }

// Accepted: the answer comes later, by [Callback.Complete] or as another reply.
type Accepted struct{}

// Rejected: no. The participant asserts that there was no effect and will be
// none; the step is not tried again.
type Rejected struct{ Code, Message string }

// Retry: not now, and nothing was done. After is the least time to wait.
type Retry struct {
	Code, Message string
	After         time.Duration
}

// Unknown: it may have happened. The command comes again with the same key, and
// if that does not settle it, the step is undone.
type Unknown struct{ Code, Message string }

// Refused: the command is not what this participant can understand, whoever is
// to blame. Over HTTP Status is answered, a 4xx (400 if 0), and the workflow
// waits for a person; over a bus, which has no status, it is UNKNOWN.
type Refused struct {
	Status        int
	Code, Message string
}

// Answered is an answer as it was given before.
type Answered struct{ Answer coordination.Answer }

// errResult: a result must be a JSON object.
var errResult = errors.New("participant: the result is not encodable as a JSON object")

func (o Succeeded) answer() (coordination.Answer, error) {
	a := coordination.Answer{Outcome: coordination.OutcomeSucceeded}
	if o.Result == nil {
		return a, nil
	}
	raw, err := json.Marshal(o.Result)
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return coordination.Answer{}, errResult
	}
	a.Result = raw
	return a, nil
}

func (Accepted) answer() (coordination.Answer, error) {
	return coordination.Answer{Outcome: coordination.OutcomeAccepted}, nil
}

func (o Rejected) answer() (coordination.Answer, error) {
	return failure(coordination.OutcomeRejected, o.Code, o.Message), nil
}

func (o Retry) answer() (coordination.Answer, error) {
	a := failure(coordination.OutcomeRetry, o.Code, o.Message)
	a.RetryAfter = coordination.Duration(o.After)
	return a, nil
}

func (o Unknown) answer() (coordination.Answer, error) {
	return failure(coordination.OutcomeUnknown, o.Code, o.Message), nil
}

func (o Refused) answer() (coordination.Answer, error) {
	return failure(coordination.OutcomeUnknown, o.Code, o.Message), nil
}

func (o Answered) answer() (coordination.Answer, error) { return o.Answer, nil }

func failure(outcome coordination.Outcome, code, message string) coordination.Answer {
	return coordination.Answer{Outcome: outcome, Error: &coordination.StepError{Code: code, Message: message}}
}

// statuses are what HTTP says of an outcome; the outcome in the body decides.
var statuses = map[coordination.Outcome]int{
	coordination.OutcomeSucceeded: http.StatusOK,
	coordination.OutcomeAccepted:  http.StatusAccepted,
	coordination.OutcomeRejected:  http.StatusUnprocessableEntity,
	coordination.OutcomeRetry:     http.StatusServiceUnavailable,
	coordination.OutcomeUnknown:   http.StatusInternalServerError,
}
