package webhooks

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/firstviscount/platform-coordination/app/audit"
	"github.com/firstviscount/platform-coordination/ports"
)

// Deliveries pages through deliveries; see ports.Webhooks.
func (s *Service) Deliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	if _, err := s.Store.Webhook(ctx, q.WebhookID); err != nil {
		return ports.DeliveryPage{}, err
	}
	return s.Store.ListDeliveries(ctx, q)
}

// Redeliver has a delivery attempted again; see ports.Webhooks.
func (s *Service) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyKey) (replayed bool, err error) {
	if _, replayed, err = s.done(ctx, once); replayed || err != nil {
		return replayed, err
	}
	what := struct {
		WorkflowID string `json:"workflowId"`
		Sequence   int    `json:"sequence"`
	}{key.WorkflowID, key.Sequence}
	err = s.Store.Redeliver(ctx, key, s.record(once, key.WorkflowID), s.entry(ctx, key.WebhookID, nil, what))
	if errors.Is(err, ports.ErrIdempotencyKeyTaken) { // the same request at the same time
		_, replayed, err = s.done(ctx, once)
		return replayed, err
	}
	if err == nil {
		s.Changed()
	}
	return false, err
}

// Recover has deliveries attempted again; see ports.Webhooks.
func (s *Service) Recover(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyKey) (ports.RecoveryReceipt, error) {
	if n, replayed, err := s.done(ctx, once); replayed || err != nil {
		return ports.RecoveryReceipt{Recovered: n, Replayed: replayed}, err
	}
	if _, err := s.Store.Webhook(ctx, webhookID); err != nil {
		return ports.RecoveryReceipt{}, err
	}
	what := struct {
		Since time.Time `json:"since"`
	}{since.UTC()}
	n, err := s.Store.RecoverDeliveries(ctx, webhookID, since, s.record(once, webhookID), s.entry(ctx, webhookID, nil, what))
	if n > 0 {
		s.Changed()
	}
	if errors.Is(err, ports.ErrIdempotencyKeyTaken) { // the same request at the same time
		before, replayed, err := s.done(ctx, once)
		return ports.RecoveryReceipt{Recovered: before, Replayed: replayed}, err
	}
	return ports.RecoveryReceipt{Recovered: n}, err
}

// done answers a request that has been made before by its idempotency key: how
// many deliveries it recovered. ports.ErrKeyReused.
func (s *Service) done(ctx context.Context, once *ports.IdempotencyKey) (n int, replayed bool, err error) {
	if once == nil {
		return 0, false, nil
	}
	record, err := s.Store.Idempotency(ctx, once.Scope)
	switch {
	case errors.Is(err, ports.ErrNotFound):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case record.Fingerprint != once.Fingerprint:
		return 0, false, ports.ErrKeyReused
	}
	return record.Version, true, nil
}

// record is what is kept of a request with an idempotency key; nil without one.
func (s *Service) record(once *ports.IdempotencyKey, target string) *ports.IdempotencyRecord {
	if once == nil {
		return nil
	}
	return &ports.IdempotencyRecord{Scope: once.Scope, Fingerprint: once.Fingerprint, WorkflowID: target, CreatedAt: s.now()}
}

// WebhookHealth is how subscriptions stand; see ports.Webhooks.
func (s *Service) WebhookHealth(ctx context.Context) (ports.WebhookHealth, error) {
	var h ports.WebhookHealth
	all, err := s.Store.Webhooks(ctx)
	if err != nil || len(all) == 0 {
		return h, err
	}
	h.Subscriptions = len(all)
	for i := range all {
		if all[i].Disabled != "" {
			h.Disabled++
		}
	}
	h.Pending, h.OldestDue, err = s.Store.DeliveryBacklog(ctx)
	return h, err
}

// shown is what the audit tells of a subscription: the path and query of a URL
// may hold a secret.
type shown struct {
	Host    string   `json:"host"`
	Events  []string `json:"events"`
	Active  bool     `json:"active"`
	Secrets int      `json:"secrets"`
}

// audit is the entry of a change of a subscription; nil if it is on nobody's behalf.
func (s *Service) audit(ctx context.Context, id string, before, after *ports.Webhook) *ports.AuditEntry {
	show := func(w *ports.Webhook) any {
		if w == nil {
			return nil
		}
		u, err := url.Parse(w.URL)
		if err != nil { // it was checked
			u = &url.URL{}
		}
		return shown{u.Host, w.Events, w.Active, len(w.Secrets)}
	}
	return s.entry(ctx, id, show(before), show(after))
}

func (s *Service) entry(ctx context.Context, target string, before, after any) *ports.AuditEntry {
	return audit.Entry(ctx, s.Entropy.UUID, s.now(), target, before, after)
}
