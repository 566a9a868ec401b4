package retention_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/app/retention"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

const day = 24 * time.Hour

// policy keeps each part for another time, and batches for ever.
var policy = retention.Policy{Completed: 30 * day, Failed: 90 * day, Cancelled: 20 * day, Deliveries: 10 * day, Audit: 365 * day}

// shelf is a store of things that are all over their age.
type shelf struct {
	took func(limit int) time.Duration // how long a step takes; nil: no time

	mu     sync.Mutex
	things map[string]int
	faults map[string]error
	ages   map[string]time.Duration // that the last step of a part asked for
	steps  []step
}

type step struct {
	part       string
	n          int
	begun, end time.Time
}

func (s *shelf) remove(ctx context.Context, part string, t time.Time, limit int) (int, error) {
	begun := time.Now()
	if s.took != nil {
		select {
		case <-time.After(s.took(limit)):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ages == nil {
		s.ages = map[string]time.Duration{}
	}
	s.ages[part] = begun.Sub(t)
	if err := s.faults[part]; err != nil {
		return 0, err
	}
	n := min(limit, s.things[part])
	if s.things[part] -= n; n > 0 {
		s.steps = append(s.steps, step{part, n, begun, time.Now()})
	}
	return n, nil
}

func (s *shelf) left() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.things)
}

// taken are the steps that removed anything.
func (s *shelf) taken() []step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.steps)
}

func (s *shelf) PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
	return s.remove(ctx, strings.ToLower(string(status)), t, limit)
}

func (s *shelf) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.remove(ctx, "deliveries", t, limit)
}

func (s *shelf) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.remove(ctx, "audit", t, limit)
}

func (s *shelf) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.remove(ctx, "batches", t, limit)
}

func (s *shelf) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.remove(ctx, "idempotency", t, limit)
}

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now() }

// dice always show the same.
type dice struct {
	ports.Entropy
	shows uint64
}

func (d dice) Random() uint64 { return d.shows }

// sweep starts a sweeper that ends with the bubble.
func sweep(t *testing.T, store retention.Store, edit ...func(*retention.Config, *retention.Deps)) *retention.Sweeper {
	t.Helper()
	cfg, deps := retention.Config{Policy: policy}, retention.Deps{Store: store, Clock: bubbleClock{}, Entropy: dice{}}
	for _, e := range edit {
		e(&cfg, &deps)
	}
	s, err := retention.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Start()
	return s
}

// inBubble runs a test on virtual time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, test)
}

func TestWhatIsOverItsAgeGoesAndNothingElseIsAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := &shelf{things: map[string]int{"completed": 1000, "failed": 10, "cancelled": 1, "deliveries": 300, "audit": 64, "batches": 5, "idempotency": 7}}
		var mu sync.Mutex
		told := map[retention.Removed]int{}
		sweep(t, s, func(_ *retention.Config, d *retention.Deps) {
			d.Removed = func(r retention.Removed) {
				mu.Lock()
				defer mu.Unlock()
				n := r.N
				r.N = 0
				told[r] += n
			}
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if left := s.left(); fmt.Sprint(left) != "map[audit:0 batches:5 cancelled:0 completed:0 deliveries:0 failed:0 idempotency:0]" {
			t.Errorf("left are %v", left)
		}
		want := map[string]time.Duration{"completed": 30 * day, "failed": 90 * day, "cancelled": 20 * day, "deliveries": 10 * day,
			"audit": 365 * day, "idempotency": 7 * day}
		s.mu.Lock()
		defer s.mu.Unlock()
		for part, age := range want {
			if got := s.ages[part]; got < age || got > age+time.Minute {
				t.Errorf("%s were asked for that are older than %s, want %s", part, got, age)
			}
		}
		if len(s.ages) != len(want) {
			t.Errorf("asked for %v", s.ages)
		}
		mu.Lock()
		defer mu.Unlock()
		for r, n := range map[retention.Removed]int{{Kind: retention.Workflows, Status: domain.Completed}: 1000, {Kind: retention.Workflows, Status: domain.Failed}: 10,
			{Kind: retention.Deliveries}: 300, {Kind: retention.Audit}: 64, {Kind: retention.Idempotency}: 7} {
			if told[r] != n {
				t.Errorf("told of %d of %+v, want %d", told[r], r, n)
			}
		}
	})
}

// A sweeper has half a percent of the time, in steps of a few milliseconds; when
// that is too little, up to a twentieth.
func TestStepsAreSmallAndFarApart(t *testing.T) {
	for name, each := range map[string]time.Duration{"fast": 50 * time.Microsecond, "slow": 2 * time.Millisecond, "very slow": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := &shelf{things: map[string]int{"completed": 10_000_000, "failed": 10_000_000},
					took: func(limit int) time.Duration { return time.Duration(limit) * each }}
				sweep(t, s)
				time.Sleep(4 * time.Minute) // within the first sweep
				synctest.Wait()
				first := len(s.taken())
				farApart(t, s.taken(), retention.LongRest, max(retention.StepTarget, retention.MinStep*each))
				time.Sleep(time.Hour)
				synctest.Wait()
				farApart(t, s.taken(), retention.ShortRest, max(retention.StepTarget, retention.MinStep*each))
				if later := len(s.taken()) - first; later < 5*15*first {
					t.Errorf("%d steps in four minutes and %d in an hour: it did not become faster", first, later)
				}
			})
		})
	}
}

