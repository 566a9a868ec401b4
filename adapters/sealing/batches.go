package sealing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// CreateBatch keeps a batch; see ports.Batches. What its workflows are asked is
// sealed, for it may hold what is sealed in the events that come of it.
func (s *Store) CreateBatch(ctx context.Context, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) error {
	if b.Request != nil {
		sealed, err := s.sealer.Seal(b.Request, []byte(b.ID))
		if err != nil {
			return err
		}
		b.Request = json.RawMessage(`"` + sealedText + base64.RawURLEncoding.EncodeToString(sealed) + `"`)
	}
	return s.Store.CreateBatch(ctx, b, workflowIDs, audit)
}

// Batch by ID; see ports.Batches. A request that cannot be opened stays sealed.
func (s *Store) Batch(ctx context.Context, id string) (ports.Batch, error) {
	return s.opened(s.Store.Batch(ctx, id))
}

// ListBatches pages through batches; see ports.Batches. A request that cannot be
// opened stays sealed.
func (s *Store) ListBatches(ctx context.Context, offset, limit int) ([]ports.Batch, int, error) {
	batches, total, err := s.Store.ListBatches(ctx, offset, limit)
	for i := range batches {
		batches[i].Request = s.openRequest(&batches[i])
	}
	return batches, total, err
}

// CancelBatch ends a batch; see ports.Batches. A request that cannot be opened
// stays sealed.
func (s *Store) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	return s.opened(s.Store.CancelBatch(ctx, id, at, audit))
}

// ClaimBatch hands a batch to a replica; see ports.Batches. One that cannot be
// opened is claimed too, with its request as it is stored.
func (s *Store) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	return s.opened(s.Store.ClaimBatch(ctx, replica))
}

func (s *Store) opened(b ports.Batch, err error) (ports.Batch, error) {
	if err == nil {
		b.Request = s.openRequest(&b)
	}
	return b, err
}

// openRequest is what the workflows of a batch are asked, as it is stored if it
// cannot be opened.
func (s *Store) openRequest(b *ports.Batch) json.RawMessage {
	sealed, ok := sealedRequest(b)
	if !ok {
		return b.Request
	}
	plain, err := s.sealer.Open(sealed, []byte(b.ID))
	if err != nil {
		return b.Request
	}
	return plain
}

// sealedRequest is the sealed value in a stored request; false if it is none.
func sealedRequest(b *ports.Batch) ([]byte, bool) {
	text, ok := bytes.CutPrefix(b.Request, []byte(`"`+sealedText))
	if !ok {
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimSuffix(text, []byte(`"`))))
	return sealed, err == nil
}
