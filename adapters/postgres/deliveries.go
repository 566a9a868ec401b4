package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/deliveries"
	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// claimDeliveriesSQL picks, for each subscription by itself, what is due. Of
	// one workflow only the first event that was never attempted: whether that
	// one is held does not matter, since it is settled when it is no longer in
	// the way. The time is read once, or it could not choose in the index.
	claimDeliveriesSQL = `
WITH live AS MATERIALIZED (SELECT replica FROM replicas WHERE expires_at > clock_timestamp()),
picked AS MATERIALIZED (
	SELECT p.* FROM unnest($2::text[], $3::integer[]) AS room(webhook_id, n)
	JOIN webhooks w ON w.webhook_id = room.webhook_id AND w.active
	CROSS JOIN LATERAL (
		SELECT d.webhook, d.workflow_id, d.sequence FROM deliveries d
		WHERE d.webhook = w.nr AND d.next_at <= (SELECT clock_timestamp())
		AND NOT (d.holder IN (SELECT replica FROM live))
		AND (d.attempts > 0 OR NOT EXISTS (SELECT FROM deliveries e WHERE e.webhook = d.webhook AND e.workflow_id = d.workflow_id
			AND e.sequence < d.sequence AND e.attempts = 0 AND e.next_at IS NOT NULL))
		ORDER BY d.next_at LIMIT room.n FOR UPDATE OF d SKIP LOCKED
	) p
)
UPDATE deliveries d SET holder = $1, asked = false FROM picked p, webhooks w
WHERE d.webhook = p.webhook AND d.workflow_id = p.workflow_id AND d.sequence = p.sequence AND w.nr = d.webhook
RETURNING ` + sqlrow.DeliveryColumns

	// settleSQL leaves alone what is gone or held by another replica. What was
	// asked for again meanwhile, or given up, stays as it is but for the attempt;
	// only what did arrive is delivered all the same.
	settleSQL = `
WITH a AS MATERIALIZED (
	SELECT * FROM unnest($2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::integer[], $9::text[])
		WITH ORDINALITY AS a(webhook_id, workflow_id, sequence, at, status, next_at, response, error, ord)
),
mine AS MATERIALIZED (
	SELECT l.*, k.ord FROM (
		SELECT a.ord, w.nr, a.workflow_id, a.sequence FROM a JOIN webhooks w ON w.webhook_id = a.webhook_id
		ORDER BY a.workflow_id COLLATE "C", w.nr, a.sequence
	) k CROSS JOIN LATERAL (
		SELECT webhook, workflow_id, sequence FROM deliveries d
		WHERE d.workflow_id = k.workflow_id AND d.webhook = k.nr AND d.sequence = k.sequence AND d.holder = $1 FOR UPDATE
	) l
)
UPDATE deliveries d SET attempts = d.attempts + 1, last_at = a.at, response = a.response, error = a.error, holder = '', asked = false,
	status = CASE WHEN d.asked OR d.next_at IS NULL AND a.status <> 'DELIVERED' THEN d.status ELSE a.status END,
	next_at = CASE WHEN d.asked OR d.next_at IS NULL AND a.status <> 'DELIVERED' THEN d.next_at
		WHEN a.status = 'RETRYING' THEN a.next_at END
FROM mine m JOIN a USING (ord)
WHERE d.webhook = m.webhook AND d.workflow_id = m.workflow_id AND d.sequence = m.sequence
RETURNING a.ord, d.webhook`

	failingSQL = `UPDATE webhooks SET failing_since = $2 WHERE nr = $1 AND failing_since IS DISTINCT FROM $2`
	failedSQL  = `UPDATE webhooks SET failing_since = $2 WHERE nr = $1 AND failing_since IS NULL`

	askAgainSet = `SET status = 'PENDING', next_at = clock_timestamp(), asked = holder <> ''`

	redeliverSQL = `
UPDATE deliveries d ` + askAgainSet + ` FROM webhooks w
WHERE w.webhook_id = $1 AND d.webhook = w.nr AND d.workflow_id = $2 AND d.sequence = $3`

	// recoverSQL goes on after the delivery that the step before it ended with,
	// so that what fails again meanwhile is not asked for twice.
	recoverSQL = `
WITH failed AS MATERIALIZED (
	SELECT created_at, workflow_id, webhook, sequence FROM deliveries
	WHERE webhook = $1 AND status = 'FAILED' AND created_at >= $2 AND (created_at > $2 OR (workflow_id, sequence) > ($3, $4))
	ORDER BY created_at, workflow_id, sequence LIMIT $5
),
locked AS MATERIALIZED (
	SELECT l.* FROM (SELECT * FROM failed ORDER BY workflow_id, sequence) f CROSS JOIN LATERAL (
		SELECT workflow_id, webhook, sequence FROM deliveries d
		WHERE d.workflow_id = f.workflow_id AND d.webhook = f.webhook AND d.sequence = f.sequence AND d.status = 'FAILED' FOR UPDATE
	) l
),
asked AS (
	UPDATE deliveries d ` + askAgainSet + ` FROM locked l
	WHERE d.webhook = l.webhook AND d.workflow_id = l.workflow_id AND d.sequence = l.sequence RETURNING 1
)
SELECT created_at, workflow_id, sequence, (SELECT count(*) FROM asked)
FROM failed ORDER BY created_at DESC, workflow_id DESC, sequence DESC LIMIT 1`

	releaseDeliveriesSQL = `
WITH held AS MATERIALIZED (
	SELECT h.* FROM webhooks w CROSS JOIN LATERAL (
		SELECT webhook, workflow_id, sequence FROM deliveries d
		WHERE d.webhook = w.nr AND d.next_at IS NOT NULL AND d.holder = $1 ORDER BY d.next_at
	) h
),
locked AS MATERIALIZED (
	SELECT l.* FROM (SELECT * FROM held ORDER BY workflow_id, webhook, sequence) h CROSS JOIN LATERAL (
		SELECT webhook, workflow_id, sequence FROM deliveries d
		WHERE d.workflow_id = h.workflow_id AND d.webhook = h.webhook AND d.sequence = h.sequence AND d.holder = $1 FOR UPDATE
	) l
)
UPDATE deliveries d SET holder = '', asked = false FROM locked l
WHERE d.webhook = l.webhook AND d.workflow_id = l.workflow_id AND d.sequence = l.sequence`

	backlogSQL = `
SELECT (SELECT count(*) FROM (
	SELECT FROM webhooks w CROSS JOIN LATERAL (
		SELECT FROM deliveries d WHERE d.webhook = w.nr AND next_at IS NOT NULL ORDER BY next_at LIMIT $1
	) open WHERE w.active LIMIT $1
) waiting),
(SELECT min(next_at) FROM webhooks w CROSS JOIN LATERAL (
	SELECT next_at FROM deliveries d WHERE d.webhook = w.nr AND next_at <= (SELECT clock_timestamp()) ORDER BY next_at LIMIT 1
) oldest WHERE w.active)`
)

