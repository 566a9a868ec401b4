// Command bench measures the coordinator on this machine: six-step sagas that
// complete (saga6) and that fail at the fourth step with three undone (saga6c),
// started in process and over REST, with participants in process, over HTTP and
// over the message bus, on every store; and, in the same run, the limit: a bare client that writes
// the rows of saga6 in the same batches without an engine.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/retention"
)

// options are the command line.
type options struct {
	stores       []string
	participants []string
	starts       []string
	sagas        []string
	starters     []int
	duration     time.Duration
	profile      string
	limit        bool
	seal         bool
	finished     int
	purge        int
	purgeRest    int
	rounds       int
	observed     bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == participantCommand {
		serveParticipant()
		return
	}
	if len(os.Args) > 2 && os.Args[1] == busParticipantCommand {
		if err := serveBusParticipant(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	config.TuneMemory() // as the coordinator does
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse() (options, error) {
	stores := flag.String("store", "memory,sqlite,postgres", "stores to measure")
	participants := flag.String("participants", "simulated,http,bus,nats", "participants to measure: in process, over HTTP, over the bus in process, over NATS JetStream")
	starts := flag.String("start", "inprocess,rest", "ways to start a workflow")
	sagas := flag.String("saga", "saga6,saga6c", "sagas to run")
	starters := flag.String("starters", "1,16,128", "how many start at once, each again when its saga ended")
	duration := flag.Duration("duration", 4*time.Second, "how long each case runs")
	profile := flag.String("cpuprofile", "", "write a CPU profile of all cases here")
	limit := flag.Bool("limit", true, "measure the limit of SQL stores too")
	seal := flag.Bool("seal", true, "encrypt what is stored, as the coordinator does")
	finished := flag.Int("finished", 0, "also compare SQL stores that hold so many finished workflows with empty ones")
	purge := flag.Int("purge", 0, "instead, compare starts on SQL stores while retention removes so many workflows with starts while it does not, in -rounds pairs")
	purgeRest := flag.Int("purge-rest", retention.LongRest, "how many times as long as a step of retention took it rests after it")
	rounds := flag.Int("rounds", 1, "how often all cases are run, in turn; then the medians are shown")
	observed := flag.Bool("telemetry", false, "keep metrics, and make traces if OTEL_EXPORTER_OTLP_ENDPOINT is set")
	flag.Parse()
	o := options{stores: strings.Split(*stores, ","), participants: strings.Split(*participants, ","), starts: strings.Split(*starts, ","),
		sagas: strings.Split(*sagas, ","), duration: *duration, profile: *profile, limit: *limit, seal: *seal, finished: *finished, rounds: *rounds,
		observed: *observed, purge: *purge, purgeRest: *purgeRest}
	if o.rounds < 1 {
		return o, errors.New("-rounds: want at least 1")
	}
	for _, s := range strings.Split(*starters, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-starters: %q is not a positive number", s)
		}
		o.starters = append(o.starters, n)
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	stopProfile, err := startProfile(o.profile)
	if err != nil {
		return err
	}
	defer stopProfile()
	if o.purge > 0 {
		return measurePurges(ctx, o)
	}
	fmt.Printf("%-9s %-10s %-10s %-7s %8s | %12s %9s %9s %9s | %10s %10s %12s %12s %8s\n", "store", "participnt", "start", "saga", "starters",
		"workflows/s", "p50 ms", "p95 ms", "p99 ms", "CPU s/1000", "KiB/wf", "commits/tr", "fsyncs/tr", "RSS MiB")
	for _, store := range o.stores {
		if err := measureStore(ctx, o, store); err != nil {
			return fmt.Errorf("%s: %w", store, err)
		}
	}
	return nil
}

// measureStore runs every case on one store and then its limit. Every case
// gets a database of its own. With several rounds all cases are run in turn, so
// that a machine which is slow for a while is slow for all of them.
func measureStore(ctx context.Context, o options, store string) error {
	server, err := openServer(store, o.seal)
	if err != nil {
		return err
	}
	defer server.close()
	cases := casesOf(o, store)
	results := make([][]*result, len(cases))
	for range o.rounds {
		for i, c := range cases {
			r, err := measure(ctx, server, c)
			if err != nil {
				return err
			}
			results[i] = append(results[i], r)
			if o.rounds == 1 {
				fmt.Println(r)
			}
		}
	}
	if o.rounds > 1 {
		for _, list := range results {
			fmt.Println(median(list))
		}
	}
	tellBus(results)
	best, recorded := bestInProcess(results)
	if o.finished > 0 && store != "memory" {
		if err := measureFinished(ctx, server, o.finished, o); err != nil {
			return err
		}
	}
	if !o.limit || store == "memory" || recorded == nil {
		return ctx.Err()
	}
	limit, err := measureLimit(ctx, server, recorded, o)
	if err != nil {
		return err
	}
	fmt.Printf("%-9s limit: a bare client writes the same rows at %.0f saga6/s; the engine reached %.0f %% of it\n", store, limit, 100*best/limit)
	return ctx.Err()
}

// casesOf are the rows of the table for a store.
func casesOf(o options, store string) (cases []testCase) {
	for _, participants := range o.participants {
		for _, start := range o.starts {
			for _, saga := range o.sagas {
				for _, starters := range o.starters {
					cases = append(cases, testCase{store, participants, start, saga, starters, o.duration, o.observed})
				}
			}
		}
	}
	return cases
}

// bestInProcess is the fastest saga6 without a network, and what it wrote.
func bestInProcess(results [][]*result) (best float64, recorded *recording) {
	for _, list := range results {
		for _, r := range list {
			if r.participants == "simulated" && r.start == "inprocess" && r.saga == "saga6" {
				best, recorded = max(best, r.perSecond()), r.recording
			}
		}
	}
	return best, recorded
}

// median is the result in the middle by throughput.
func median(list []*result) *result {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b *result) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
	return sorted[len(sorted)/2]
}

// tellBus says how much of the throughput over HTTP the bus reaches: the median
// of the rounds' ratios, for each case that both have.
func tellBus(results [][]*result) {
	byHTTP := map[testCase][]*result{}
	for _, list := range results {
		if c := list[0].testCase; c.participants == "http" {
			byHTTP[c] = list
		}
	}
	for _, list := range results {
		c := list[0].testCase
		if c.participants != "bus" && c.participants != "nats" {
			continue
		}
		c.participants = "http"
		http := byHTTP[c]
		if http == nil {
			continue
		}
		ratios := make([]float64, len(list))
		for i := range list {
			ratios[i] = list[i].perSecond() / http[i].perSecond()
		}
		slices.Sort(ratios)
		fmt.Printf("%-9s %s: %.0f %% of HTTP with the same %s, %s, %d starters (median of %d rounds, %.0f to %.0f %%)\n", c.store, list[0].participants,
			100*ratios[len(ratios)/2], c.start, c.saga, c.starters, len(ratios), 100*ratios[0], 100*ratios[len(ratios)-1])
	}
}
