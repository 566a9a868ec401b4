package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/retryafter"
	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
)

// Error codes of what is no answer of the participant. A status that says it
// all is HTTP_ and its number.
const (
	CodeUnreachable    = "CONNECTION_FAILED" // never sent
	CodeConnectionLost = "CONNECTION_LOST"   // sent, then the connection broke
	CodeInvalidAnswer  = "INVALID_ANSWER"    // not what the protocol allows
)

// answer is what a response says. The outcome in its body decides; without one
// the status does. An error page where an address is wrong is no answer at all,
// so that there the status decides as well.
func (c *Client) answer(cmd *domain.Dispatch, response *http.Response) domain.Answer {
	outcome := statusOutcome(response.StatusCode)
	a, err := read(response)
	switch {
	case err == nil && a.Outcome != "":
	case err == nil, outcome == domain.ContractError && !errors.Is(err, protocol.ErrOutcome):
		a = c.byStatus(cmd, response.StatusCode, outcome, a)
	default:
		a = c.unread(err)
	}
	if a.RetryAfter == 0 && (a.Outcome == domain.Retry || a.Outcome == domain.Unknown) {
		a.RetryAfter = retryafter.Read(response.Header.Get("Retry-After"), time.Now(), protocol.MaxRetryAfter)
	}
	return a
}

// read is the answer in a response's body, the zero Answer if it has none.
func read(response *http.Response) (domain.Answer, error) {
	if response.ContentLength > protocol.MaxAnswerBytes {
		return domain.Answer{}, protocol.ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, protocol.MaxAnswerBytes+1))
	if err != nil || len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return domain.Answer{}, err
	}
	return protocol.Answer(body)
}

// unread is the answer to a command whose answer cannot be used: it may have happened.
func (c *Client) unread(err error) domain.Answer {
	if errors.Is(err, protocol.ErrInvalid) {
		return failure(domain.Unknown, CodeInvalidAnswer, c.service+" gave an "+err.Error())
	}
	return c.unanswered(err, true)
}

// unanswered is the answer to a command that got no response, or half of one.
// The error's own text stays here: it holds addresses.
func (c *Client) unanswered(err error, written bool) domain.Answer {
	switch {
	case !written:
		return failure(domain.Retry, CodeUnreachable, c.service+" cannot be reached")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return failure(domain.Unknown, domain.CodeTimeout, c.service+" did not answer in time")
	}
	return failure(domain.Unknown, CodeConnectionLost, "the connection to "+c.service+" broke before its answer")
}

// byStatus is the answer that a status gives, with what the body adds to it.
func (c *Client) byStatus(cmd *domain.Dispatch, status int, outcome domain.Outcome, a domain.Answer) domain.Answer {
	message := fmt.Sprintf("%s answered %d to %s", c.service, status, cmd.Action)
	if a.Error == nil {
		a.Error = &domain.StepError{Code: "HTTP_" + strconv.Itoa(status), Message: message}
	}
	if outcome == domain.ContractError {
		a.Error.Message = message
	}
	return protocol.As(a, outcome)
}

func failure(outcome domain.Outcome, code, message string) domain.Answer {
	return domain.Answer{Outcome: outcome, Error: &domain.StepError{Code: code, Message: message}}
}

// statusOutcome is what a status means where the body does not say more.
func statusOutcome(status int) domain.Outcome {
	switch status {
	case http.StatusAccepted:
		return domain.Accepted
	case http.StatusUnprocessableEntity:
		return domain.Rejected
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return domain.Retry
	}
	switch status / 100 {
	case 2:
		return domain.Succeeded
	case 3, 4:
		return domain.ContractError
	}
	return domain.Unknown
}
