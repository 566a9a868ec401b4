// Package memory is the store for development and tests: everything is in the
// process and gone with it. It keeps every promise of ports.Store except that
// "durable" means as long as the process lives.
//
// One lock guards everything. A commit costs a map look-up and an append; the
// indexes are touched only when a change alters what they index. Stored rows
// are immutable: a change replaces the pointer, so a list can filter and sort
// rows after it has let go of the lock.
package memory

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Store = (*Store)(nil)

// How much is kept unless Config says otherwise.
const (
	DefaultEndedLimit = 1_000_000 // ended workflows
	DefaultAuditLimit = 100_000   // audit entries
)

// Config of a Store. The zero value is usable.
type Config struct {
	// Clock is the store's time; default the system's.
	Clock ports.Clock
	// EndedLimit is how many ended workflows are kept, each a few kilobytes.
	// Beyond it those that ended first are forgotten, with their business keys
	// and idempotency records. Default DefaultEndedLimit.
	EndedLimit int
	// AuditLimit is how many audit entries are kept. Beyond it the oldest are
	// forgotten. Default DefaultAuditLimit.
	AuditLimit int
}

// Store is a ports.Store in memory. Use New.
type Store struct {
	clock      ports.Clock
	endedLimit int
	auditLimit int

	mu        sync.RWMutex
	closed    bool
	batch     uint64 // number of the batch being committed
	workflows map[string]*workflow
	scopes    map[string]*ports.IdempotencyRecord
	scopeAge  ordered[*ports.IdempotencyRecord]
	counts    counters
	templates map[string][]byte
	leases    map[string]time.Time // replica: when its lease runs out
	outbox    map[string]owed      // by workflow
	owedCount uint64
	audit     ordered[*ports.AuditEntry]
	quotas    map[string]quotaWindow // by key
	settings  map[string][]byte
	batches   map[string]*batch
	running   map[string]*batch // those of batches that have not ended
	webhooks  map[string]*subscription
	underWay  map[string]map[*delivery]struct{} // attempts, by holder
	index     index
}

// workflow is what is stored of one workflow.
type workflow struct {
	row    *ports.Row // never changed in place
	events [][]byte
	scopes []string // of its idempotency records, purged ones too
	batch  uint64   // the last batch that changed it
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// New makes an empty store.
func New(c Config) *Store {
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.EndedLimit <= 0 {
		c.EndedLimit = DefaultEndedLimit
	}
	if c.AuditLimit <= 0 {
		c.AuditLimit = DefaultAuditLimit
	}
	s := &Store{clock: c.Clock, endedLimit: c.EndedLimit, auditLimit: c.AuditLimit}
	s.clear()
	return s
}

func (s *Store) clear() {
	s.workflows = map[string]*workflow{}
	s.scopes = map[string]*ports.IdempotencyRecord{}
	s.scopeAge = ordered[*ports.IdempotencyRecord]{compare: compareAge}
	s.counts = counters{}
	s.templates = map[string][]byte{}
	s.leases = map[string]time.Time{}
	s.outbox = map[string]owed{}
	s.audit = ordered[*ports.AuditEntry]{compare: compareEntries}
	s.quotas = map[string]quotaWindow{}
	s.settings = map[string][]byte{}
	s.batches, s.running = map[string]*batch{}, map[string]*batch{}
	s.webhooks = map[string]*subscription{}
	s.underWay = map[string]map[*delivery]struct{}{}
	s.index = newIndex()
}

// Close forgets everything. Calls after it answer ErrUnavailable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.clear()
	return nil
}

// usable is nil if the store can answer; the lock must be held.
func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return ports.ErrUnavailable
	}
	return ctx.Err()
}

// now is the store's time as it is stored.
func (s *Store) now() time.Time { return storedTime(s.clock.Now()) }

// storedTime strips zone and monotonic reading, so that equal times are ==.
func storedTime(t time.Time) time.Time { return t.UTC().Round(0) }

// SaveTemplate keeps a template under its hash.
func (s *Store) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if _, ok := s.templates[hash]; !ok {
		s.templates[hash] = bytes.Clone(data)
	}
	return nil
}

// LoadTemplate gives what was saved under a hash.
func (s *Store) LoadTemplate(ctx context.Context, hash string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	data, ok := s.templates[hash]
	if !ok {
		return nil, ports.ErrNotFound
	}
	return bytes.Clone(data), nil
}

// Ping reports whether the store is open.
func (s *Store) Ping(ctx context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.usable(ctx)
}

// Pool is empty: there are no connections.
func (s *Store) Pool() string { return "" }
