// Command sim looks for broken promises of the coordinator: it simulates one
// run per seed and prints the seed, the promise and the trace of the first that
// does not keep them.
//
//	sim -seed 1 -n 500
//	sim -seed 4711 -n 1 -v
//
// It exits with 1 if a promise was broken.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/app/sim"
	"github.com/firstviscount/platform-coordination/domain"
)

func main() {
	seed := flag.Uint64("seed", 1, "the first seed")
	n := flag.Int("n", 500, "how many seeds")
	replicas := flag.Int("replicas", sim.DefaultReplicas, "how many coordinators run at once")
	verbose := flag.Bool("v", false, "print a line per seed, and everything that happens if there is only one")
	flag.Parse()
	if flag.NArg() > 0 || *n < 1 || *replicas < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if !run(os.Stdout, *seed, *n, *replicas, *verbose) {
		os.Exit(1)
	}
}

// run simulates the seeds and reports whether all promises were kept.
func run(out io.Writer, seed uint64, n, replicas int, verbose bool) bool {
	t := totals{began: time.Now(), modes: map[sim.Mode]int{}, ended: map[domain.Status]int{}, hits: map[sim.Fault]int{}}
	for i := range n {
		r := sim.Run(sim.Options{Seed: seed + uint64(i), Replicas: replicas, Trace: verbose && n == 1})
		for _, line := range r.Trace {
			fmt.Fprintln(out, line)
		}
		if verbose {
			fmt.Fprintf(out, "seed %d: %s, %d workflows, %d events, %d steps, %s, hash %016x, %v\n",
				r.Seed, r.Mode, r.Workflows, r.Events, r.Steps, r.Virtual.Round(time.Second), r.Hash, r.Ended)
		}
		t.add(&r)
		if r.Violation != nil {
			fmt.Fprint(out, r.Violation)
			t.print(out)
			fmt.Fprintf(out, "again: make sim SEED=%d N=1\n", r.Seed)
			return false
		}
	}
	t.print(out)
	return true
}

// totals sum up a whole run of the command.
type totals struct {
	began                           time.Time
	seeds, workflows, events, steps int
	virtual                         time.Duration
	modes                           map[sim.Mode]int
	ended                           map[domain.Status]int
	hits                            map[sim.Fault]int
	violations                      int
}

func (t *totals) add(r *sim.Result) {
	t.seeds++
	t.workflows += r.Workflows
	t.events += r.Events
	t.steps += r.Steps
	t.virtual += r.Virtual
	t.modes[r.Mode]++
	for status, n := range r.Ended {
		t.ended[status] += n
	}
	for f, n := range r.Hits {
		t.hits[sim.Fault(f)] += n
	}
	if r.Violation != nil {
		t.violations++
	}
}

func (t *totals) print(out io.Writer) {
	took := time.Since(t.began)
	fmt.Fprintf(out, "%d seeds in %s (%.1f a second): %s of virtual time, %d workflows, %d events, %d steps, %d violations\n",
		t.seeds, took.Round(time.Millisecond), float64(t.seeds)/took.Seconds(), t.virtual.Round(time.Minute), t.workflows, t.events, t.steps, t.violations)
	fmt.Fprint(out, "modes: ")
	printCounts(out, t.modes)
	fmt.Fprint(out, "ended: ")
	printCounts(out, t.ended)
	fmt.Fprint(out, "faults hit:")
	for _, f := range slices.Sorted(maps.Keys(t.hits)) {
		fmt.Fprintf(out, " %s %d", f, t.hits[f])
	}
	fmt.Fprintln(out)
}

func printCounts[K ~string](out io.Writer, counts map[K]int) {
	for i, k := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			fmt.Fprint(out, ", ")
		}
		fmt.Fprintf(out, "%s %d", k, counts[k])
	}
	fmt.Fprintln(out)
}