// farApart expects steps that last no longer than most, once the sweeper has
// found their size, with rests in between.
func farApart(t *testing.T, steps []step, rest, most time.Duration) {
	t.Helper()
	if len(steps) < 5 {
		t.Fatalf("only %d steps", len(steps))
	}
	for i := 1; i < len(steps); i++ {
		if took := steps[i].end.Sub(steps[i].begun); i > 20 && took > most {
			t.Fatalf("step %d took %s for %d", i, took, steps[i].n)
		}
		before := steps[i-1].end.Sub(steps[i-1].begun)
		if pause := steps[i].begun.Sub(steps[i-1].end); pause < rest*before {
			t.Fatalf("step %d began %s after one that took %s", i, pause, before)
		}
	}
}

func TestMuchOfOneKindDoesNotHoldUpTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := &shelf{things: map[string]int{"deliveries": 100_000_000, "completed": 100_000_000, "audit": 100},
			took: func(int) time.Duration { return 4 * time.Millisecond }}
		behind := sweep(t, s)
		time.Sleep(time.Minute + retention.DefaultEvery)
		synctest.Wait()
		if left := s.left(); left["audit"] > 0 || left["deliveries"] == 100_000_000 || left["completed"] == 100_000_000 {
			t.Errorf("left are %v", left)
		}
		time.Sleep(time.Hour)
		if late := behind.Behind(); late < time.Hour {
			t.Errorf("with much left it is %s behind", late)
		}
	})
}

func TestOneLineTellsWhatASweepHasRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var lines bytes.Buffer
		s := &shelf{things: map[string]int{"completed": 500, "audit": 3}}
		behind := sweep(t, s, func(_ *retention.Config, d *retention.Deps) { d.Logger = slog.New(slog.NewJSONHandler(&lines, nil)) })
		time.Sleep(time.Hour)
		synctest.Wait()
		var line map[string]any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("want one line, got %q: %v", lines.String(), err)
		}
		if line["completed"] != 500.0 || line["audit"] != 3.0 || line["level"] != "INFO" {
			t.Errorf("got %v", line)
		}
		for _, part := range []string{"failed", "deliveries", "batches"} {
			if line[part] != nil {
				t.Errorf("it tells of %s", part)
			}
		}
		if late := behind.Behind(); late > 2*retention.DefaultEvery {
			t.Errorf("with nothing left it is %s behind", late)
		}
	})
}

func TestAPartThatFailsHoldsUpNoOtherAndIsTriedLessAndLessOften(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var lines bytes.Buffer
		down := errors.New("down")
		s := &shelf{things: map[string]int{"completed": 10, "audit": 10, "failed": 10}, faults: map[string]error{"completed": down}}
		behind := sweep(t, s, func(_ *retention.Config, d *retention.Deps) { d.Logger = slog.New(slog.NewTextHandler(&lines, nil)) })
		time.Sleep(day)
		synctest.Wait()
		if left := s.left(); left["audit"] > 0 || left["failed"] > 0 || left["completed"] != 10 {
			t.Errorf("left are %v", left)
		}
		warned := strings.Count(lines.String(), "level=WARN")
		if warned < 20 || warned > 30 {
			t.Errorf("tried %d times in a day, want about once an hour:\n%s", warned, lines.String())
		}
		if !strings.Contains(lines.String(), "completed: down") {
			t.Errorf("the log does not say what failed:\n%s", lines.String())
		}
		if late := behind.Behind(); late < 23*time.Hour {
			t.Errorf("it is %s behind", late)
		}
		s.mu.Lock()
		delete(s.faults, "completed")
		s.mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if left := s.left(); left["completed"] > 0 {
			t.Errorf("left are %v", left)
		}
	})
}

func TestReplicasBeginApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begun := time.Now()
		one, other := &shelf{things: map[string]int{"completed": 1}}, &shelf{things: map[string]int{"completed": 1}}
		sweep(t, one, func(_ *retention.Config, d *retention.Deps) { d.Entropy = dice{shows: uint64(time.Minute)} })
		sweep(t, other, func(_ *retention.Config, d *retention.Deps) { d.Entropy = dice{shows: uint64(3 * time.Minute)} })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for s, want := range map[*shelf]time.Duration{one: time.Minute, other: 3 * time.Minute} {
			if got := s.taken()[0].begun.Sub(begun); got < want || got > want+time.Second {
				t.Errorf("began after %s, want %s", got, want)
			}
		}
	})
}

func TestCloseEndsAStepThatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var lines bytes.Buffer
		s := &shelf{things: map[string]int{"completed": 10}, took: func(int) time.Duration { return 9 * time.Second }}
		sweeper := sweep(t, s, func(_ *retention.Config, d *retention.Deps) { d.Logger = slog.New(slog.NewTextHandler(&lines, nil)) })
		time.Sleep(time.Second) // within the first step
		begun := time.Now()
		sweeper.Close()
		if took := time.Since(begun); took > 0 {
			t.Errorf("Close took %s", took)
		}
		sweeper.Close()
		sweeper.Start()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(s.taken()) > 0 || lines.Len() > 0 {
			t.Errorf("after Close: %d steps, log %q", len(s.taken()), lines.String())
		}
	})
}

func TestCloseWithoutStart(t *testing.T) {
	t.Parallel()
	s, err := retention.New(retention.Config{}, retention.Deps{Store: &shelf{}, Clock: bubbleClock{}, Entropy: dice{}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := retention.New(retention.Config{}, retention.Deps{}); err == nil {
		t.Error("a sweeper without a store")
	}
}
