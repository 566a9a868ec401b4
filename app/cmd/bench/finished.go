package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/limit"
	"github.com/firstviscount/platform-coordination/ports"
)

// readRounds is how often each read is timed.
const readRounds = 41

// measureFinished compares an empty database with one that holds n finished
// workflows: throughput, and the reads that must not slow down as they pile up.
func measureFinished(ctx context.Context, srv *server, n int, o options) error {
	c := testCase{srv.kind, "simulated", "inprocess", "saga6", slices.Max(o.starters), o.duration, o.observed}
	empty, err := measureReads(ctx, srv, c, nil, 0)
	if err != nil {
		return err
	}
	full, err := measureReads(ctx, srv, c, empty.recording, n)
	if err != nil {
		return err
	}
	fmt.Printf("%-9s with %d finished workflows against none:\n", srv.kind, n)
	fmt.Printf("  %-44s %10.0f/s %10.0f/s  ×%.2f\n", "saga6 throughput", empty.perSecond, full.perSecond, full.perSecond/empty.perSecond)
	for i, r := range empty.reads {
		fmt.Printf("  %-44s %10.2fms %10.2fms  ×%.2f\n", r.name, ms(r.median), ms(full.reads[i].median), float64(full.reads[i].median)/float64(r.median))
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

type readings struct {
	perSecond float64
	reads     []reading
	recording *recording
}

type reading struct {
	name   string
	median time.Duration
}

// measureReads fills a database with n finished workflows and measures.
func measureReads(ctx context.Context, srv *server, c testCase, fill *recording, n int) (*readings, error) {
	s, err := newSubject(ctx, srv, c, func(store ports.Store) error {
		if n == 0 {
			return nil
		}
		if _, err := limit.Run(ctx, store, limit.Options{Sagas: n, InFlight: 256, Changes: fill.again}); err != nil {
			return err
		}
		return srv.settle(ctx)
	})
	if err != nil {
		return nil, err
	}
	defer s.closeAll()
	if _, err := load(ctx, s, c.starters, c.duration/2); err != nil {
		return nil, err
	}
	r := &readings{}
	begin := time.Now()
	done, err := load(ctx, s, c.starters, 2*c.duration)
	if err != nil {
		return nil, err
	}
	r.perSecond = float64(len(done)) / time.Since(begin).Seconds()
	s.store.mu.Lock()
	r.recording = s.store.sample
	s.store.mu.Unlock()
	for _, q := range reads(s) {
		times := make([]time.Duration, readRounds)
		for i := range times {
			at := time.Now()
			if err := q.do(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", q.name, err)
			}
			times[i] = time.Since(at)
		}
		slices.Sort(times)
		r.reads = append(r.reads, reading{q.name, times[readRounds/2]})
	}
	return r, nil
}

type read struct {
	name string
	do   func(context.Context) error
}

func reads(s *subject) []read {
	list := func(q ports.ListQuery) func(context.Context) error {
		return func(ctx context.Context) error {
			q.Limit, q.Now = 20, time.Now()
			_, err := s.store.List(ctx, q)
			return err
		}
	}
	return []read{
		{"GET /workflows/active", list(ports.ListQuery{ActiveOnly: true})},
		{"GET /workflows", list(ports.ListQuery{})},
		{"GET /workflows?status=COMPLETED", list(ports.ListQuery{Status: "COMPLETED"})},
		{"GET /workflows?type=SAGA6&sort=updatedAt,desc", list(ports.ListQuery{Type: "SAGA6", Sort: ports.SortUpdatedAt})},
		{"GET /workflows?businessKey=…", list(ports.ListQuery{BusinessKey: "ord-none"})},
		{"metrics of a month", func(ctx context.Context) error {
			_, err := s.store.Counts(ctx, time.Now().Add(-31*24*time.Hour), time.Now().Add(time.Hour), "")
			return err
		}},
		{"health: live and stuck workflows", func(ctx context.Context) error {
			_, _, err := s.store.Live(ctx, 30*time.Second)
			return err
		}},
	}
}

// settle lets the database finish what it would do in time by itself.
func (s *server) settle(ctx context.Context) error {
	if s.kind != "postgres" {
		return nil
	}
	return s.vacuum(ctx)
}
