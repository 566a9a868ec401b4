// Command bench measures the coordinator on this machine: six-step sagas that
// complete (saga6) and that fail at the fourth step with three undone (saga6c),
// started in process and over REST, with participants in process and over HTTP,
// on every store; and, in the same run, the limit: a bare client that writes
// the rows of saga6 in the same batches without an engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
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
	finished     int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == participantCommand {
		serveParticipant()
		return
	}
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
	participants := flag.String("participants", "simulated,http", "participants to measure")
	starts := flag.String("start", "inprocess,rest", "ways to start a workflow")
	sagas := flag.String("saga", "saga6,saga6c", "sagas to run")
	starters := flag.String("starters", "1,16,128", "how many start at once, each again when its saga ended")
	duration := flag.Duration("duration", 4*time.Second, "how long each case runs")
	profile := flag.String("cpuprofile", "", "write a CPU profile of all cases here")
	limit := flag.Bool("limit", true, "measure the limit of SQL stores too")
	finished := flag.Int("finished", 0, "also compare SQL stores that hold so many finished workflows with empty ones")
	flag.Parse()
	o := options{stores: strings.Split(*stores, ","), participants: strings.Split(*participants, ","), starts: strings.Split(*starts, ","),
		sagas: strings.Split(*sagas, ","), duration: *duration, profile: *profile, limit: *limit, finished: *finished}
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
// gets a database of its own.
func measureStore(ctx context.Context, o options, store string) error {
	server, err := openServer(store)
	if err != nil {
		return err
	}
	defer server.close()
	var best float64
	var recorded *recording
	for _, participants := range o.participants {
		for _, start := range o.starts {
			for _, saga := range o.sagas {
				for _, starters := range o.starters {
					r, err := measure(ctx, server, testCase{store, participants, start, saga, starters, o.duration})
					if err != nil {
						return err
					}
					fmt.Println(r)
					if participants == "simulated" && start == "inprocess" && saga == "saga6" {
						best, recorded = max(best, r.perSecond()), r.recording
					}
				}
			}
		}
	}
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
