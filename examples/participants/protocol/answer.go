package protocol

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Outcome is what a participant asserts about a command.
type Outcome string

// The outcomes a participant may answer. UNKNOWN is only ever said by a
// coordinator about an answer that it did not get.
const (
	// Succeeded: the effect happened, exactly once.
	Succeeded Outcome = "SUCCEEDED"
	// Accepted: the answer comes later, to the callback.
	Accepted Outcome = "ACCEPTED"
	// Rejected: a business no; there is no effect and never will be.
	Rejected Outcome = "REJECTED"
	// Retry: not done, this attempt will not do it, another may.
	Retry Outcome = "RETRY"
	// Unknown: the coordinator does not know whether the effect happened.
	Unknown Outcome = "UNKNOWN"
)

// Answer is the reply to a command, as HTTP body or sent to the callback.
type Answer struct {
	Outcome Outcome         `json:"outcome,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
	// RetryAfter is an ISO 8601 duration, set only with RETRY.
	RetryAfter string `json:"retryAfter,omitempty"`
}

// Error says why a command was rejected, or what is wrong with it. Code is
// stable and for programs, Message is for people and holds no request data.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Status is the HTTP status that says the same as the outcome, for readers
// that look at nothing else.
func (o Outcome) Status() int {
	switch o {
	case Succeeded:
		return http.StatusOK
	case Accepted:
		return http.StatusAccepted
	case Rejected:
		return http.StatusUnprocessableEntity
	case Retry:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// ISODuration writes a duration of whole or broken seconds as ISO 8601, such
// as PT0.5S.
func ISODuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}
