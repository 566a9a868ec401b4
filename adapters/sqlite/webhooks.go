package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	webhookColumns = `webhook_id, url, description, events, active, disabled, secrets, created_at, updated_at, failing_since, version`

	webhookSQL    = `SELECT ` + webhookColumns + ` FROM webhooks WHERE webhook_id = ?1`
	webhookIDsSQL = `SELECT webhook_id FROM webhooks`
	webhooksSQL   = `SELECT ` + webhookColumns + ` FROM webhooks ORDER BY created_at, webhook_id`

	countWebhooksSQL = `SELECT count(*) FROM webhooks`
	findWebhookSQL   = `SELECT nr, version, active, failing_since FROM webhooks WHERE webhook_id = ?1`

	insertWebhookSQL = `INSERT INTO webhooks (` + webhookColumns + `) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
	updateWebhookSQL = `
UPDATE webhooks SET (` + webhookColumns + `) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) WHERE webhook_id = ?1`
	disableWebhookSQL = `UPDATE webhooks SET active = 0, disabled = ?2, updated_at = ?3 WHERE nr = ?1`
	deleteWebhookSQL  = `DELETE FROM webhooks WHERE nr = ?1`

	deleteDeliveriesSQL = `
DELETE FROM deliveries WHERE (workflow_id, webhook, sequence) IN (
	SELECT workflow_id, webhook, sequence FROM deliveries INDEXED BY deliveries_listed WHERE webhook = ?1 LIMIT ?2)`

	// giveUpSQL fails what is not settled of a subscription that is inactive.
	giveUpSQL = `
