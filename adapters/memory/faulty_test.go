package memory_test

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// faulty is a store some of whose methods are replaced; nil means unchanged.
type faulty struct {
	ports.Store
	commit  func(ctx context.Context, batch []ports.Change) []error
	load    func(ctx context.Context, id string) (ports.Record, error)
	ofSaga  func(ctx context.Context, sagaID string) (string, error)
	holder  func(ctx context.Context, workflowType, key string) (string, error)
	record  func(ctx context.Context, scope string) (ports.IdempotencyRecord, error)
	purge   func(ctx context.Context, t time.Time, limit int) (int, error)
	renew   func(ctx context.Context, replica string, ttl time.Duration) error
	claim   func(ctx context.Context, replica string, limit int) ([]ports.Record, error)
	release func(ctx context.Context, replica string) error
	list    func(ctx context.Context, q ports.ListQuery) (ports.ListPage, error)
	counts  func(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error)
	save    func(ctx context.Context, hash, templateID string, data []byte) error
	recall  func(ctx context.Context, hash string) ([]byte, error)
	live    func(ctx context.Context, grace time.Duration) (int, int, error)
	ping    func(ctx context.Context) error
	pool    func() string
	close   func() error

	claimOwed func(ctx context.Context, replica string, limit int) ([]ports.Record, error)
	published func(ctx context.Context, done []ports.Published) error

	adminFaults
	webhookFaults
}

func (f *faulty) ClaimOwed(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	if f.claimOwed == nil {
		return f.Store.ClaimOwed(ctx, replica, limit)
	}
	return f.claimOwed(ctx, replica, limit)
}

func (f *faulty) Published(ctx context.Context, done []ports.Published) error {
	if f.published == nil {
		return f.Store.Published(ctx, done)
	}
	return f.published(ctx, done)
}

func (f *faulty) Commit(ctx context.Context, batch []ports.Change) []error {
	if f.commit == nil {
		return f.Store.Commit(ctx, batch)
	}
	return f.commit(ctx, batch)
}

func (f *faulty) Load(ctx context.Context, id string) (ports.Record, error) {
	if f.load == nil {
		return f.Store.Load(ctx, id)
	}
	return f.load(ctx, id)
}

func (f *faulty) PurgeIdempotency(ctx context.Context, t time.Time, limit int) (int, error) {
	if f.purge == nil {
		return f.Store.PurgeIdempotency(ctx, t, limit)
	}
	return f.purge(ctx, t, limit)
}

func (f *faulty) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	if f.renew == nil {
		return f.Store.Renew(ctx, replica, ttl)
	}
	return f.renew(ctx, replica, ttl)
}

func (f *faulty) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	if f.claim == nil {
		return f.Store.Claim(ctx, replica, limit)
	}
	return f.claim(ctx, replica, limit)
}

func (f *faulty) Release(ctx context.Context, replica string) error {
	if f.release == nil {
		return f.Store.Release(ctx, replica)
	}
	return f.release(ctx, replica)
}

func (f *faulty) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	if f.list == nil {
		return f.Store.List(ctx, q)
	}
	return f.list(ctx, q)
}

func (f *faulty) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	if f.counts == nil {
		return f.Store.Counts(ctx, from, to, workflowType)
	}
	return f.counts(ctx, from, to, workflowType)
}

func (f *faulty) SaveTemplate(ctx context.Context, hash, templateID string, data []byte) error {
	if f.save == nil {
		return f.Store.SaveTemplate(ctx, hash, templateID, data)
	}
	return f.save(ctx, hash, templateID, data)
}

func (f *faulty) LoadTemplate(ctx context.Context, hash string) ([]byte, error) {
	if f.recall == nil {
		return f.Store.LoadTemplate(ctx, hash)
	}
	return f.recall(ctx, hash)
}

func (f *faulty) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	if f.live == nil {
		return f.Store.Live(ctx, grace)
	}
	return f.live(ctx, grace)
}

func (f *faulty) Close() error {
	if f.close == nil {
		return f.Store.Close()
	}
	return f.close()
}

func (f *faulty) WorkflowOfSaga(ctx context.Context, sagaID string) (string, error) {
	if f.ofSaga == nil {
		return f.Store.WorkflowOfSaga(ctx, sagaID)
	}
	return f.ofSaga(ctx, sagaID)
}

func (f *faulty) BusinessKeyHolder(ctx context.Context, workflowType, key string) (string, error) {
	if f.holder == nil {
		return f.Store.BusinessKeyHolder(ctx, workflowType, key)
	}
	return f.holder(ctx, workflowType, key)
}

func (f *faulty) Idempotency(ctx context.Context, scope string) (ports.IdempotencyRecord, error) {
	if f.record == nil {
		return f.Store.Idempotency(ctx, scope)
	}
	return f.record(ctx, scope)
}

func (f *faulty) Ping(ctx context.Context) error {
	if f.ping == nil {
		return f.Store.Ping(ctx)
	}
	return f.ping(ctx)
}

func (f *faulty) Pool() string {
	if f.pool == nil {
		return f.Store.Pool()
	}
	return f.pool()
}
