package participants

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/firstviscount/platform-coordination/adapters/participants/httpclient"
	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/ports"
)

// Config is what participants are opened with.
type Config struct {
	// File says how each service is reached; nil: all are simulated.
	File File
	// Services are those that the loaded templates use.
	Services []string
	// CallbackBaseURL is where participants reach this coordinator.
	CallbackBaseURL string
	// Simulated plays the services with that transport. It stays the caller's to close.
	Simulated *simulated.Services
	// Bus opens the participant of a service behind the message bus; nil where
	// there is none, and then the transport is refused.
	Bus func(service string, e Entry) (ports.Participant, error)
	// Inject and Responded are as in httpclient. Optional.
	Inject    func(ctx context.Context, h http.Header)
	Responded func(ctx context.Context, status int)
}

// Service is an open participant and how much it takes at once.
type Service struct {
	Participant    ports.Participant
	MaxConcurrency int
}

// Registry is the participants of a coordinator by service.
type Registry map[string]Service

// Open opens the participant of every service in use. Entries of other services
// are opened as well: a template that is still running may need one. All faults
// are in the one *FileError.
func Open(cfg Config) (Registry, error) {
	entries := File{}
	for service, e := range cfg.File {
		entries[service] = e
	}
	var faults []string
	for _, service := range cfg.Services {
		_, given := entries[service]
		switch {
		case given:
		case cfg.File == nil || service == TestService:
			entries[service] = Entry{Transport: Simulated, MaxConcurrency: DefaultMaxConcurrency}
		default:
			faults = append(faults, service+": missing, but a template uses it")
		}
	}
	registry := Registry{}
	for service, e := range entries {
		p, err := cfg.open(service, e)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", service, err))
			continue
		}
		registry[service] = Service{Participant: p, MaxConcurrency: e.MaxConcurrency}
	}
	if len(faults) > 0 {
		registry.Close()
		slices.Sort(faults)
		return nil, &FileError{slices.Compact(faults)}
	}
	return registry, nil
}

func (cfg *Config) open(service string, e Entry) (ports.Participant, error) {
	switch {
	case e.Transport == HTTP:
		return httpclient.New(httpclient.Config{Service: service, URL: e.URL, Secret: e.Secret, CallbackBaseURL: cfg.CallbackBaseURL,
			MaxConcurrency: e.MaxConcurrency, Inject: cfg.Inject, Responded: cfg.Responded})
	case e.Transport == Bus && cfg.Bus != nil:
		return cfg.Bus(service, e)
	case e.Transport == Simulated && cfg.Simulated != nil:
		return cfg.Simulated.For(service), nil
	}
	return nil, fmt.Errorf("transport: %s is not available in this build", e.Transport)
}

// Close closes what Open opened. It may be called twice.
func (r Registry) Close() {
	for _, s := range r {
		if c, ok := s.Participant.(interface{ Close() }); ok {
			c.Close()
		}
	}
}
