package coordination

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Defaults of [Retries].
const (
	DefaultMaxAttempts = 4
	DefaultMinWait     = 100 * time.Millisecond
	DefaultMaxWait     = 5 * time.Second
)

// Retries bounds how a call is repeated. A member that is zero has its default.
type Retries struct {
	// MaxAttempts is how often a call is sent at most, the first time included.
	MaxAttempts int
	// MinWait is the wait after the first attempt; it doubles with each. Half
	// of every wait is random, so that many clients do not come back at once.
	MinWait time.Duration
	// MaxWait is the longest wait. A call that is asked by Retry-After to wait
	// longer ends with its error instead.
	MaxWait time.Duration
}

func (r Retries) withDefaults() Retries {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = DefaultMaxAttempts
	}
	if r.MinWait <= 0 {
		r.MinWait = DefaultMinWait
	}
	if r.MaxWait <= 0 {
		r.MaxWait = DefaultMaxWait
	}
	return r
}

// wait returns how long to wait after attempt number attempt failed with err,
// and whether to go on at all.
func (r Retries) wait(attempt int, err error) (time.Duration, bool) {
	if attempt >= r.MaxAttempts || !transient(err) {
		return 0, false
	}
	wait := r.pause(attempt, err)
	return wait, wait <= r.MaxWait
}

// pause is the wait after attempt number attempt failed with err: longer than
// MaxWait only if the service asks for it.
func (r Retries) pause(attempt int, err error) time.Duration {
	wait := r.MinWait
	for range attempt - 1 {
		if wait *= 2; wait > r.MaxWait {
			break
		}
	}
	wait = min(wait, r.MaxWait)
	wait = wait/2 + rand.N(wait/2+1)
	if answer, ok := errors.AsType[*Error](err); ok {
		wait = max(wait, answer.RetryAfter)
	}
	return wait
}

// transient reports whether the same request may succeed a little later.
func transient(err error) bool {
	if answer, ok := errors.AsType[*Error](err); ok {
		switch answer.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
			return true
		case http.StatusGatewayTimeout:
			// With an envelope it is the workflow's own deadline.
			return answer.bare
		}
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	_, ok := errors.AsType[*connectionError](err)
	return ok
}

// connectionError says that no whole response arrived.
type connectionError struct{ cause error }

func (e *connectionError) Error() string { return e.cause.Error() }
func (e *connectionError) Unwrap() error { return e.cause }

// endures reports whether ctx lives longer than wait: if not, waiting would only
// replace the error there is by a poorer one.
func endures(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > wait)
}

// sleep waits, and reports false if ctx ended before.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads a Retry-After header: seconds or an HTTP date. An absent or
// broken one is zero.
func retryAfter(header http.Header) time.Duration {
	const maxSeconds = 365 * 24 * 60 * 60
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), maxSeconds)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
