package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

// busConcurrency is how many commands of a service are carried out at once.
const busConcurrency = 64

// serveBus takes the commands of the services from a message bus until ctx
// ends, then lets those in hand finish.
func serveBus(ctx context.Context, cfg *config, stdout io.Writer, log *slog.Logger) (err error) {
	b, err := bus.Open(ctx, bus.Config{URL: cfg.bus, Logger: log})
	if err != nil {
		return fmt.Errorf("--bus: %w", err)
	}
	var open []*service.Service
	defer func() {
		errs := []error{err, b.Close()} // ends the handlers, which need their services
		for _, s := range open {
			errs = append(errs, s.Close())
		}
		err = errors.Join(errs...)
	}()
	for _, p := range cfg.places {
		if err := os.MkdirAll(filepath.Dir(p.ledger), dirMode); err != nil {
			return err
		}
		s, err := service.Open(p.definition, service.Config{Ledger: p.ledger, NoSync: !cfg.fsync, Log: log, Reply: publisher(b)})
		if err != nil {
			return err
		}
		open = append(open, s)
		if err := b.Subscribe(ctx, subscription(s.Participant(), b)); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%-20s %s\n", s.Name(), coordination.TopicCommands(s.Name()))
	}
	fmt.Fprintln(stdout, "ready")
	<-ctx.Done()
	return nil
}

// subscription takes the commands of a participant: each is acknowledged after
// its reply is with the broker.
func subscription(p *participant.Participant, b ports.Bus) ports.Subscription {
	publish := publisher(b)
	return ports.Subscription{Topic: coordination.TopicCommands(p.Service()), Group: p.Service(), Concurrency: busConcurrency,
		Handle: func(ctx context.Context, m ports.Message) error {
			reply, err := p.HandleMessage(ctx, m.Body)
			if errors.Is(err, participant.ErrMalformed) {
				return ports.Poison("%v", err)
			}
			if err != nil {
				return err
			}
			return publish(ctx, reply)
		}}
}

func publisher(b ports.Publisher) func(ctx context.Context, m participant.Message) error {
	return func(ctx context.Context, m participant.Message) error {
		return b.Publish(ctx, m.Topic, ports.Message{ID: m.ID, Key: m.Key, Body: m.Body,
			Headers: map[string]string{"content-type": m.ContentType}})
	}
}
