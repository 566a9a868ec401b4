package coordination

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ErrResponseTooLarge reports a response longer than WithMaxResponseBytes allows.
var ErrResponseTooLarge = errors.New("response is too large")

// errPathSegment reports an identifier that cannot stand in a path.
var errPathSegment = errors.New("identifier is empty or a dot segment")

// call is one logical call, whatever number of attempts it takes.
type call struct {
	name      string // of the method, for errors: the path may hold a callback token
	method    string
	path      []string // segments, not escaped
	query     url.Values
	body      any // nil for none
	anonymous bool
	mutation
	// accepts reports whether a response outside 2xx is an answer, not an error.
	accepts func(*response) bool
	credentials
}

// response is a whole response.
type response struct {
	status int
	header http.Header
	body   []byte
}

// perform sends one call and decodes its answer into a new T.
func perform[T any](ctx context.Context, c *Client, call call) (*T, error) {
	got, err := c.send(ctx, call)
	if err != nil {
		return nil, err
	}
	return decode[T](call, got)
}

func decode[T any](call call, got *response) (*T, error) {
	answer := new(T)
	if err := json.Unmarshal(got.body, answer); err != nil {
		return nil, fmt.Errorf("coordination: %s: decode the answer: %w", call.name, err)
	}
	return answer, nil
}

// send sends call until it is answered, fails for good or has used up its attempts.
func (c *Client) send(ctx context.Context, call call) (*response, error) {
	target, err := c.target(call)
	if err != nil {
		return nil, fmt.Errorf("coordination: %s: %w", call.name, err)
	}
	var body []byte
	if call.body != nil {
		if body, err = json.Marshal(call.body); err != nil {
			return nil, fmt.Errorf("coordination: %s: encode the request: %w", call.name, err)
		}
	}
	for attempt := 1; ; attempt++ {
		got, err := c.attempt(ctx, &call, target, body)
		if err == nil {
			return got, nil
		}
		if refusesToken(err) && c.renew(ctx, &call) {
			attempt--
			continue
		}
		wait, again := c.retries.wait(attempt, err)
		if !again || !endures(ctx, wait) {
			return nil, fmt.Errorf("coordination: %s: %w", call.name, err)
		}
		if !sleep(ctx, wait) {
			return nil, fmt.Errorf("coordination: %s: %w, after %w", call.name, ctx.Err(), err)
		}
	}
}

// target returns the URL of call.
func (c *Client) target(call call) (string, error) {
	var target strings.Builder
	target.WriteString(c.base)
	for _, segment := range call.path {
		if segment == "" || segment == "." || segment == ".." {
			return "", errPathSegment
		}
		target.WriteString("/" + url.PathEscape(segment))
	}
	if len(call.query) > 0 {
		target.WriteString("?" + call.query.Encode())
	}
	return target.String(), nil
}

// attempt sends one request. A response that is not an answer is an *Error, a
// response that did not arrive a *connectionError.
func (c *Client) attempt(ctx context.Context, call *call, target string, body []byte) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+call.wait)
	defer cancel()
	request, err := c.request(ctx, call, target, body)
	if err != nil {
		return nil, err
	}
	got, err := c.roundTrip(request)
	if err != nil {
		return nil, err
	}
	if got.status/100 == 2 || call.accepts != nil && call.accepts(got) {
		return got, nil
	}
	return nil, errorOf(got)
}

func (c *Client) request(ctx context.Context, call *call, target string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	header := request.Header
	header.Set("Accept", "application/json")
	header.Set("User-Agent", c.userAgent)
	if call.body != nil {
		header.Set("Content-Type", "application/json")
	}
	call.mutation.setHeaders(header)
	return request, c.authorize(ctx, call, header)
}

func (c *Client) roundTrip(request *http.Request) (*response, error) {
	got, err := c.http.Do(request)
	if err != nil {
		return nil, &connectionError{withoutURL(err)}
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(got.Body, c.maxResponseBytes+1))
	if err != nil {
		return nil, &connectionError{err}
	}
	if int64(len(body)) > c.maxResponseBytes {
		return nil, ErrResponseTooLarge
	}
	return &response{got.StatusCode, got.Header, body}, nil
}

// withoutURL drops the URL from an error of net/http: it may hold a callback
// token.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// errorOf reads the envelope of an error response; one without gets a code by
// its status.
func errorOf(got *response) *Error {
	var envelope ErrorEnvelope
	if err := json.Unmarshal(got.body, &envelope); err != nil || envelope.Error.Code == "" {
		envelope.Error = Error{
			Code:    codeOfStatus(got.status),
			Message: fmt.Sprintf("the response has status %d and no error envelope", got.status),
			bare:    true,
		}
	}
	answer := envelope.Error
	answer.Status, answer.RetryAfter = got.status, retryAfter(got.header)
	return &answer
}

// codeOfStatus names statuses whose meaning does not depend on who sent them.
func codeOfStatus(status int) Code {
	switch status {
	case http.StatusUnauthorized:
		return ErrAuthenticationRequired
	case http.StatusForbidden:
		return ErrInsufficientPermissions
	case http.StatusTooManyRequests:
		return ErrRateLimitExceeded
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrServiceUnavailable
	}
	return ErrUnexpectedResponse
}
