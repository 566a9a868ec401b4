package rest

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of admission.
const (
	// MaxInFlight bounds the requests that are worked on at once. More than
	// that only make each other slow.
	MaxInFlight = 2048
	// StandingInFlight is how many may be worked on for long.
	StandingInFlight = 256
	// OverloadInFlight is how many are worked on during an overload. They are
	// enough to fill the batches in which the store commits, and leave the
	// processors to the workflows that were begun, and to refusing.
	OverloadInFlight = 64
	// BurstTime is how long more than StandingInFlight may be worked on.
	BurstTime = 500 * time.Millisecond
	// CalmTime is how long nobody was refused when bursts are allowed again.
	CalmTime = time.Second
	// MaxWaiting bounds the requests that wait for the end of their workflow.
	MaxWaiting = 2048
)

// admission decides which requests are worked on. It knows one thing, how many
// there are: whatever is slow (the store, its pool of connections, a processor)
// makes them more. A burst passes. When they stay many for BurstTime, requests
// come faster than they are served; then every one beyond OverloadInFlight is
// refused at once, so that the others are served as fast as ever. No
// measurement of time or load has to be right for that, and nothing has to be
// reset: when fewer come, all are admitted.
type admission struct {
	mu       sync.Mutex
	inFlight int
	many     time.Time // since when more than StandingInFlight; zero if not
	refused  time.Time // when somebody was refused last; zero if that is long ago
}

// enter admits a request or refuses it. Who is admitted must leave.
func (a *admission) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if now.Sub(a.refused) >= CalmTime {
		a.refused = time.Time{}
	}
	lasting := !a.refused.IsZero() || !a.many.IsZero() && now.Sub(a.many) >= BurstTime
	if a.inFlight >= MaxInFlight || lasting && a.inFlight >= OverloadInFlight {
		a.refused = now
		return false
	}
	a.inFlight++
	if a.inFlight > StandingInFlight && a.many.IsZero() {
		a.many = now
	}
	return true
}

func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	if a.inFlight <= StandingInFlight {
		a.many = time.Time{}
	}
}

// callbacksPath begins what participants call.
const callbacksPath = BasePath + "/callbacks/"

// admit lets only so many requests of the API to next. Callbacks have a count
// of their own: they end work that was begun, and nobody who calls them without
// a token of theirs is to take the place of others. Probes, documents and the
// health of the service are free: they must answer just then.
func (s *service) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r.Context())
		if !strings.HasPrefix(r.URL.Path, BasePath+"/") || r.URL.Path == BasePath+"/health" {
			next.ServeHTTP(w, r)
			return
		}
		count := &s.callers
		if strings.HasPrefix(r.URL.Path, callbacksPath) {
			count = &s.participants
		}
		if !count.enter() {
			x.overload = true
			s.writeError(x, portError(ports.ErrOverloaded))
			return
		}
		x.admitted = count
		defer x.leave()
		next.ServeHTTP(w, r)
	})
}

// leave gives the place of an admitted request to another one: at its end, or
// when it only waits from now on. It may be called twice.
func (x *exchange) leave() {
	if x.admitted != nil {
		x.admitted.leave()
		x.admitted = nil
	}
}
