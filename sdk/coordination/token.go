package coordination

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// TokenSource returns the bearer token for a request. It is asked once per
// attempt and should cache. An error of it ends the call.
//
// When the service refuses a token (401), the source is asked once more, with a
// context in which [RefusedToken] names that token; if it gives another one, the
// call is repeated with it.
type TokenSource func(ctx context.Context) (string, error)

// RefusedToken returns, in a call of a [TokenSource], the token that the service
// has just refused: one that is of no use any more, however long it was meant
// to live. Otherwise it is "".
func RefusedToken(ctx context.Context) string {
	token, _ := ctx.Value(refusedToken{}).(string)
	return token
}

type refusedToken struct{}

// WithToken authenticates with a fixed bearer token, which must not be empty.
func WithToken(token string) Option {
	if token == "" {
		return func(*Client) error { return errors.New("token is empty") }
	}
	return WithTokenSource(func(context.Context) (string, error) { return token, nil })
}

// WithTokenSource authenticates with tokens that change.
func WithTokenSource(source TokenSource) Option {
	return func(c *Client) error {
		if source == nil {
			return errors.New("token source is nil")
		}
		c.token = source
		return nil
	}
}

// credentials are the tokens of one call.
type credentials struct {
	sent    string // with the last attempt
	next    string // for the next attempt, if the source need not be asked
	renewed bool
}

// authorize sets the token of an attempt.
func (c *Client) authorize(ctx context.Context, call *call, header http.Header) error {
	if c.token == nil || call.anonymous {
		return nil
	}
	token := call.next
	if call.next = ""; token == "" {
		var err error
		if token, err = c.token(ctx); err != nil {
			return fmt.Errorf("get a token: %w", err)
		}
	}
	call.sent = token
	header.Set("Authorization", "Bearer "+token)
	return nil
}

// renew reports whether a call whose token was refused can be repeated with
// another one. It asks once per call.
func (c *Client) renew(ctx context.Context, call *call) bool {
	if call.sent == "" || call.renewed {
		return false
	}
	call.renewed = true
	token, err := c.token(context.WithValue(ctx, refusedToken{}, call.sent))
	if err != nil || token == call.sent {
		return false
	}
	call.next = token
	return true
}

// refusesToken reports whether err is the answer to a token that is not valid.
func refusesToken(err error) bool {
	answer, ok := errors.AsType[*Error](err)
	return ok && answer.Status == http.StatusUnauthorized
}
