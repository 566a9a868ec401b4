package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// DefaultEvery is how often a replica looks for what is over its age.
	DefaultEvery = 5 * time.Minute
	// StepTarget is how long a step should take: whoever commits at that moment
	// may have to wait for it.
	StepTarget = 5 * time.Millisecond
	// LongRest is how many times as long as a step took the sweeper rests after
	// it: removal has half a percent of the time.
	LongRest = 199
	// ShortRest is the same when removal does not keep up otherwise: a twentieth.
	ShortRest = 19
	// MinStep and MaxStep bound how many things a step removes. Fewer would cost
	// as much.
	MinStep, MaxStep = 16, 64

	// minRest is how long the sweeper rests at least.
	minRest = 5 * time.Millisecond
	// maxRest is how long it rests at most, after a step that hung.
	maxRest = 5 * time.Minute
	// maxSweep is how long a sweep goes on before it tells what it has done.
	maxSweep = 5 * time.Minute
	// maxBackoff is how long a store that fails is left alone at most.
	maxBackoff = time.Hour
	// storeTimeout bounds one step.
	storeTimeout = 10 * time.Second
)

// Config sets a sweeper up.
type Config struct {
	Policy Policy
	// Every is how often it looks for what is over its age. Default 5 minutes.
	Every time.Duration
	// Rest is how many times as long as a step took the sweeper rests after it,
	// to begin with. Default LongRest.
	Rest int
}

// Deps are what a sweeper works with. Logger and Removed may be nil.
type Deps struct {
	Store   Store
	Clock   ports.Clock
	Entropy ports.Entropy
	Logger  *slog.Logger
	// Removed is told of every step that removed anything, for metrics.
	Removed func(Removed)
}

// Sweeper removes what is over its age. Any number of replicas can have one over
// the same store.
type Sweeper struct {
	Deps
	every time.Duration
	parts []*part
	rest  time.Duration // LongRest to ShortRest; only run uses it
	// current is when a sweep last left nothing over its age, in Unix nanoseconds.
	current atomic.Int64

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	start   sync.Once
}

// New makes a sweeper that does nothing before Start.
func New(cfg Config, d Deps) (*Sweeper, error) {
	if d.Store == nil || d.Clock == nil || d.Entropy == nil {
		return nil, errors.New("retention: Store, Clock and Entropy are required")
	}
	if cfg.Every <= 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Rest <= 0 {
		cfg.Rest = LongRest
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Removed == nil {
		d.Removed = func(Removed) {}
	}
	s := &Sweeper{Deps: d, every: cfg.Every, parts: parts(cfg.Policy, d.Store), rest: time.Duration(cfg.Rest)}
	s.current.Store(d.Clock.Now().UnixNano())
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Start begins to sweep. A second call does nothing, nor does one after Close.
func (s *Sweeper) Start() {
	s.start.Do(func() { s.running.Go(s.run) })
}

// Close ends the step that is under way and returns when nothing is swept any
// more. It may be called twice, and without Start.
func (s *Sweeper) Close() {
	s.start.Do(func() {})
	s.cancel()
	s.running.Wait()
}

// Behind is how long ago nothing was over its age, as far as this replica knows:
// normally no more than the time between two sweeps.
func (s *Sweeper) Behind() time.Duration {
	return max(s.Clock.Now().Sub(time.Unix(0, s.current.Load())), 0)
}

// run sweeps until Close. Replicas that start together begin apart. A sweep that
// ran out of time is followed by one that rests half as long.
func (s *Sweeper) run() {
	pause, failures := s.upTo(s.every), 0
	for s.wait(pause) {
		more, err := s.sweep()
		switch {
		case s.ctx.Err() != nil:
			return
		case err != nil:
			pause = min(s.every<<min(failures, 10), max(maxBackoff, s.every))
			failures++
			s.Logger.Warn("not everything over its age could be removed; it is tried again later", "error", err, "in", pause)
		case more: // it does not keep up
			pause, failures = 0, 0
			s.rest = max(s.rest/2, ShortRest)
		default:
			pause, failures = s.every, 0
			s.rest = min(s.rest*2, LongRest)
		}
		pause += s.upTo(pause / 4)
	}
}

// upTo is a random time, shorter than d.
func (s *Sweeper) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(s.Entropy.Random() % uint64(d))
}

// wait reports false if there is nothing to wait for any more.
func (s *Sweeper) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.ctx.Err() == nil
	case <-s.ctx.Done():
		return false
	}
}

// sweep takes steps until nothing is over its age, and says once what it has
// removed. A part whose step fails is left for the next sweep. It reports
// whether it had to stop before the end.
func (s *Sweeper) sweep() (more bool, err error) {
	begun := s.Clock.Now()
	removed := map[*part]int{}
	left := slices.Clone(s.parts)
	for len(left) > 0 && s.Clock.Now().Sub(begun) < maxSweep && s.ctx.Err() == nil {
		left = slices.DeleteFunc(left, func(p *part) bool {
			if s.ctx.Err() != nil {
				return false
			}
			n, full, failed := s.step(p, begun)
			removed[p] += n
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", p.name(), failed))
			}
			return !full
		})
	}
	if len(left) == 0 && err == nil {
		s.current.Store(begun.UnixNano())
	}
	s.tell(removed, s.Clock.Now().Sub(begun))
	return len(left) > 0, err
}

// step removes some of a part and rests. It reports whether there may be more.
func (s *Sweeper) step(p *part, now time.Time) (n int, full bool, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, storeTimeout)
	defer cancel()
	size, begun := p.size, time.Now()
	n, err = p.purge(ctx, now.Add(-p.age), size)
	took := time.Since(begun)
	if n > 0 {
		s.Removed(Removed{p.kind, p.status, n})
	}
	full = err == nil && n >= size
	p.size = next(size, full, took)
	rest := min(max(s.rest*took, minRest), maxRest)
	s.wait(rest + s.upTo(rest/4))
	return n, full, err
}

// next is the size of the step after one that took so long.
func next(size int, full bool, took time.Duration) int {
	switch {
	case took > StepTarget:
		return max(size/2, MinStep)
	case full && took < StepTarget/2:
		return min(size*2, MaxStep)
	}
	return size
}

// tell logs what a sweep has removed: how many of what.
func (s *Sweeper) tell(removed map[*part]int, took time.Duration) {
	var counts []any
	for _, p := range s.parts {
		if n := removed[p]; n > 0 {
			counts = append(counts, p.name(), n)
		}
	}
	if len(counts) > 0 {
		s.Logger.Info("removed what was over its age", append(counts, "took", took)...)
	}
}
