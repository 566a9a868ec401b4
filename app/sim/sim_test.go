package sim

import (
	"testing"

	"github.com/firstviscount/platform-coordination/domain"
)

// TestPromisesAreKept runs seeds of every mode; CI runs more with make sim.
func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	const seeds = 150
	modes := map[Mode]int{}
	var hits [faultCount]int
	for seed := range uint64(seeds) {
		r := Run(Options{Seed: seed})
		if r.Violation != nil {
			t.Fatal(r.Violation)
		}
		modes[r.Mode]++
		for f, n := range r.Hits {
			hits[f] += n
		}
		checkEnd(t, &r)
	}
	for _, m := range []Mode{Calm, Rejections, Swarm} {
		if modes[m] == 0 {
			t.Errorf("no seed was %s", m)
		}
	}
	for f, n := range hits {
		if n == 0 {
			t.Errorf("%s never struck in %d seeds", Fault(f), seeds)
		}
	}
}

func checkEnd(t *testing.T, r *Result) {
	t.Helper()
	switch {
	case r.Workflows == 0:
		t.Errorf("seed %d: no workflow was started", r.Seed)
	case r.Mode == Calm && r.Ended[domain.Completed] != r.Workflows:
		t.Errorf("seed %d is calm and ended %v", r.Seed, r.Ended)
	case r.Mode == Rejections && r.Ended[domain.Failed] != r.Workflows:
		t.Errorf("seed %d is rejections and ended %v", r.Seed, r.Ended)
	}
}

func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	hashes := map[uint64]uint64{}
	for seed := range uint64(50) {
		first, second := Run(Options{Seed: seed}), Run(Options{Seed: seed})
		if first.Hash != second.Hash || first.Steps != second.Steps {
			t.Errorf("seed %d went two ways: %016x in %d steps, %016x in %d", seed, first.Hash, first.Steps, second.Hash, second.Steps)
		}
		if other, seen := hashes[first.Hash]; seen {
			t.Errorf("seeds %d and %d went the same way", seed, other)
		}
		hashes[first.Hash] = seed
	}
}

func TestTraceDoesNotChangeTheRun(t *testing.T) {
	t.Parallel()
	plain, traced := Run(Options{Seed: 7}), Run(Options{Seed: 7, Trace: true})
	if plain.Hash != traced.Hash || len(plain.Trace) > 0 || len(traced.Trace) == 0 {
		t.Errorf("hash %016x with %d lines, traced %016x with %d", plain.Hash, len(plain.Trace), traced.Hash, len(traced.Trace))
	}
}

func TestThreeReplicas(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		if r := Run(Options{Seed: 1000 + seed, Replicas: 3}); r.Violation != nil {
			t.Fatal(r.Violation)
		}
	}
}
