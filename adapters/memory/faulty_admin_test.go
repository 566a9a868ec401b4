package memory_test

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// adminFaults are the replaced methods of a faulty store that keep audit,
// quotas, settings and batches, and purge; nil means unchanged.
type adminFaults struct {
	listAudit      func(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error)
	leaseQuota     func(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error)
	settleSetting  func(ctx context.Context, name string, value []byte) ([]byte, error)
	createBatch    func(ctx context.Context, b ports.Batch, ids []string, audit *ports.AuditEntry) error
	oneBatch       func(ctx context.Context, id string) (ports.Batch, error)
	listBatches    func(ctx context.Context, offset, limit int) ([]ports.Batch, int, error)
	batchItems     func(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error)
	cancelBatch    func(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error)
	claimBatch     func(ctx context.Context, replica string) (ports.Batch, error)
	nextItems      func(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error)
	settleItems    func(ctx context.Context, id, replica string, items []ports.BatchItem) error
	purgeWorkflows func(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error)
	purgeDelivery  func(ctx context.Context, t time.Time, limit int) (int, error)
	purgeAudit     func(ctx context.Context, t time.Time, limit int) (int, error)
	purgeBatches   func(ctx context.Context, t time.Time, limit int) (int, error)
}

func (f *faulty) ListAudit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	if f.listAudit == nil {
		return f.Store.ListAudit(ctx, q)
	}
	return f.listAudit(ctx, q)
}

func (f *faulty) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
	if f.leaseQuota == nil {
		return f.Store.LeaseQuota(ctx, key, limit, n, window)
	}
	return f.leaseQuota(ctx, key, limit, n, window)
}

func (f *faulty) SettleSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	if f.settleSetting == nil {
		return f.Store.SettleSetting(ctx, name, value)
	}
	return f.settleSetting(ctx, name, value)
}

func (f *faulty) CreateBatch(ctx context.Context, b ports.Batch, ids []string, audit *ports.AuditEntry) error {
	if f.createBatch == nil {
		return f.Store.CreateBatch(ctx, b, ids, audit)
	}
	return f.createBatch(ctx, b, ids, audit)
}

func (f *faulty) Batch(ctx context.Context, id string) (ports.Batch, error) {
	if f.oneBatch == nil {
		return f.Store.Batch(ctx, id)
	}
	return f.oneBatch(ctx, id)
}

func (f *faulty) ListBatches(ctx context.Context, offset, limit int) (batches []ports.Batch, total int, err error) {
	if f.listBatches == nil {
		return f.Store.ListBatches(ctx, offset, limit)
	}
	return f.listBatches(ctx, offset, limit)
}

func (f *faulty) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
	if f.batchItems == nil {
		return f.Store.BatchItems(ctx, id, offset, limit)
	}
	return f.batchItems(ctx, id, offset, limit)
}

func (f *faulty) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	if f.cancelBatch == nil {
		return f.Store.CancelBatch(ctx, id, at, audit)
	}
	return f.cancelBatch(ctx, id, at, audit)
}

func (f *faulty) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	if f.claimBatch == nil {
		return f.Store.ClaimBatch(ctx, replica)
	}
	return f.claimBatch(ctx, replica)
}

func (f *faulty) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	if f.nextItems == nil {
		return f.Store.NextItems(ctx, id, replica, limit)
	}
	return f.nextItems(ctx, id, replica, limit)
}

func (f *faulty) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	if f.settleItems == nil {
		return f.Store.SettleItems(ctx, id, replica, items)
	}
	return f.settleItems(ctx, id, replica, items)
}

func (f *faulty) PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
	if f.purgeWorkflows == nil {
		return f.Store.PurgeWorkflows(ctx, status, t, limit)
	}
	return f.purgeWorkflows(ctx, status, t, limit)
}

func (f *faulty) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	if f.purgeDelivery == nil {
		return f.Store.PurgeDeliveries(ctx, t, limit)
	}
	return f.purgeDelivery(ctx, t, limit)
}

func (f *faulty) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	if f.purgeAudit == nil {
		return f.Store.PurgeAudit(ctx, t, limit)
	}
	return f.purgeAudit(ctx, t, limit)
}

func (f *faulty) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	if f.purgeBatches == nil {
		return f.Store.PurgeBatches(ctx, t, limit)
	}
	return f.purgeBatches(ctx, t, limit)
}