// ClaimDeliveries takes over deliveries that are due and that nobody alive holds.
func (s *Store) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	ids, n := make([]string, 0, len(room)), make([]int32, 0, len(room))
	for id, places := range room {
		if places > 0 {
			ids, n = append(ids, storable(id)), append(n, int32(places))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	claimed, err := list(ctx, s, scanDelivery, claimDeliveriesSQL, replica, ids, n)
	slices.SortFunc(claimed, func(a, b ports.Delivery) int {
		return cmp.Or(a.NextAttemptAt.Compare(b.NextAttemptAt), strings.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Sequence, b.Sequence))
	})
	return claimed, err
}

func scanDelivery(r pgx.CollectableRow) (d ports.Delivery, err error) {
	var last, next *time.Time
	err = r.Scan(&d.WebhookID, &d.WorkflowID, &d.Sequence, &d.Event, &d.Status, &d.Attempts, &d.CreatedAt, &last, &next, &d.ResponseStatus, &d.Error)
	d.CreatedAt, d.LastAttemptAt, d.NextAttemptAt = d.CreatedAt.UTC(), orZero(last), orZero(next)
	return d, err
}

// SettleDeliveries records attempts and gives up the hold.
func (s *Store) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	if err := deliveries.CheckAttempts(attempts); err != nil {
		return err
	}
	if len(attempts) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return settle(ctx, tx, replica, attempts)
	})
	if err != nil {
		return unavailable("settle deliveries", err)
	}
	return nil
}

// settle records the attempts, and what they say of their subscriptions, in order.
func settle(ctx context.Context, tx pgx.Tx, replica string, attempts []ports.Attempt) error {
	n := len(attempts)
	ids, workflows, sequences := make([]string, n), make([]string, n), make([]int32, n)
	ats, statuses, nexts := make([]time.Time, n), make([]string, n), make([]*time.Time, n)
	responses, errs := make([]int32, n), make([]string, n)
	for i := range attempts {
		a := &attempts[i]
		ids[i], workflows[i], sequences[i] = storable(a.WebhookID), storable(a.WorkflowID), int32(a.Sequence)
		ats[i], statuses[i], nexts[i] = a.At, string(a.Status), optionalTime(a.NextAttemptAt)
		responses[i], errs[i] = int32(a.ResponseStatus), storable(a.Error)
	}
	type settled struct{ ord, webhook int64 }
	rows, _ := tx.Query(ctx, settleSQL, replica, ids, workflows, sequences, ats, statuses, nexts, responses, errs) // its error comes with the rows
	done, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (d settled, err error) {
		return d, r.Scan(&d.ord, &d.webhook)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(done, func(a, b settled) int { return cmp.Or(cmp.Compare(a.webhook, b.webhook), cmp.Compare(a.ord, b.ord)) })
	batch := &pgx.Batch{}
	for len(done) > 0 {
		of := done[0].webhook
		delivered, failed := false, (*time.Time)(nil) // the first that failed since
		for ; len(done) > 0 && done[0].webhook == of; done = done[1:] {
			switch a := &attempts[done[0].ord-1]; {
			case a.Status == ports.DeliveryDelivered:
				delivered, failed = true, nil
			case failed == nil:
				failed = &a.At
			}
		}
		if delivered {
			batch.Queue(failingSQL, of, failed)
		} else {
			batch.Queue(failedSQL, of, failed)
		}
	}
	return tx.SendBatch(ctx, batch).Close()
}

// Redeliver makes one delivery PENDING and due now.
func (s *Store) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, redeliverSQL, storable(key.WebhookID), storable(key.WorkflowID), key.Sequence)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ports.ErrNotFound
		}
		if err := remember(ctx, tx, once); err != nil {
			return err
		}
		return note(ctx, tx, audit)
	})
	return unlessRefused("redeliver", err)
}

