package sqlite

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/deliveries"
	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	wantedSQL = `SELECT e.value, w.nr FROM webhooks w, json_each(w.events) e WHERE w.active`
	notifySQL = `
INSERT INTO deliveries (webhook, workflow_id, sequence, event, created_at, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO NOTHING`

	// dueDeliveriesSQL leaves out, of one workflow, every event that was never
	// attempted but the first: it is held up until that one is settled once.
	dueDeliveriesSQL = `
SELECT ` + sqlrow.DeliveryColumns + ` FROM webhooks w CROSS JOIN deliveries d INDEXED BY deliveries_due ON d.webhook = w.nr
WHERE w.webhook_id = ?1 AND w.active AND d.next_at <= ?2
AND d.holder NOT IN (SELECT replica FROM replicas WHERE expires_at > ?2)
AND (d.attempts > 0 OR NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.webhook = d.webhook AND e.workflow_id = d.workflow_id
	AND e.sequence < d.sequence AND e.attempts = 0 AND e.next_at IS NOT NULL))
ORDER BY d.next_at, d.workflow_id, d.sequence LIMIT ?3`

	keyWhere = ` WHERE webhook = (SELECT nr FROM webhooks WHERE webhook_id = ?1) AND workflow_id = ?2 AND sequence = ?3`

	holdDeliverySQL = `UPDATE deliveries SET holder = ?4, asked = 0` + keyWhere
	heldDeliverySQL = `SELECT status, attempts, next_at, asked FROM deliveries` + keyWhere + ` AND holder = ?4`

	settleDeliverySQL = `
UPDATE deliveries SET status = ?4, attempts = ?5, last_at = ?6, next_at = ?7, response = ?8, error = ?9, holder = '', asked = 0` + keyWhere

	clearFailingSQL = `UPDATE webhooks SET failing_since = NULL WHERE webhook_id = ?1 AND failing_since IS NOT NULL`
	setFailingSQL   = `UPDATE webhooks SET failing_since = ?2 WHERE webhook_id = ?1 AND failing_since IS NULL`

	redeliverSQL = `UPDATE deliveries SET status = 'PENDING', next_at = ?4, asked = holder <> ''` + keyWhere

	// recoverSQL goes on after the delivery that the step before it ended with,
	// so that what fails again meanwhile is not asked for twice.
	recoverSQL = `
UPDATE deliveries SET status = 'PENDING', next_at = ?6, asked = holder <> '' WHERE (workflow_id, webhook, sequence) IN (
	SELECT workflow_id, webhook, sequence FROM deliveries INDEXED BY deliveries_listed
	WHERE webhook = (SELECT nr FROM webhooks WHERE webhook_id = ?1) AND status = 'FAILED'
	AND created_at >= ?2 AND (created_at > ?2 OR (workflow_id, sequence) > (?3, ?4))
	ORDER BY created_at, workflow_id, sequence LIMIT ?5)
RETURNING created_at, workflow_id, sequence`

	releaseDeliveriesSQL = `
UPDATE deliveries SET holder = '', asked = 0
WHERE webhook IN (SELECT nr FROM webhooks) AND next_at IS NOT NULL AND holder = ?1`

	backlogSQL = `
SELECT count(*), (SELECT min((SELECT min(next_at) FROM deliveries INDEXED BY deliveries_due WHERE webhook = nr AND next_at <= ?1)) FROM webhooks WHERE active)
FROM (SELECT 1 FROM webhooks w CROSS JOIN deliveries d INDEXED BY deliveries_due ON d.webhook = w.nr AND d.next_at IS NOT NULL WHERE w.active LIMIT ?2)`
)

