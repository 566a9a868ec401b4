package wiring

import (
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/firstviscount/platform-coordination/app/config"
)

// listeners are the open addresses of the service. Ops is nil if it is off.
type listeners struct {
	API, Ops net.Listener
}

// openListeners opens the addresses before anything else is touched, so that a
// taken port stops the start without a trace.
func openListeners(s config.Service, opened *resources) (*listeners, error) {
	var all listeners
	var err error
	if all.API, err = listen("--listen", s.Listen); err != nil {
		return nil, err
	}
	opened.add(closed(all.API))
	if s.OpsListen == config.Off {
		return &all, nil
	}
	if all.Ops, err = listen("--ops-listen", s.OpsListen); err != nil {
		return nil, err
	}
	opened.add(closed(all.Ops))
	return &all, nil
}

// closed closes a listener that its server may have closed before.
func closed(listener net.Listener) func() error {
	return func() error { _ = listener.Close(); return nil }
}

// opsHeaderTimeout is how long a request's header may take.
const opsHeaderTimeout = 5 * time.Second

// opsServer serves what operators look at; it must stay on a private address.
// The command line is not among it: it may hold a secret.
func opsServer(metrics http.Handler) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: mux, ReadHeaderTimeout: opsHeaderTimeout}
}
