package protocol

import (
	"net/http"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Status is the HTTP status that says the same as the outcome, for readers
// that look at nothing else.
func Status(o coordination.Outcome) int {
	switch o {
	case coordination.OutcomeSucceeded:
		return http.StatusOK
	case coordination.OutcomeAccepted:
		return http.StatusAccepted
	case coordination.OutcomeRejected:
		return http.StatusUnprocessableEntity
	case coordination.OutcomeRetry:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
