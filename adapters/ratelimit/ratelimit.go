package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Quotas of the roles and how they are shared.
const (
	QuotaService  = 10_000
	QuotaAdmin    = 5_000
	QuotaExternal = 1_000
	// DefaultWindow is the time that a quota is for. It begins with the first
	// request after the last one ended.
	DefaultWindow = time.Hour
	// ReservePercent of a quota is what may pass beyond it, over all replicas.
	ReservePercent = 2
	// chunksPerQuota: a replica leases half a percent at once. With up to five
	// replicas what they can hold unused is less than the reserve.
	chunksPerQuota = 200
	// OutagePercent of a quota is what a replica lets pass by itself, per
	// window, while the store does not answer.
	OutagePercent = 10
	// DefaultMaxSubjects is how many callers a replica remembers. One that is
	// forgotten loses the rest of its chunk and costs a look at the store.
	DefaultMaxSubjects = 10_000

	// leaseTimeout bounds one question to the store: a request waits for it.
	leaseTimeout = 250 * time.Millisecond
	// outagePause is how long the store is not asked after it failed.
	outagePause = time.Second
	shards      = 16
)

// Subject is who is counted. A subject of another issuer, or with another role,
// is somebody else.
type Subject struct{ Issuer, Role, Name string }

// Verdict is what a limit says about one request.
type Verdict struct {
	Allowed bool
	// Class is the name of the quota: the role.
	Class string
	Quota int
	// Window is the time that the quota is for, Reset what is left of it.
	Window, Reset time.Duration
	// Remaining is what is left of the quota, as far as this replica knows.
	Remaining int
}

// Config of a Limiter; the zero value of each member means its default.
type Config struct {
	// Quotas are requests per window by role. A role without one has the least.
	Quotas map[string]int
	// Window is DefaultWindow by default.
	Window time.Duration
	// MaxSubjects is DefaultMaxSubjects by default.
	MaxSubjects int
	// Clock tells the time; the system's if nil.
	Clock ports.Clock
	// Logger hears when the store cannot be asked; nobody if nil.
	Logger *slog.Logger
}

// Limiter bounds the requests of each subject. It is safe for concurrent use.
type Limiter struct {
	quotas map[string]int
	least  string // role of the least quota
	window time.Duration
	clock  ports.Clock
	log    *slog.Logger
	store  ports.Quotas
	shards [shards]shard
	seed   maphash.Seed
	// awayUntil is when to ask the store again; nil while it answers.
	awayUntil atomic.Pointer[time.Time]
}

// shard is a part of the subjects with a lock of its own, so that callers
// seldom wait for each other. It is never held during a call of the store.
type shard struct {
	mu      sync.Mutex
	buckets *recent[Subject, bucket]
}

// bucket is what a replica knows of one subject.
type bucket struct {
	held    int           // leased and not used
	granted int           // leased in this window
	left    int           // of the quota, when the store was asked last
	spent   bool          // the store has no more in this window
	ends    time.Time     // of the window; what is above means nothing after it
	asking  chan struct{} // closed when the lease under way has ended; nil without one

	alone     int // let pass without the store
	aloneEnds time.Time
}

