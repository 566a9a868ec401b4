package contracttests

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Store = (*spread)(nil)

// spread is one store made of several openings of the same storage.
type spread struct {
	stores []ports.Store
	calls  atomic.Uint64
}

// Spread makes one store of several that share their storage, as replicas do:
// each call goes to the next of them. Checked by Store, it shows that what one
// replica commits all others see, and that they never both win.
func Spread(stores ...ports.Store) ports.Store { return &spread{stores: stores} }

func (s *spread) next() ports.Store {
	return s.stores[s.calls.Add(1)%uint64(len(s.stores))]
}

func (s *spread) Commit(ctx context.Context, batch []ports.Change) []error {
	return s.next().Commit(ctx, batch)
}

func (s *spread) Load(ctx context.Context, workflowID string) (ports.Record, error) {
	return s.next().Load(ctx, workflowID)
}

func (s *spread) WorkflowOfSaga(ctx context.Context, sagaID string) (string, error) {
	return s.next().WorkflowOfSaga(ctx, sagaID)
}

func (s *spread) BusinessKeyHolder(ctx context.Context, workflowType, businessKey string) (string, error) {
	return s.next().BusinessKeyHolder(ctx, workflowType, businessKey)
}

func (s *spread) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	return s.next().Idempotency(ctx, scope)
}

func (s *spread) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.next().PurgeIdempotency(ctx, t, limit)
}

func (s *spread) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	return s.next().Renew(ctx, replica, ttl)
}

func (s *spread) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	return s.next().Claim(ctx, replica, limit)
}

func (s *spread) Release(ctx context.Context, replica string) error {
	return s.next().Release(ctx, replica)
}

func (s *spread) Published(ctx context.Context, done []ports.Published) error {
	return s.next().Published(ctx, done)
}

func (s *spread) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	return s.next().ClaimOwed(ctx, replica, limit)
}

func (s *spread) Owed(ctx context.Context) (int, error) { return s.next().Owed(ctx) }

func (s *spread) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	return s.next().List(ctx, q)
}

func (s *spread) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	return s.next().Counts(ctx, from, to, workflowType)
}

func (s *spread) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	return s.next().SaveTemplate(ctx, hash, templateID, data)
}

func (s *spread) LoadTemplate(ctx context.Context, hash string) ([]byte, error) {
	return s.next().LoadTemplate(ctx, hash)
}

func (s *spread) Ping(ctx context.Context) error { return s.next().Ping(ctx) }

func (s *spread) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	return s.next().Live(ctx, grace)
}

func (s *spread) Pool() string { return s.next().Pool() }

// Close closes all of them.
func (s *spread) Close() error {
	var err error
	for _, store := range s.stores {
		err = errors.Join(err, store.Close())
	}
	return err
}
