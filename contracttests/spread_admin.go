package contracttests

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

func (s *spread) ListAudit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	return s.next().ListAudit(ctx, q)
}

func (s *spread) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
	return s.next().LeaseQuota(ctx, key, limit, n, window)
}

func (s *spread) SettleSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	return s.next().SettleSetting(ctx, name, value)
}

func (s *spread) CreateBatch(ctx context.Context, b ports.Batch, workflowIDs []string, audit *ports.AuditEntry) error {
	return s.next().CreateBatch(ctx, b, workflowIDs, audit)
}

func (s *spread) Batch(ctx context.Context, id string) (ports.Batch, error) {
	return s.next().Batch(ctx, id)
}

func (s *spread) ListBatches(ctx context.Context, offset, limit int) (batches []ports.Batch, total int, err error) {
	return s.next().ListBatches(ctx, offset, limit)
}

func (s *spread) BatchItems(ctx context.Context, id string, offset, limit int) ([]ports.BatchItem, error) {
	return s.next().BatchItems(ctx, id, offset, limit)
}

func (s *spread) CancelBatch(ctx context.Context, id string, at time.Time, audit *ports.AuditEntry) (ports.Batch, error) {
	return s.next().CancelBatch(ctx, id, at, audit)
}

func (s *spread) ClaimBatch(ctx context.Context, replica string) (ports.Batch, error) {
	return s.next().ClaimBatch(ctx, replica)
}

func (s *spread) NextItems(ctx context.Context, id, replica string, limit int) ([]ports.BatchItem, error) {
	return s.next().NextItems(ctx, id, replica, limit)
}

func (s *spread) SettleItems(ctx context.Context, id, replica string, items []ports.BatchItem) error {
	return s.next().SettleItems(ctx, id, replica, items)
}

func (s *spread) PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error) {
	return s.next().PurgeWorkflows(ctx, status, t, limit)
}

func (s *spread) PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.next().PurgeDeliveries(ctx, t, limit)
}

func (s *spread) PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.next().PurgeAudit(ctx, t, limit)
}

func (s *spread) PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error) {
	return s.next().PurgeBatches(ctx, t, limit)
}
