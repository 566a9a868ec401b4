package sealing

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Store = (*Store)(nil)

// sealedText begins what is sealed and stored as text.
const sealedText = "sealed:"

// Store keeps workflows and batches in another store so that nothing of what they carry
// can be read there: their events, which hold what they were started with and
// what participants said, and the fingerprints of requests, by which a request
// could be guessed. Rows, by which is searched, are left as they are. What was
// stored before there was a key stays readable.
type Store struct {
	ports.Store
	sealer ports.Sealer
}

// NewStore seals what goes into a store, and opens what comes out.
func NewStore(s ports.Store, sealer ports.Sealer) *Store { return &Store{s, sealer} }

// Commit writes changes; see ports.Committer. A change that cannot be sealed is
// not written.
func (s *Store) Commit(ctx context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	sealed, at := make([]ports.Change, 0, len(batch)), make([]int, 0, len(batch))
	for i := range batch {
		c, err := s.seal(batch[i])
		if err != nil {
			errs[i] = err
			continue
		}
		sealed, at = append(sealed, c), append(at, i)
	}
	if len(sealed) == 0 {
		return errs
	}
	for i, err := range s.Store.Commit(ctx, sealed) {
		errs[at[i]] = err
	}
	return errs
}

func (s *Store) seal(c ports.Change) (ports.Change, error) {
	var err error
	if len(c.Events) > 0 {
		if c.Events, err = s.sealer.Seal(c.Events, []byte(c.Row.WorkflowID)); err != nil {
			return c, err
		}
	}
	c.Idempotency, err = s.sealRecord(c.Idempotency)
	return c, err
}

// sealRecord seals the fingerprint of an idempotency record; nil stays nil.
func (s *Store) sealRecord(once *ports.IdempotencyRecord) (*ports.IdempotencyRecord, error) {
	if once == nil {
		return nil, nil
	}
	record := *once
	sealed, err := s.sealer.Seal([]byte(record.Fingerprint), []byte(record.Scope))
	if err != nil {
		return nil, err
	}
	record.Fingerprint = sealedText + base64.RawURLEncoding.EncodeToString(sealed)
	return &record, nil
}

// Redeliver has a delivery attempted again; see ports.DeliveryStore.
func (s *Store) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	sealed, err := s.sealRecord(once)
	if err != nil {
		return err
	}
	return s.Store.Redeliver(ctx, key, sealed, audit)
}

// RecoverDeliveries has deliveries attempted again; see ports.DeliveryStore.
func (s *Store) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	sealed, err := s.sealRecord(once)
	if err != nil {
		return 0, err
	}
	return s.Store.RecoverDeliveries(ctx, webhookID, since, sealed, audit)
}

// Load reads a workflow; see ports.Loader. ports.ErrSealed.
func (s *Store) Load(ctx context.Context, workflowID string) (ports.Record, error) {
	rec, err := s.Store.Load(ctx, workflowID)
	if err != nil {
		return rec, err
	}
	return s.open(rec)
}

// Claim takes over workflows; see ports.Leaser. Those that cannot be opened are
// claimed too, with their events as they are stored.
func (s *Store) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	records, err := s.Store.Claim(ctx, replica, limit)
	return s.openAll(records), err
}

// ClaimOwed takes over entries of the outbox; see ports.Outbox. Workflows that
// cannot be opened are as those of Claim.
func (s *Store) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	records, err := s.Store.ClaimOwed(ctx, replica, limit)
	return s.openAll(records), err
}

func (s *Store) openAll(records []ports.Record) []ports.Record {
	for i, rec := range records {
		if opened, err := s.open(rec); err == nil {
			records[i] = opened
		}
	}
	return records
}

func (s *Store) open(rec ports.Record) (ports.Record, error) {
	opened := make([][]byte, len(rec.Events))
	for i, events := range rec.Events {
		if len(events) > 0 && events[0] != version { // JSON, from before there was a key
			opened[i] = events
			continue
		}
		var err error
		if opened[i], err = s.sealer.Open(events, []byte(rec.Row.WorkflowID)); err != nil {
			return ports.Record{}, err
		}
	}
	rec.Events = opened
	return rec, nil
}

// Idempotency finds a record; see ports.Loader. ports.ErrSealed.
func (s *Store) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	rec, err := s.Store.Idempotency(ctx, scope)
	if err != nil {
		return rec, err
	}
	text, ok := strings.CutPrefix(rec.Fingerprint, sealedText)
	if !ok {
		return rec, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return ports.IdempotencyRecord{}, ports.ErrSealed
	}
	plain, err := s.sealer.Open(sealed, []byte(scope))
	if err != nil {
		return ports.IdempotencyRecord{}, err
	}
	rec.Fingerprint = string(plain)
	return rec, nil
}
