package rest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Headers of rate limits: Retry-After is in exchange.go.
const (
	headerLimit  = "RateLimit"
	headerPolicy = "RateLimit-Policy"
)

// Allowance is what a rate limit says about one request of a caller.
type Allowance struct {
	// Refused: the quota is used up.
	Refused bool
	// Policy names the quota, Quota is its size.
	Policy string
	Quota  int
	// Window is the time that the quota is for, Reset what is left of it.
	Window, Reset time.Duration
	// Remaining is what is left of the quota.
	Remaining int
}

// Limit counts a request of a caller. ports.ErrUnavailable means that it cannot
// be told whether the caller may have it.
type Limit func(ctx context.Context, c Caller) (Allowance, error)

// LoginFailed notes a request without a valid token from an address. If that
// was one too many it is how long the address is to wait, else zero.
type LoginFailed func(address string) time.Duration

// count counts a request and tells its caller how the quota stands.
func (s *service) count(ctx context.Context, x *exchange) error {
	if s.Limit == nil {
		return nil
	}
	a, err := s.Limit(ctx, x.caller)
	if err != nil {
		return err
	}
	reset := wholeSeconds(a.Reset)
	x.Header().Set(headerPolicy, fmt.Sprintf("%q;q=%d;w=%d", a.Policy, a.Quota, wholeSeconds(a.Window)))
	x.Header().Set(headerLimit, fmt.Sprintf("%q;r=%d;t=%d", a.Policy, a.Remaining, reset))
	if !a.Refused {
		return nil
	}
	return newError(coordination.ErrRateLimitExceeded, "The request quota of this token's subject is used up", coordination.LimitDetails{
		Policy: a.Policy, Limit: a.Quota, Window: coordination.Duration(a.Window), RetryAfter: seconds(reset)}).
		with(headerRetryAfter, strconv.Itoa(reset))
}

// loginFailed replaces the answer to a request without a valid token when its
// address had too many of them. The token was judged before: behind one address
// may be many callers, and those with a valid token are not to suffer.
func (s *service) loginFailed(ctx huma.Context, answer *apiError) *apiError {
	if s.LoginFailed == nil {
		return answer
	}
	wait := wholeSeconds(s.LoginFailed(ctx.RemoteAddr()))
	if wait == 0 {
		return answer
	}
	return newError(coordination.ErrRateLimitExceeded, "Too many requests without a valid token from this address",
		coordination.LimitDetails{Policy: coordination.PolicyFailedLogins, RetryAfter: seconds(wait)}).
		with(headerRetryAfter, strconv.Itoa(wait))
}

// wholeSeconds rounds up: who waits that long has waited long enough.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func seconds(n int) coordination.Duration {
	return coordination.Duration(time.Duration(n) * time.Second)
}
