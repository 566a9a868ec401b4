package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/wiring"
)

// serve runs the service until ctx ends.
func serve(ctx context.Context, c config.Serve, to streams) error {
	log := logger(c.Service, to.errs)
	err := runService(ctx, c.Service, log, func(service *wiring.Service) error {
		log.Info("serving", "version", version(), "api", service.APIURL(), "ops", service.OpsURL(), "store", c.Store.String(), "replica", service.Replica())
		defer log.Info("stopping", "limit", c.DrainTimeout.String())
		return untilEnd(ctx, service)
	})
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// runService starts the service, lets body use it and stops it again.
func runService(ctx context.Context, settings config.Service, log *slog.Logger, body func(*wiring.Service) error) error {
	service, err := wiring.New(ctx, settings, log)
	if err != nil {
		return err
	}
	if err = service.Start(ctx); err == nil {
		err = body(service)
	}
	return errors.Join(err, stop(ctx, service, settings.DrainTimeout, log))
}

// untilEnd returns when ctx ends, or with the reason for which the service did.
func untilEnd(ctx context.Context, service *wiring.Service) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-service.Failed():
		return err
	}
}

// stop drains the service. What does not end in time is no failure: other
// replicas, or the next start, take it up again.
func stop(ctx context.Context, service *wiring.Service, limit time.Duration, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	err := service.Stop(ctx)
	if errors.Is(err, wiring.ErrUnfinished) {
		log.Warn("drain timeout", "limit", limit.String(), "reason", err)
		return nil
	}
	return err
}
