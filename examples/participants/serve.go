package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
)

// Limits of the servers.
const (
	drainTimeout      = 10 * time.Second
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10

	dirMode = 0o700
)

// running is a service with its server and its socket.
type running struct {
	service  *service.Service
	server   *http.Server
	listener net.Listener
}

// serve runs the services until ctx ends, then lets the requests in flight
// finish.
func serve(ctx context.Context, cfg *config, stdout io.Writer, log *slog.Logger) (err error) {
	if cfg.bus != "" {
		return serveBus(ctx, cfg, stdout, log)
	}
	var all []*running
	defer func() { err = errors.Join(err, stopAll(all)) }()
	for _, p := range cfg.places {
		r, err := start(p, cfg, log)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	// All sockets listen by now: whoever reads a URL can use it.
	failed := make(chan error, len(all))
	for _, r := range all {
		go func() { failed <- r.server.Serve(r.listener) }()
		fmt.Fprintf(stdout, "%-20s %s\n", r.service.Name(), urlOf(r.listener.Addr().String()))
	}
	fmt.Fprintln(stdout, "ready")
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

func start(p place, cfg *config, log *slog.Logger) (*running, error) {
	if err := os.MkdirAll(filepath.Dir(p.ledger), dirMode); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		return nil, err
	}
	s, err := service.Open(p.definition, service.Config{
		Ledger: p.ledger, NoSync: !cfg.fsync, Secret: cfg.secret, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return &running{service: s, server: server, listener: listener}, nil
}

// stopAll stops the services side by side, so that one slow request does not
// keep the other services open.
func stopAll(all []*running) error {
	stopped := make(chan error, len(all))
	for _, r := range all {
		go func() { stopped <- r.stop() }()
	}
	var err error
	for range all {
		err = errors.Join(err, <-stopped)
	}
	return err
}

// stop drains the server, then closes the service: a request that is being
// handled needs its ledger.
func (r *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, r.server.Close())
	}
	// A server that was never served does not own its socket.
	if e := r.listener.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, r.service.Close())
}
