package service

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// Config of a service. Only Ledger is required.
type Config struct {
	// Ledger is the path of the file; it is created if it does not exist.
	Ledger string
	// NoSync leaves out the fsync of every batch; see ledger.Options.
	NoSync bool
	// Secret checks the sender of a command; the zero Secret trusts everybody.
	Secret webhook.Secret
	// Callbacks sends promised answers. Default: a client that follows no
	// redirect and waits callbackTimeout.
	Callbacks http.RoundTripper
	// Reply, if set, publishes promised answers on the bus instead.
	Reply func(ctx context.Context, m participant.Message) error
	// Log receives failures, without any content of a command. Default: slog.Default().
	Log *slog.Logger
}

// Service is a participant. Its state is the ledger's.
type Service struct {
	definition Definition
	ledger     *ledger.Ledger
	book       *book
	log        *slog.Logger

	participant *participant.Participant
	reply       func(ctx context.Context, m participant.Message) error

	callbacks *http.Client
	promises  atomic.Int64  // promises being kept, at most maxPromises
	calling   chan struct{} // bounds the callbacks on the wire
	ctx       context.Context
	stop      context.CancelFunc
	keeping   sync.WaitGroup
}

// Open replays the ledger, goes on with the callbacks it still owes, and
// returns a service that is ready to handle commands.
func Open(definition Definition, cfg Config) (*Service, error) {
	b := newBook()
	l, err := ledger.Open(cfg.Ledger, ledger.Options{NoSync: cfg.NoSync}, b.apply)
	if err != nil {
		return nil, err
	}
	s := &Service{
		definition: definition, ledger: l, book: b, log: cfg.Log,
		callbacks: callbackClient(cfg.Callbacks),
		calling:   make(chan struct{}, callbackParallel),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.participant, s.reply = s.newParticipant(cfg.Secret), cfg.Reply
	s.log = s.log.With("service", definition.Name)
	s.ctx, s.stop = context.WithCancel(context.Background())
	for _, key := range b.allOwed() {
		s.keep(key)
	}
	return s, nil
}

// Name is the service's name in the templates.
func (s *Service) Name() string { return s.definition.Name }

// Close stops the callbacks, which a later Open takes up again, and closes the
// ledger. Requests must have ended before. Closing twice is harmless.
func (s *Service) Close() error {
	s.stop()
	s.keeping.Wait()
	s.callbacks.CloseIdleConnections()
	return s.ledger.Close()
}

// record makes an entry durable and then known. After an error nobody can tell
// whether it happened, and the ledger takes nothing more.
func (s *Service) record(e ledger.Entry) error {
	e.Time = time.Now().UTC()
	e.Service = s.definition.Name
	if err := s.ledger.Append(e); err != nil {
		s.log.Error("ledger failed", "error", err)
		return err
	}
	return s.book.apply(e)
}
