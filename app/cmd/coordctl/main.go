// Command coordctl is for teams around a coordinator: it verifies that a
// participant, a receiver of webhooks or a server keeps its contract.
//
//	coordctl contract verify participant --url http://127.0.0.1:9002 --service payment-service
//	coordctl contract verify participant --bus nats://127.0.0.1:4222 --service payment-service
//	coordctl contract verify webhook     --url https://shop.example/hook --secret whsec_…
//	coordctl contract verify server      --url http://127.0.0.1:8081/api/v1 --token …
//
// Exit codes: 0 every promise is kept, 1 one is broken or there is nobody to
// verify, 2 the command line cannot be obeyed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitKept = iota
	exitBroken
	exitUsage
)

// errBroken: a promise is broken; the report has said which.
var errBroken = errors.New("a promise is broken")

// grammar is the command line.
type grammar struct {
	Contract struct {
		Verify struct {
			Participant participantCmd `cmd:"" help:"Verify a participant: a service that carries out commands."`
			Webhook     webhookCmd     `cmd:"" help:"Verify a receiver of webhooks."`
			Server      serverCmd      `cmd:"" help:"Verify a server of the coordinator's API. It starts workflows there."`
		} `cmd:"" help:"Check every rule of a contract and report the broken ones."`
	} `cmd:"" help:"The contracts between a coordinator and the services around it."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program, without the process around it.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var line grammar
	helped := false
	parser, err := kong.New(&line, kong.Name("coordctl"),
		kong.Description("Verifies what a coordinator and the services around it promise each other."),
		kong.Writers(out, errs), kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}))
	if err != nil {
		fmt.Fprintln(errs, "coordctl:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitKept
	}
	if err == nil {
		err = parsed.Run()
	}
	switch {
	case err == nil:
		return exitKept
	case errors.Is(err, errBroken):
		return exitBroken
	}
	fmt.Fprintln(errs, "coordctl:", strings.Join(strings.Fields(err.Error()), " "))
	if errors.Is(err, errUnreachable) {
		return exitBroken
	}
	return exitUsage
}
