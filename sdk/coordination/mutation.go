package coordination

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Limits of the options of a mutation.
const (
	// MaxIdempotencyKeyLength is the longest idempotency key, in bytes.
	MaxIdempotencyKeyLength = 255
	// MaxWaitTime is the longest wait that can be asked for with WithWait.
	MaxWaitTime = 60 * time.Second
)

// CallOption changes one mutating call.
type CallOption func(*mutation) error

// mutation holds what mutating calls carry beside their body.
type mutation struct {
	key  string
	wait time.Duration
}

// WithIdempotencyKey gives the call a key of the caller's own, 1 to 255 visible
// ASCII characters, so that the same call of another process, or of this one
// after a crash, has its effect once. Without it every call gets a random key.
func WithIdempotencyKey(key string) CallOption {
	return func(m *mutation) error {
		if key == "" || len(key) > MaxIdempotencyKeyLength {
			return errors.New("idempotency key is empty or too long")
		}
		for i := range len(key) {
			if key[i] < '!' || key[i] > '~' {
				return errors.New("idempotency key has a character that is not visible ASCII")
			}
		}
		m.key = key
		return nil
	}
}

// WithWait lets the service answer when the workflow has ended, at the latest
// after wait (at most a minute, rounded up to seconds). If it ended well the
// member Ended of the answer is set. If it failed the call returns an *[Error]
// with [ErrWorkflowExecutionFailed], [ErrCompensationFailed] or
// [ErrTimeoutExceeded]. If it takes longer the answer is the ordinary one.
func WithWait(wait time.Duration) CallOption {
	return func(m *mutation) error {
		if wait <= 0 || wait > MaxWaitTime {
			return fmt.Errorf("wait is not between 0 and %v", MaxWaitTime)
		}
		m.wait = wait
		return nil
	}
}

// newMutation applies options and makes up a key if none was given.
func newMutation(options []CallOption) (mutation, error) {
	var m mutation
	for _, option := range options {
		if err := option(&m); err != nil {
			return mutation{}, fmt.Errorf("coordination: %w", err)
		}
	}
	if m.key == "" {
		m.key = rand.Text() // at least 128 random bits
	}
	return m, nil
}

func (m mutation) setHeaders(header http.Header) {
	if m.key != "" {
		header.Set("X-Idempotency-Key", m.key)
	}
	if m.wait > 0 {
		header.Set("Prefer", "wait="+strconv.Itoa(int(math.Ceil(m.wait.Seconds()))))
	}
}

// ended reports whether got is the final status that WithWait asked for.
func ended(got *response) bool { return got.header.Get("Preference-Applied") != "" }
