package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// Locks are taken in one order by all that change several rows: deliveries, by
// their keys, before subscriptions. Which deliveries they are is found out first,
// and then they are locked one by one: asked for both at once, the planner walks
// all keys in order. It must not know the subscription either when it finds a
// delivery by its key: it would look among all that the subscription has, which
// it believes to be few while statistics lag behind.
//
// Deliveries of one subscription may be millions; they are changed step by step,
// each step a transaction.
const (
	webhookColumns = `webhook_id, url, description, events, active, disabled, secrets, created_at, updated_at, failing_since, version`

	webhookSQL    = `SELECT ` + webhookColumns + ` FROM webhooks WHERE webhook_id = $1`
	webhookIDsSQL = `SELECT webhook_id FROM webhooks`
	webhooksSQL   = `SELECT ` + webhookColumns + ` FROM webhooks ORDER BY created_at, webhook_id`

	// lockWebhooksSQL makes creations take turns, since they count.
	lockWebhooksSQL  = `LOCK TABLE webhooks IN SHARE ROW EXCLUSIVE MODE`
	countWebhooksSQL = `SELECT count(*), count(*) FILTER (WHERE webhook_id = $1) FROM webhooks`
	findWebhookSQL   = `SELECT nr, version, active FROM webhooks WHERE webhook_id = $1`

	insertWebhookSQL = `
INSERT INTO webhooks (webhook_id, url, description, events, active, disabled, secrets, created_at, updated_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

	// updateWebhookSQL leaves out what the caller does not decide.
	updateWebhookSQL = `
UPDATE webhooks SET url = $2, description = $3, events = $4, active = $5, disabled = $6, secrets = $7, created_at = $8, updated_at = $9,
	failing_since = CASE WHEN active OR NOT $5 THEN failing_since END, version = $10
WHERE webhook_id = $1 AND version = $10 - 1`

	deleteWebhookSQL = `DELETE FROM webhooks WHERE webhook_id = $1 RETURNING nr`

	disableWebhookSQL = `
UPDATE webhooks SET active = false, disabled = $2, updated_at = $3 WHERE nr = $1 AND active`

	deleteDeliveriesSQL = `
WITH orphans AS MATERIALIZED (SELECT workflow_id, webhook, sequence FROM deliveries WHERE webhook = $1 ORDER BY status LIMIT $2),
locked AS MATERIALIZED (
	SELECT l.* FROM (SELECT * FROM orphans ORDER BY workflow_id, sequence) o CROSS JOIN LATERAL (
		SELECT workflow_id, webhook, sequence FROM deliveries d
		WHERE d.workflow_id = o.workflow_id AND d.webhook = o.webhook AND d.sequence = o.sequence FOR UPDATE
	) l
)
DELETE FROM deliveries d USING locked l WHERE d.webhook = l.webhook AND d.workflow_id = l.workflow_id AND d.sequence = l.sequence`

	// giveUpSQL fails what is not settled of a subscription that is inactive, or
	// is being made so.
	giveUpSQL = `
WITH open AS MATERIALIZED (
	SELECT workflow_id, webhook, sequence FROM deliveries WHERE webhook = $1 AND next_at IS NOT NULL
	AND ($3 OR NOT EXISTS (SELECT FROM webhooks WHERE nr = $1 AND active)) ORDER BY next_at LIMIT $2
),
locked AS MATERIALIZED (
	SELECT l.* FROM (SELECT * FROM open ORDER BY workflow_id, sequence) o CROSS JOIN LATERAL (
		SELECT workflow_id, webhook, sequence FROM deliveries d
		WHERE d.workflow_id = o.workflow_id AND d.webhook = o.webhook AND d.sequence = o.sequence AND d.next_at IS NOT NULL FOR UPDATE
	) l
)
UPDATE deliveries d SET status = 'FAILED', next_at = NULL, asked = false FROM locked l
WHERE d.webhook = l.webhook AND d.workflow_id = l.workflow_id AND d.sequence = l.sequence`
)

// deliveriesStep is how many deliveries one transaction fails, recovers or
// removes: so few that finding each by its key is the planner's choice, too,
// before it knows the table.
const deliveriesStep = 500

// inDeliverySteps repeats a statement until it finds nothing more to do.
func (s *Store) inDeliverySteps(ctx context.Context, sql string, args ...any) error {
	for {
		tag, err := s.pool.Exec(ctx, sql, args...)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
	}
}

// SaveWebhook creates a subscription, or replaces the one whose version is one
// less. The first step of what is given up is part of that; the others, and
// what a commit that saw it active adds meanwhile, follow.
func (s *Store) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	var nr int64
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		if w.Version == 1 {
			err = createWebhook(ctx, tx, &w)
		} else {
			nr, err = replaceWebhook(ctx, tx, &w)
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, audit)
	})
	if err == nil && !w.Active && w.Version > 1 {
		err = s.inDeliverySteps(ctx, giveUpSQL, nr, deliveriesStep, false)
	}
	return unlessRefused("save a webhook", err)
}

// replaceWebhook gives the number of the subscription.
func replaceWebhook(ctx context.Context, tx pgx.Tx, w *ports.Webhook) (nr int64, err error) {
	nr, version, _, err := findWebhook(ctx, tx, w.ID)
	switch {
	case err != nil:
		return 0, err
	case version != w.Version-1:
		return 0, ports.ErrConflict
	}
	if !w.Active {
		if _, err := tx.Exec(ctx, giveUpSQL, nr, deliveriesStep, true); err != nil {
			return 0, err
		}
	}
	tag, err := tx.Exec(ctx, updateWebhookSQL, webhookArgs(w)...)
	if err == nil && tag.RowsAffected() == 0 { // another was first
		err = ports.ErrConflict
	}
	return nr, err
}

// findWebhook gives the number of a subscription, and how it is. ports.ErrNotFound.
func findWebhook(ctx context.Context, tx pgx.Tx, id string) (nr int64, version int, active bool, err error) {
	err = tx.QueryRow(ctx, findWebhookSQL, storable(id)).Scan(&nr, &version, &active)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ports.ErrNotFound
	}
	return nr, version, active, err
}

func createWebhook(ctx context.Context, tx pgx.Tx, w *ports.Webhook) error {
	if _, err := tx.Exec(ctx, lockWebhooksSQL); err != nil {
		return err
	}
	var n, same int
	err := tx.QueryRow(ctx, countWebhooksSQL, storable(w.ID)).Scan(&n, &same)
	switch {
	case err != nil:
		return err
	case same > 0:
		return ports.ErrConflict
	case n >= ports.MaxWebhooks:
		return ports.ErrTooManyWebhooks
	}
	_, err = tx.Exec(ctx, insertWebhookSQL, webhookArgs(w)...)
	return err
}

// webhookArgs are the values that a caller decides.
func webhookArgs(w *ports.Webhook) []any {
	secrets, _ := json.Marshal(w.Secrets) // bytes and times always can be
	events := make([]string, len(w.Events))
	for i, e := range w.Events {
		events[i] = storable(e)
	}
	return []any{storable(w.ID), storable(w.URL), storable(w.Description), events, w.Active, storable(w.Disabled), secrets,
		w.CreatedAt, w.UpdatedAt, w.Version}
}

// optionalTime is null for the zero time.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func scanWebhook(r pgx.CollectableRow) (w ports.Webhook, err error) {
	var secrets []byte
	var failing *time.Time
	err = r.Scan(&w.ID, &w.URL, &w.Description, &w.Events, &w.Active, &w.Disabled, &secrets, &w.CreatedAt, &w.UpdatedAt, &failing, &w.Version)
	if err != nil {
		return w, err
	}
	w.CreatedAt, w.UpdatedAt, w.FailingSince = w.CreatedAt.UTC(), w.UpdatedAt.UTC(), orZero(failing)
	return w, json.Unmarshal(secrets, &w.Secrets)
}

// unlessRefused is err as ErrUnavailable, but for those that say what was wrong
// with the request.
func unlessRefused(doing string, err error) error {
	for _, refusal := range []error{ports.ErrConflict, ports.ErrNotFound, ports.ErrTooManyWebhooks, ports.ErrIdempotencyKeyTaken} {
		if errors.Is(err, refusal) {
			return refusal
		}
	}
	if err != nil {
		return unavailable(doing, err)
	}
	return nil
}

// DeleteWebhook removes a subscription with its deliveries. Without it nobody
// sees them, so that removing them is only tidying up: what is left, if that is
// interrupted or a commit adds to them at this moment, is purged.
func (s *Store) DeleteWebhook(ctx context.Context, id string, audit *ports.AuditEntry) error {
	var nr int64
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, deleteWebhookSQL, storable(id)).Scan(&nr)
		if errors.Is(err, pgx.ErrNoRows) {
			return ports.ErrNotFound
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, audit)
	})
	if err != nil {
		return unlessRefused("delete a webhook", err)
	}
	_ = s.inDeliverySteps(ctx, deleteDeliveriesSQL, nr, deliveriesStep)
	return nil
}

// Webhook gives a subscription.
func (s *Store) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	found, err := list(ctx, s, scanWebhook, webhookSQL, storable(id))
	switch {
	case err != nil:
		return ports.Webhook{}, err
	case len(found) == 0:
		return ports.Webhook{}, ports.ErrNotFound
	}
	return found[0], nil
}

// Webhooks gives all subscriptions, oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	return list(ctx, s, scanWebhook, webhooksSQL)
}

// DisableWebhook makes an active subscription inactive; see SaveWebhook.
func (s *Store) DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error) {
	var nr int64
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		var active bool
		if nr, _, active, err = findWebhook(ctx, tx, id); err != nil {
			return err
		}
		if !active {
			return ports.ErrConflict
		}
		if _, err := tx.Exec(ctx, giveUpSQL, nr, deliveriesStep, true); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, disableWebhookSQL, nr, storable(reason), at)
		if err == nil && tag.RowsAffected() == 0 {
			err = ports.ErrConflict
		}
		return err
	})
	if errors.Is(err, ports.ErrConflict) || errors.Is(err, ports.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		err = s.inDeliverySteps(ctx, giveUpSQL, nr, deliveriesStep, false)
	}
	if err != nil {
		return false, unavailable("disable a webhook", err)
	}
	return true, nil
}
