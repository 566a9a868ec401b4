// Command participants runs the services of an online shop as participants of
// sagas: real processes with a durable memory, to try the coordinator with and
// to learn from.
//
//	participants --service payment-service --listen 127.0.0.1:9002 --ledger payment.jsonl
//	participants --all --listen 127.0.0.1:9001 --ledger-dir ledgers
//	participants --all --config > participants.yaml
//
// Read service/doc.go for how a command is handled, shop for what the services
// do, ledger for how they remember, protocol for what they refuse.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

func main() {
	// After the first signal the default handling is back: a second one ends
	// the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program, without the process around it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "participants:", err)
		return exitUsage
	case cfg.printConfig:
		fmt.Fprint(stdout, cfg.yaml())
		return exitOK
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := serve(ctx, cfg, stdout, log); err != nil {
		fmt.Fprintln(stderr, "participants:", err)
		return exitFailure
	}
	return exitOK
}
