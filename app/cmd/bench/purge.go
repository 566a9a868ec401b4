package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/retention"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// keptFor is how long retention keeps workflows while it is measured.
	keptFor = 30 * 24 * time.Hour
	// sweepEvery has a sweep begin at once.
	sweepEvery = 10 * time.Millisecond
)

// measurePurges compares, for each SQL store and number of starters, starts
// while a large backlog is removed with starts while it is not.
func measurePurges(ctx context.Context, o options) error {
	for _, store := range o.stores {
		if store == "memory" {
			continue
		}
		srv, err := openServer(store, o.seal)
		if err != nil {
			return err
		}
		for _, n := range o.starters {
			if err = measurePurge(ctx, srv, testCase{store, o.participants[0], o.starts[0], "saga6", n, o.duration, o.observed}, o); err != nil {
				break
			}
		}
		srv.close()
		if err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
	}
	return nil
}

// measurePurge takes pairs of rounds on one database, in turn with and without
// a sweeper first, and shows the medians and how they compare within the pairs.
func measurePurge(ctx context.Context, srv *server, c testCase, o options) error {
	recorded, err := record(ctx, srv, c)
	if err != nil {
		return err
	}
	s, err := newSubject(ctx, srv, c, func(store ports.Store) error {
		_, err := limit.Run(ctx, store, limit.Options{Sagas: o.purge, InFlight: 256, Changes: func() []ports.Change { return recorded.ago(2 * keptFor) }})
		return errors.Join(err, srv.settle(ctx))
	})
	if err != nil {
		return err
	}
	defer s.closeAll()
	if _, err := load(ctx, s, c.starters, c.duration/2); err != nil {
		return err
	}
	var pairs [][2]*sweptRound // without, with
	for i := range o.rounds {
		var pair [2]*sweptRound
		for j := range pair {
			which := (i + j) % 2
			if pair[which], err = sweptLoad(ctx, s, c, o.purgeRest*which); err != nil {
				return err
			}
		}
		pairs = append(pairs, pair)
	}
	tellPurge(c, pairs)
	return nil
}

// record runs the case until one workflow has ended.
func record(ctx context.Context, srv *server, c testCase) (*recording, error) {
	c.starters, c.duration = 1, 200*time.Millisecond
	r, err := measure(ctx, srv, c)
	if err != nil {
		return nil, err
	}
	if r.recording == nil {
		return nil, errors.New("no workflow ended")
	}
	return r.recording, nil
}

// sweptRound is what starts were like in one round.
type sweptRound struct {
	perSecond     float64
	starts, whole []time.Duration // sorted
	removed       int
}

// sweptLoad runs one round, with a sweeper as the coordinator has one unless rest is 0.
func sweptLoad(ctx context.Context, s *subject, c testCase, rest int) (*sweptRound, error) {
	var removed atomic.Int64
	if rest > 0 {
		sweeper, err := retention.New(retention.Config{Policy: retention.Policy{Completed: keptFor}, Every: sweepEvery, Rest: rest}, retention.Deps{
			Store: s.store, Clock: engine.SystemClock{}, Entropy: engine.SystemEntropy{},
			Removed: func(r retention.Removed) { removed.Add(int64(r.N)) }})
		if err != nil {
			return nil, err
		}
		defer sweeper.Close()
		sweeper.Start()
	}
	begun := time.Now()
	starts, whole, err := timed(ctx, s, c.starters, c.duration)
	if err != nil {
		return nil, err
	}
	r := &sweptRound{perSecond: float64(len(whole)) / time.Since(begun).Seconds(), starts: starts, whole: whole, removed: int(removed.Load())}
	slices.Sort(r.starts)
	slices.Sort(r.whole)
	if rest > 0 && r.removed == 0 {
		return nil, errors.New("-purge: the backlog was too small for so many rounds")
	}
	return r, nil
}

func tellPurge(c testCase, pairs [][2]*sweptRound) {
	at := func(sorted []time.Duration, q float64) float64 { return ms(sorted[int(q*float64(len(sorted)-1))]) }
	removed := make([]float64, len(pairs))
	for i, p := range pairs {
		removed[i] = float64(p[1].removed) / c.duration.Seconds()
	}
	fmt.Printf("%-9s %d starters, %d pairs of rounds of %s, with %.0f workflows removed per second:\n", c.store, c.starters, len(pairs), c.duration, middle(removed))
	for _, m := range []struct {
		name string
		of   func(*sweptRound) float64
	}{
		{"workflows/s", func(r *sweptRound) float64 { return r.perSecond }},
		{"start p50 ms", func(r *sweptRound) float64 { return at(r.starts, .5) }},
		{"start p99 ms", func(r *sweptRound) float64 { return at(r.starts, .99) }},
		{"workflow p50 ms", func(r *sweptRound) float64 { return at(r.whole, .5) }},
		{"workflow p99 ms", func(r *sweptRound) float64 { return at(r.whole, .99) }},
	} {
		var without, with, ratios []float64
		for _, p := range pairs {
			without, with = append(without, m.of(p[0])), append(with, m.of(p[1]))
			ratios = append(ratios, m.of(p[1])/m.of(p[0]))
		}
		middleRatio := middle(ratios)
		fmt.Printf("  %-16s without %8.2f, with %8.2f; ratio %.2f (%.2f to %.2f)\n", m.name, middle(without), middle(with), middleRatio, slices.Min(ratios), slices.Max(ratios))
	}
	var all [2][]time.Duration
	for _, p := range pairs {
		for i := range all {
			all[i] = append(all[i], p[i].starts...)
		}
	}
	slices.Sort(all[0])
	slices.Sort(all[1])
	fmt.Printf("  start p99 ms over all rounds: without %.2f, with %.2f\n", at(all[0], .99), at(all[1], .99))
}

// middle is the median.
func middle(list []float64) float64 {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, cmp.Compare[float64])
	return sorted[len(sorted)/2]
}
