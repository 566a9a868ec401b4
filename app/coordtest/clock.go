package coordtest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Start is the time at which every server begins.
var Start = time.Date(2026, time.January, 15, 10, 0, 0, 0, time.UTC)

// clock stands still until somebody moves it.
type clock struct {
	mu       sync.Mutex
	now      time.Time
	sleepers []*sleeper
}

type sleeper struct {
	until time.Time
	woken chan struct{}
}

// Now is the time of the test.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep waits until the clock was moved by d; false if ctx ends first.
func (c *clock) Sleep(ctx context.Context, d time.Duration) bool {
	c.mu.Lock()
	s := &sleeper{until: c.now.Add(d), woken: make(chan struct{})}
	c.sleepers = append(c.sleepers, s)
	c.mu.Unlock()
	select {
	case <-s.woken:
		return true
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sleepers = slices.DeleteFunc(c.sleepers, func(other *sleeper) bool { return other == s })
		return false
	}
}

// asleep is how many wait.
func (c *clock) asleep() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sleepers)
}

// next is when the first of them wakes; zero if nobody waits.
func (c *clock) next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first time.Time
	for _, s := range c.sleepers {
		first = earlier(first, s.until)
	}
	return first
}

// move sets the time and wakes whoever waited for it.
func (c *clock) move(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
	c.sleepers = slices.DeleteFunc(c.sleepers, func(s *sleeper) bool {
		due := !s.until.After(to)
		if due {
			close(s.woken)
		}
		return due
	})
}

// earlier is the earlier of two times of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