UPDATE deliveries SET status = 'FAILED', next_at = NULL, asked = 0 WHERE (workflow_id, webhook, sequence) IN (
	SELECT workflow_id, webhook, sequence FROM deliveries INDEXED BY deliveries_due WHERE webhook = ?1 AND next_at IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM webhooks WHERE nr = ?1 AND active) LIMIT ?2)`
)

// subscriptions are the statements for webhooks and deliveries.
type subscriptions struct {
	// wanted are the active ones by the events that they want; nil if that is to
	// be read. Commits know it without asking.
	wanted     map[string][]int64
	readWanted *sql.Stmt

	countWebhooks, findWebhook, insertWebhook    *sql.Stmt
	updateWebhook, disableWebhook, deleteWebhook *sql.Stmt
	deleteDeliveries, giveUp, notify             *sql.Stmt
	dueDeliveries, holdDelivery, heldDelivery    *sql.Stmt
	settleDelivery, clearFailing, setFailing     *sql.Stmt
	redeliver, recover, releaseDeliveries        *sql.Stmt
	purgeDeliveries, dropDeliveriesOf            *sql.Stmt
}

func (s *subscriptions) list() []prepared {
	return []prepared{
		{&s.readWanted, wantedSQL},
		{&s.countWebhooks, countWebhooksSQL}, {&s.findWebhook, findWebhookSQL}, {&s.insertWebhook, insertWebhookSQL},
		{&s.updateWebhook, updateWebhookSQL}, {&s.disableWebhook, disableWebhookSQL}, {&s.deleteWebhook, deleteWebhookSQL},
		{&s.deleteDeliveries, deleteDeliveriesSQL}, {&s.giveUp, giveUpSQL}, {&s.notify, notifySQL},
		{&s.dueDeliveries, dueDeliveriesSQL}, {&s.holdDelivery, holdDeliverySQL}, {&s.heldDelivery, heldDeliverySQL},
		{&s.settleDelivery, settleDeliverySQL}, {&s.clearFailing, clearFailingSQL}, {&s.setFailing, setFailingSQL},
		{&s.redeliver, redeliverSQL}, {&s.recover, recoverSQL}, {&s.releaseDeliveries, releaseDeliveriesSQL},
		{&s.purgeDeliveries, purgeDeliveriesSQL}, {&s.dropDeliveriesOf, dropDeliveriesOfSQL},
	}
}

// deliveriesStep is how many deliveries one transaction fails, recovers or
// removes: there may be millions, and commits wait for it.
const deliveriesStep = 500

// inDeliverySteps repeats a statement until it finds nothing more to do.
func (s *Store) inDeliverySteps(ctx context.Context, doing string, stmt func(*writer) *sql.Stmt, nr int64) error {
	for n := int64(1); n > 0; {
		err := s.write(ctx, doing, func(w *writer) (err error) {
			n, err = affected(stmt(w).Exec(nr, deliveriesStep))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// affected is how many rows a statement changed.
func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func giveUp(w *writer) *sql.Stmt { return w.giveUp }

// SaveWebhook creates a subscription, or replaces the one whose version is one
// less. The first step of what is given up is part of that, the others follow.
func (s *Store) SaveWebhook(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
	const doing = "save a webhook"
	var nr int64
	err := s.write(ctx, doing, func(wr *writer) (err error) {
		wr.wanted = nil
		if nr, err = wr.saveWebhook(&w); err != nil {
			return err
		}
		return wr.note(audit)
	})
	if err == nil && !w.Active {
		err = s.inDeliverySteps(ctx, doing, giveUp, nr)
	}
	return unlessRefused(err)
}

// saveWebhook gives the number of the subscription, 0 if it is new.
func (w *writer) saveWebhook(hook *ports.Webhook) (nr int64, err error) {
	var version int
	var active bool
	var failing *int64
	is, err := one(w.findWebhook, []any{hook.ID}, &nr, &version, &active, &failing)
	switch {
	case err != nil:
		return 0, err
	case !is && hook.Version == 1:
		return 0, w.createWebhook(hook)
	case !is:
		return 0, ports.ErrNotFound
	case version != hook.Version-1:
		return 0, ports.ErrConflict
	}
	hook.FailingSince = fromMicros(failing)
	if hook.Active && !active {
		hook.FailingSince = time.Time{}
	}
	if _, err := w.updateWebhook.Exec(webhookArgs(hook)...); err != nil || hook.Active {
		return nr, err
	}
	_, err = w.giveUp.Exec(nr, deliveriesStep)
	return nr, err
}

func (w *writer) createWebhook(hook *ports.Webhook) error {
	var n int
	if _, err := one(w.countWebhooks, nil, &n); err != nil {
		return err
	}
	if n >= ports.MaxWebhooks {
		return ports.ErrTooManyWebhooks
	}
	hook.FailingSince = time.Time{}
	_, err := w.insertWebhook.Exec(webhookArgs(hook)...)
	return err
}

// webhookArgs are the values of webhookColumns.
func webhookArgs(w *ports.Webhook) []any {
	events, _ := json.Marshal(w.Events)   // texts always can be
	secrets, _ := json.Marshal(w.Secrets) // and so can bytes and times
	return []any{w.ID, w.URL, w.Description, string(events), w.Active, w.Disabled, secrets,
		w.CreatedAt.UnixMicro(), w.UpdatedAt.UnixMicro(), micros(w.FailingSince), w.Version}
}

func scanWebhook(from scanner) (w ports.Webhook, err error) {
	var events string
	var secrets []byte
	var created, updated int64
	var failing *int64
	err = from.Scan(&w.ID, &w.URL, &w.Description, &events, &w.Active, &w.Disabled, &secrets, &created, &updated, &failing, &w.Version)
	if err != nil {
		return w, err
	}
	w.CreatedAt, w.UpdatedAt, w.FailingSince = fromMicros(&created), fromMicros(&updated), fromMicros(failing)
	return w, errors.Join(json.Unmarshal([]byte(events), &w.Events), json.Unmarshal(secrets, &w.Secrets))
}

// unlessRefused is err, but for those that say what was wrong with the request.
func unlessRefused(err error) error {
	for _, refusal := range []error{ports.ErrConflict, ports.ErrNotFound, ports.ErrTooManyWebhooks, ports.ErrIdempotencyKeyTaken} {
		if errors.Is(err, refusal) {
			return refusal
		}
	}
	return err
}

// numberOf finds a subscription. ports.ErrNotFound.
func (w *writer) numberOf(id string) (nr int64, active bool, err error) {
	var version int
	var failing *int64
	is, err := one(w.findWebhook, []any{id}, &nr, &version, &active, &failing)
	if err == nil && !is {
		err = ports.ErrNotFound
	}
	return nr, active, err
}

// DeleteWebhook removes a subscription with its deliveries: those first, so that
// if that is interrupted it can be done again.
func (s *Store) DeleteWebhook(ctx context.Context, id string, audit *ports.AuditEntry) error {
	const doing, all = "delete a webhook", -1
	var nr int64
	find := func(w *writer) (err error) {
		nr, _, err = w.numberOf(id)
		return err
	}
	err := s.write(ctx, doing, find)
	if err == nil {
		err = s.inDeliverySteps(ctx, doing, func(w *writer) *sql.Stmt { return w.deleteDeliveries }, nr)
	}
	if err == nil {
		err = s.write(ctx, doing, func(w *writer) error {
			w.wanted = nil
			if err := find(w); err != nil {
				return err
			}
			if _, err := w.deleteDeliveries.Exec(nr, all); err != nil {
				return err
			}
			if _, err := w.deleteWebhook.Exec(nr); err != nil {
				return err
			}
			return w.note(audit)
		})
	}
	return unlessRefused(err)
}

// Webhook gives a subscription.
func (s *Store) Webhook(ctx context.Context, id string) (ports.Webhook, error) {
	list, err := query(ctx, s, "read a webhook", scanWebhook, webhookSQL, id)
	switch {
	case err != nil:
		return ports.Webhook{}, err
	case len(list) == 0:
		return ports.Webhook{}, ports.ErrNotFound
	}
	return list[0], nil
}

// Webhooks gives all subscriptions, oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]ports.Webhook, error) {
	return query(ctx, s, "list webhooks", scanWebhook, webhooksSQL)
}

// DisableWebhook makes an active subscription inactive.
func (s *Store) DisableWebhook(ctx context.Context, id, reason string, at time.Time) (bool, error) {
	const doing = "disable a webhook"
	var nr int64
	done := false
	err := s.write(ctx, doing, func(w *writer) (err error) {
		w.wanted = nil
		var active bool
		nr, active, err = w.numberOf(id)
		if errors.Is(err, ports.ErrNotFound) || err == nil && !active {
			return nil
		}
		if err != nil {
			return err
		}
		done = true
		if _, err := w.disableWebhook.Exec(nr, reason, at.UnixMicro()); err != nil {
			return err
		}
		_, err = w.giveUp.Exec(nr, deliveriesStep)
		return err
	})
	if err == nil && done {
		err = s.inDeliverySteps(ctx, doing, giveUp, nr)
	}
	return done && err == nil, err
}
