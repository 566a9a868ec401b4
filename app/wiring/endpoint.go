package wiring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// quietTime is how long a stop lets ordinary requests end before the engine
// stops too, which ends those that wait for a workflow.
const quietTime = time.Second

// endpoint is an HTTP server on a listener of its own. The listener is opened
// long before the server: a taken port is found before anything is changed.
type endpoint struct {
	listener net.Listener
	server   *http.Server
	failed   chan<- error
	shutting sync.Once
	ended    chan struct{} // closed when no request is under way any more
}

// listen opens the address that a setting names.
func listen(setting, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken by another program", setting, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return listener, nil
}

// newEndpoint joins a server to its listener. What ends it unasked goes to
// failed, which must have room.
func newEndpoint(listener net.Listener, server *http.Server, failed chan<- error) *endpoint {
	return &endpoint{listener: listener, server: server, failed: failed, ended: make(chan struct{})}
}

// serve answers requests, in the background, until the endpoint is shut.
func (e *endpoint) serve() {
	go func() {
		if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
			e.failed <- fmt.Errorf("serve %s: %w", e.listener.Addr(), err)
		}
	}()
}

// shut accepts no connection any more and gives the requests that are under
// way a moment to end, but not longer than ctx. Those that take longer go on
// until finish. It may be called twice.
func (e *endpoint) shut(ctx context.Context) {
	e.shutting.Do(func() {
		go func() {
			defer close(e.ended)
			_ = e.server.Shutdown(context.WithoutCancel(ctx)) // ends early only by finish
		}()
	})
	timer := time.NewTimer(quietTime)
	defer timer.Stop()
	select {
	case <-e.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// finish waits for the requests that are left until ctx ends, then cuts them off.
func (e *endpoint) finish(ctx context.Context) error {
	e.shut(ctx)
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		return e.server.Close()
	}
}