const rememberSQL = `INSERT INTO idempotency (scope, fingerprint, workflow_id, version, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`

// remember keeps an idempotency record, if there is one. ports.ErrIdempotencyKeyTaken.
func remember(ctx context.Context, tx pgx.Tx, once *ports.IdempotencyRecord) error {
	if once == nil {
		return nil
	}
	tag, err := tx.Exec(ctx, rememberSQL, storable(once.Scope), storable(once.Fingerprint), storable(once.WorkflowID), once.Version, once.CreatedAt)
	if err == nil && tag.RowsAffected() == 0 {
		err = ports.ErrIdempotencyKeyTaken
	}
	return err
}

// RecoverDeliveries makes FAILED deliveries PENDING and due now, the audit entry
// with the first step that finds any, the idempotency record with the last,
// which finds none.
func (s *Store) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	r := recovery{since: since}
	if err := s.begin(ctx, &r, webhookID, once); err != nil {
		return 0, unlessRefused("recover deliveries", err)
	}
	for more := true; more; {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			if more, err = r.step(ctx, tx); err != nil {
				return err
			}
			if !more {
				err = remember(ctx, tx, once.Of(r.n))
			}
			if err != nil || r.n == 0 {
				return err
			}
			return note(ctx, tx, audit)
		})
		if err != nil {
			return r.n, unlessRefused("recover deliveries", err)
		}
		if r.n > 0 {
			audit = nil
		}
	}
	return r.n, nil
}

// recovery is how far RecoverDeliveries is.
type recovery struct {
	webhook    int64
	since      time.Time
	workflowID string
	sequence   int
	n          int
}

// begin finds the subscription. ports.ErrIdempotencyKeyTaken.
func (s *Store) begin(ctx context.Context, r *recovery, webhookID string, once *ports.IdempotencyRecord) error {
	scope, taken := "", false
	if once != nil {
		scope = once.Scope
	}
	err := s.pool.QueryRow(ctx, `SELECT coalesce((SELECT nr FROM webhooks WHERE webhook_id = $1), 0), EXISTS (SELECT FROM idempotency WHERE scope = $2)`,
		storable(webhookID), storable(scope)).Scan(&r.webhook, &taken)
	if err == nil && taken && once != nil {
		err = ports.ErrIdempotencyKeyTaken
	}
	return err
}

// step recovers up to deliveriesStep deliveries, and reports whether there may be more.
func (r *recovery) step(ctx context.Context, tx pgx.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, recoverSQL, r.webhook, r.since, r.workflowID, r.sequence, deliveriesStep).
		Scan(&r.since, &r.workflowID, &r.sequence, &n)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	r.n += n
	return true, err
}

// DeliveryBacklog counts what is not settled, up to ports.MaxCount.
func (s *Store) DeliveryBacklog(ctx context.Context) (pending int, oldest time.Time, err error) {
	var at *time.Time
	if err := s.pool.QueryRow(ctx, backlogSQL, ports.MaxCount).Scan(&pending, &at); err != nil {
		return 0, time.Time{}, unavailable("count deliveries", err)
	}
	return pending, orZero(at), nil
}

// ListDeliveries gives a page of deliveries, newest event first.
func (s *Store) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	l, err := sqlrow.NewDeliveryList(q, dialect)
	if err != nil {
		return ports.DeliveryPage{}, err
	}
	ids := []string{l.Webhook()}
	if l.Webhook() == "" {
		if ids, err = list(ctx, s, pgx.RowTo[string], webhookIDsSQL); err != nil {
			return ports.DeliveryPage{}, err
		}
	}
	for _, id := range ids {
		sql, args := l.TotalQuery(id)
		totals, err := list(ctx, s, pgx.RowTo[int], sql, args...)
		if err != nil {
			return ports.DeliveryPage{}, err
		}
		sql, args = l.PageQuery(id)
		found, err := list(ctx, s, scanDelivery, sql, args...)
		if err != nil {
			return ports.DeliveryPage{}, err
		}
		l.Add(found, totals[0])
	}
	return l.Page(), nil
}
