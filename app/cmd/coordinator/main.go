// Command coordinator runs orders across services as sagas.
//
//	coordinator dev            try it: no setup, two example orders
//	coordinator serve          the service
//	coordinator token          a token for its API
//	coordinator migrate        the schema of its store
//	coordinator keys           the keys that encrypt what is stored
//	coordinator openapi        the document of its API
//	coordinator asyncapi       the document of its message bus
//
// Exit codes: 0 done, 1 failed, 2 the command line cannot be obeyed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/app/config"
)

// Exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
)

// streams are where a command writes: results to out, everything else to errs.
type streams struct {
	out, errs io.Writer
}

func main() {
	config.TuneMemory()
	// After the first signal the default handling is back: a second one ends
	// the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, streams{out: os.Stdout, errs: os.Stderr}))
}

// run is the program, without the process around it.
func run(ctx context.Context, args []string, environment config.Environment, to streams) int {
	command, err := config.Parse(args, environment, to.out)
	if err == nil {
		err = perform(ctx, command, to)
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(to.errs, "%s: %s\n", config.Program, oneLine(err))
	var usage *config.UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// perform does what was asked for.
func perform(ctx context.Context, command config.Command, to streams) error {
	switch c := command.(type) {
	case config.Serve:
		return serve(ctx, c, to)
	case config.Dev:
		return dev(ctx, c, to)
	case config.Token:
		return token(c, to)
	case config.MigrateUp:
		return migrateUp(ctx, c, to)
	case config.MigrateStatus:
		return migrateStatus(ctx, c, to)
	case config.KeysNew:
		return keysNew(to)
	case config.KeysRotate:
		return keysRotate(ctx, c, to)
	case config.OpenAPI:
		return openAPI(c, to)
	case config.AsyncAPI:
		return asyncAPI(c, to)
	case config.Version:
		_, err := fmt.Fprintln(to.out, config.Program, version())
		return err
	}
	return nil // help has been printed
}

// oneLine keeps an error to the one line that was promised.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// logger writes what the service reports, as its settings say.
func logger(settings config.Service, to io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(to, options)
	if settings.LogFormat == "text" {
		handler = slog.NewTextHandler(to, options)
	}
	return slog.New(telemetry.LogHandler(handler))
}