// New returns a Limiter over the quotas of a store.
func New(c Config, store ports.Quotas) (*Limiter, error) {
	l := &Limiter{quotas: c.Quotas, window: c.Window, clock: c.Clock, log: c.Logger, store: store, seed: maphash.MakeSeed()}
	if len(l.quotas) == 0 {
		l.quotas = map[string]int{"service": QuotaService, "admin": QuotaAdmin, "external": QuotaExternal}
	}
	for role, quota := range l.quotas {
		if quota <= 0 {
			return nil, fmt.Errorf("ratelimit: the quota of %q must be positive", role)
		}
		if l.least == "" || quota < l.quotas[l.least] {
			l.least = role
		}
	}
	if c.Window < 0 || c.MaxSubjects < 0 {
		return nil, errors.New("ratelimit: window and subjects must be positive")
	}
	if l.window == 0 {
		l.window = DefaultWindow
	}
	if c.MaxSubjects == 0 {
		c.MaxSubjects = DefaultMaxSubjects
	}
	if l.clock == nil {
		l.clock = systemClock{}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for i := range l.shards {
		l.shards[i].buckets = newRecent[Subject, bucket](max(1, c.MaxSubjects/shards))
	}
	return l, nil
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// Take uses up one request of a subject, or refuses it. The error is
// ports.ErrUnavailable when nothing can be said because the store does not
// answer, or the context's.
func (l *Limiter) Take(ctx context.Context, s Subject) (Verdict, error) {
	if l.quotas[s.Role] == 0 {
		s.Role = l.least
	}
	sh := &l.shards[maphash.Comparable(l.seed, s)%shards]
	for {
		sh.mu.Lock()
		b := sh.buckets.get(s)
		now := l.clock.Now()
		if !b.ends.After(now) { // an unused chunk ends with its window
			b.held, b.granted, b.left, b.spent = 0, 0, 0, false
		}
		switch {
		case b.held > 0:
			b.held--
			v := l.verdict(s, b, now, true)
			sh.mu.Unlock()
			return v, nil
		case b.spent:
			v := l.verdict(s, b, now, false)
			sh.mu.Unlock()
			return v, nil
		case b.asking != nil:
			ended := b.asking
			sh.mu.Unlock()
			select {
			case <-ended:
			case <-ctx.Done():
				return Verdict{}, ctx.Err()
			}
		case l.isAway(now):
			v, err := l.alone(s, b, now)
			sh.mu.Unlock()
			return v, err
		default:
			b.asking = make(chan struct{})
			n, limit := l.ask(s, b)
			sh.mu.Unlock()
			l.lease(ctx, sh, b, s, n, limit)
		}
	}
}

// verdict is called with the bucket's lock held.
func (l *Limiter) verdict(s Subject, b *bucket, now time.Time, allowed bool) Verdict {
	return Verdict{Allowed: allowed, Class: s.Role, Quota: l.quotas[s.Role], Window: l.window,
		Remaining: b.held + b.left, Reset: max(0, b.ends.Sub(now))}
}

// ask is what to lease next, and out of how much. What was granted to this
// replica others cannot hold: the reserve is not for that.
func (l *Limiter) ask(s Subject, b *bucket) (n, limit int) {
	quota := l.quotas[s.Role]
	return max(1, quota/chunksPerQuota), quota + max(0, min(quota*ReservePercent/100, quota-b.granted))
}

// lease asks the store for a chunk. It is not cut short with the request that
// happens to have caused it: others wait for it, too.
func (l *Limiter) lease(ctx context.Context, sh *shard, b *bucket, s Subject, n, limit int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	before := l.clock.Now()
	got, err := l.store.LeaseQuota(ctx, s.key(), limit, n, l.window)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	close(b.asking)
	b.asking = nil
	if err != nil {
		l.away(ctx, err)
		return
	}
	if l.awayUntil.Swap(nil) != nil {
		l.log.InfoContext(ctx, "the store answers again; rate limits hold over all replicas")
	}
	ends := before.Add(got.EndsIn) // by the time before the call: rather too early than too late
	if ends.Sub(b.ends) > l.window/2 {
		b.granted = 0 // another window has begun
	}
	b.ends, b.held, b.spent = ends, got.Granted, got.Granted == 0
	b.granted += got.Granted
	b.left = max(0, got.Remaining-(limit-l.quotas[s.Role]))
}

// key names a subject in the store. It is a hash: a store of counts need not
// know who calls. The parts are told apart by their lengths.
func (s Subject) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%d:%s%s", len(s.Issuer), s.Issuer, len(s.Role), s.Role, s.Name))
	return "requests/" + hex.EncodeToString(sum[:])
}

// away notes that the store did not answer.
func (l *Limiter) away(ctx context.Context, err error) {
	until := l.clock.Now().Add(outagePause)
	if l.awayUntil.Swap(&until) == nil {
		l.log.WarnContext(ctx, "the store cannot be asked for rate limits; this replica lets some requests pass by itself", "error", err)
	}
}

func (l *Limiter) isAway(now time.Time) bool {
	until := l.awayUntil.Load()
	return until != nil && now.Before(*until)
}

// alone decides without the store, with the bucket's lock held. Refusing
// everything would make the limiter an outage of its own, and its 429 untrue;
// letting everything pass would lift the limit for who can cause one. So a
// replica lets a part of the quota pass, and then says that it cannot tell.
func (l *Limiter) alone(s Subject, b *bucket, now time.Time) (Verdict, error) {
	quota := l.quotas[s.Role]
	if !b.aloneEnds.After(now) {
		b.alone, b.aloneEnds = 0, now.Add(l.window)
	}
	share := max(1, quota*OutagePercent/100)
	if b.alone >= share {
		return Verdict{}, ports.ErrUnavailable
	}
	b.alone++
	return Verdict{Allowed: true, Class: s.Role, Quota: quota, Window: l.window,
		Remaining: share - b.alone, Reset: b.aloneEnds.Sub(now)}, nil
}
