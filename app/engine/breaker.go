package engine

import (
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// The breaker of a service opens after breakerThreshold failures in a row and
// then lets one probe through at a time, first after breakerFirst, then after
// twice as long each time, at most breakerMax.
const (
	breakerThreshold = 20
	breakerFirst     = time.Second
	breakerMax       = 30 * time.Second
)

// breaker spares a participant that does not work, and the attempts of the
// steps that need it: a command that meets an open breaker is deferred, its
// clock stands still. The zero value is closed.
type breaker struct {
	failures int
	wait     time.Duration
	until    time.Time // open until then; then one probe
	probing  bool
}

// open reports whether a command must not be sent now, and when to try again.
func (b *breaker) open(now time.Time) (time.Duration, bool) {
	switch {
	case b.failures < breakerThreshold:
		return 0, false
	case now.Before(b.until):
		return b.until.Sub(now), true
	case b.probing:
		return b.wait, true
	}
	return 0, false
}

func (b *breaker) start() { b.probing = b.failures >= breakerThreshold }

// done counts an outcome. A participant that refuses or promises works.
func (b *breaker) done(now time.Time, o domain.Outcome) {
	if o != domain.Retry && o != domain.Unknown {
		*b = breaker{}
		return
	}
	b.probing = false
	if b.failures++; b.failures >= breakerThreshold && !now.Before(b.until) {
		b.wait = min(max(2*b.wait, breakerFirst), breakerMax)
		b.until = now.Add(b.wait)
	}
}