// tell makes the deliveries of a change.
func (w *writer) tell(c *ports.Change) error {
	for _, n := range c.Notices {
		if err := w.knowWanted(); err != nil {
			return err
		}
		for _, nr := range w.wanted[n.Event] {
			if _, err := w.notify.Exec(nr, c.Row.WorkflowID, n.Sequence, n.Event, n.At.UnixMicro(), now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// knowWanted reads which subscriptions want which events, unless that is known
// since they changed last.
func (w *writer) knowWanted() error {
	if w.wanted != nil {
		return nil
	}
	rows, err := w.readWanted.Query()
	if err != nil {
		return err
	}
	type want struct {
		event string
		nr    int64
	}
	list, err := collect(rows, func(from scanner) (x want, err error) { return x, from.Scan(&x.event, &x.nr) })
	if err != nil {
		return err
	}
	w.wanted = make(map[string][]int64)
	for _, x := range list {
		w.wanted[x.event] = append(w.wanted[x.event], x.nr)
	}
	return nil
}

// ClaimDeliveries takes over deliveries that are due and that nobody alive holds.
func (s *Store) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	// Nearly always nothing is due: that spares the writer.
	if _, oldest, err := s.backlog(ctx, 1); err != nil || oldest.IsZero() {
		return nil, err
	}
	var claimed []ports.Delivery
	err := s.write(ctx, "claim deliveries", func(w *writer) error {
		claimed = nil
		for id, places := range room {
			rows, err := w.dueDeliveries.Query(id, now(), max(places, 0))
			if err != nil {
				return err
			}
			due, err := collect(rows, scanDelivery)
			if err != nil {
				return err
			}
			for _, d := range due {
				if _, err := w.holdDelivery.Exec(d.WebhookID, d.WorkflowID, d.Sequence, replica); err != nil {
					return err
				}
			}
			claimed = append(claimed, due...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claimed, func(a, b ports.Delivery) int {
		return cmp.Or(a.NextAttemptAt.Compare(b.NextAttemptAt), strings.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Sequence, b.Sequence))
	})
	return claimed, nil
}

func scanDelivery(from scanner) (d ports.Delivery, err error) {
	var created int64
	var last, next *int64
	err = from.Scan(&d.WebhookID, &d.WorkflowID, &d.Sequence, &d.Event, &d.Status, &d.Attempts, &created, &last, &next, &d.ResponseStatus, &d.Error)
	d.CreatedAt, d.LastAttemptAt, d.NextAttemptAt = fromMicros(&created), fromMicros(last), fromMicros(next)
	return d, err
}

// SettleDeliveries records attempts and gives up the hold.
func (s *Store) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	if err := deliveries.CheckAttempts(attempts); err != nil {
		return err
	}
	return s.write(ctx, "settle deliveries", func(w *writer) error {
		for i := range attempts {
			if err := w.settle(replica, &attempts[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle records one attempt, unless the delivery is gone or another replica's.
func (w *writer) settle(replica string, a *ports.Attempt) error {
	d := ports.Delivery{DeliveryKey: a.DeliveryKey}
	var next *int64
	var asked bool
	is, err := one(w.heldDelivery, []any{a.WebhookID, a.WorkflowID, a.Sequence, replica}, &d.Status, &d.Attempts, &next, &asked)
	if err != nil || !is {
		return err
	}
	d.NextAttemptAt = fromMicros(next)
	deliveries.Settle(&d, asked, a)
	_, err = w.settleDelivery.Exec(a.WebhookID, a.WorkflowID, a.Sequence, string(d.Status), d.Attempts, micros(d.LastAttemptAt),
		micros(d.NextAttemptAt), d.ResponseStatus, d.Error)
	if err != nil {
		return err
	}
	if a.Status == ports.DeliveryDelivered {
		_, err = w.clearFailing.Exec(a.WebhookID)
	} else {
		_, err = w.setFailing.Exec(a.WebhookID, a.At.UnixMicro())
	}
	return err
}

// ListDeliveries gives a page of deliveries, newest event first.
func (s *Store) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	const doing = "list deliveries"
	l, err := sqlrow.NewDeliveryList(q, dialect)
	if err != nil {
		return ports.DeliveryPage{}, err
	}
	ids := []string{l.Webhook()}
	if l.Webhook() == "" {
		if ids, err = query(ctx, s, doing, scanText, webhookIDsSQL); err != nil {
			return ports.DeliveryPage{}, err
		}
	}
	for _, id := range ids {
		stmt, args := l.TotalQuery(id)
		totals, err := query(ctx, s, doing, scanNumber, stmt, args...)
		if err != nil {
			return ports.DeliveryPage{}, err
		}
		stmt, args = l.PageQuery(id)
		found, err := query(ctx, s, doing, scanDelivery, stmt, args...)
		if err != nil {
			return ports.DeliveryPage{}, err
		}
		l.Add(found, totals[0])
	}
	return l.Page(), nil
}

func scanText(from scanner) (text string, err error) { return text, from.Scan(&text) }

// Redeliver makes one delivery PENDING and due now.
func (s *Store) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	return unlessRefused(s.write(ctx, "redeliver", func(w *writer) error {
		result, err := w.redeliver.Exec(key.WebhookID, key.WorkflowID, key.Sequence, now())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, ports.ErrNotFound)
		}
		return cmp.Or(w.remember(once), w.note(audit))
	}))
}

// remember keeps an idempotency record, if there is one. ports.ErrIdempotencyKeyTaken.
func (w *writer) remember(once *ports.IdempotencyRecord) error {
	if once == nil {
		return nil
	}
	if err := w.unused(once); err != nil {
		return err
	}
	return w.writeKey(once)
}

// unused is ports.ErrIdempotencyKeyTaken if a record with the scope of once exists.
func (w *writer) unused(once *ports.IdempotencyRecord) error {
	taken, err := w.keyUsed(once)
	if err == nil && taken {
		err = ports.ErrIdempotencyKeyTaken
	}
	return err
}

// RecoverDeliveries makes FAILED deliveries PENDING and due now, the audit entry
// with the first step, the idempotency record with the last, which finds none.
func (s *Store) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	total := 0
	after := ports.Delivery{DeliveryKey: ports.DeliveryKey{WebhookID: webhookID}, CreatedAt: since}
	for {
		var step []ports.Delivery
		err := s.write(ctx, "recover deliveries", func(w *writer) (err error) {
			if once != nil && total == 0 {
				if err := w.unused(once); err != nil {
					return err
				}
			}
			if step, err = w.recoverAfter(&after); err != nil {
				return err
			}
			if len(step) > 0 {
				return w.note(audit)
			}
			return w.remember(once.Of(total))
		})
		if err != nil || len(step) == 0 {
			return total, unlessRefused(err)
		}
		total, audit = total+len(step), nil
		last := slices.MaxFunc(step, func(a, b ports.Delivery) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Sequence, b.Sequence))
		})
		after.CreatedAt, after.WorkflowID, after.Sequence = last.CreatedAt, last.WorkflowID, last.Sequence
	}
}

// recoverAfter recovers up to deliveriesStep deliveries of later events than one.
func (w *writer) recoverAfter(d *ports.Delivery) ([]ports.Delivery, error) {
	rows, err := w.recover.Query(d.WebhookID, d.CreatedAt.UnixMicro(), d.WorkflowID, d.Sequence, deliveriesStep, now())
	if err != nil {
		return nil, err
	}
	return collect(rows, func(from scanner) (d ports.Delivery, err error) {
		var created int64
		err = from.Scan(&created, &d.WorkflowID, &d.Sequence)
		d.CreatedAt = fromMicros(&created)
		return d, err
	})
}

// DeliveryBacklog counts what is not settled, up to ports.MaxCount.
func (s *Store) DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error) {
	return s.backlog(ctx, ports.MaxCount)
}

// backlog counts up to limit deliveries that are not settled.
func (s *Store) backlog(ctx context.Context, limit int) (pending int, oldest time.Time, err error) {
	var at *int64
	err = found("count deliveries", s.reads.QueryRowContext(ctx, backlogSQL, now(), limit).Scan(&pending, &at))
	return pending, fromMicros(at), err
}
