package memory_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenSettlers are stores that do not record what came of attempts.
func brokenSettlers() []brokenStore {
	const prefix = "SettleDeliveries: "
	return []brokenStore{
		{fault: "what went wrong is lost", promise: prefix + "records attempts", breaks: settled(func(a *ports.Attempt) { a.Error = "" })},
		{fault: "settling keeps the hold", promise: prefix + "gives up the hold", breaks: settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
			err := f.Store.SettleDeliveries(ctx, replica, attempts)
			_ = f.hold(ctx, replica, attempts)
			return err
		})},
		{fault: "what is gone fails the others", promise: prefix + "what is gone is passed over", breaks: settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
			for _, a := range attempts {
				if _, found := f.delivery(ctx, a.DeliveryKey); !found {
					return ports.ErrNotFound
				}
			}
			return f.Store.SettleDeliveries(ctx, replica, attempts)
		})},
		{fault: "anybody settles deliveries", promise: prefix + "what is held by another replica meanwhile is passed over", breaks: settling(func(ctx context.Context, f *faulty, _ string, attempts []ports.Attempt) error {
			return errors.Join(f.Store.SettleDeliveries(ctx, "r1", attempts), f.Store.SettleDeliveries(ctx, "r2", attempts))
		})},
		{fault: "what is settled is settled again", promise: prefix + "what the replica does not hold any more is passed over", breaks: settling(settlesSettled)},
		{fault: "the last failure counts", promise: prefix + "a delivered attempt clears FailingSince, a failed one sets it to its time if it is zero", breaks: failsSinceLast},
		{fault: "what was given up never arrived", promise: prefix + "what arrived is DELIVERED, even if it was given up meanwhile", breaks: settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
			attempts = slices.DeleteFunc(slices.Clone(attempts), func(a ports.Attempt) bool {
				d, _ := f.delivery(ctx, a.DeliveryKey)
				return d.Status == ports.DeliveryFailed
			})
			return f.Store.SettleDeliveries(ctx, replica, attempts)
		})},
		{fault: "any number of attempts", promise: prefix + "takes MaxBatch attempts", breaks: settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
			for part := range slices.Chunk(attempts, ports.MaxBatch) {
				if err := f.Store.SettleDeliveries(ctx, replica, part); err != nil {
					return err
				}
			}
			return nil
		})},
		{fault: "settling deadlocks", promise: "DeliveryStore: concurrent calls do not stand in each other's way", breaks: settlingDeadlocks},
	}
}

const (
	redeliverOnce = "writes the idempotency record with it; ErrIdempotencyKeyTaken, and nothing is done"
	recoverOnce   = "writes the idempotency record, with how many; ErrIdempotencyKeyTaken, and nothing is done"
)

// brokenRedeliverers are stores that do not attempt again what they are asked to.
func brokenRedeliverers() []brokenStore {
	const redeliver, recovers = "Redeliver: ", "RecoverDeliveries: "
	return []brokenStore{
		{fault: "what arrived is not told again", promise: redeliver + "makes one delivery PENDING and due now, whatever its status", breaks: redelivering(func(ctx context.Context, f *faulty, key ports.DeliveryKey) error {
			if d, _ := f.delivery(ctx, key); d.Status == ports.DeliveryDelivered {
				return nil
			}
			return f.Store.Redeliver(ctx, key, nil, nil)
		})},
		{fault: "nothing is told again", promise: redeliver + "ErrNotFound", breaks: redelivering(func(ctx context.Context, f *faulty, key ports.DeliveryKey) error {
			return unless(ports.ErrNotFound, f.Store.Redeliver(ctx, key, nil, nil))
		})},
		{fault: "asking during an attempt is forgotten", promise: redeliver + "one that is being attempted is attempted again", breaks: asksOnlyIdle},
		{fault: "the key of a redelivery is forgotten", promise: redeliver + redeliverOnce, breaks: redelivering(func(ctx context.Context, f *faulty, key ports.DeliveryKey) error {
			return f.Store.Redeliver(ctx, key, nil, nil)
		})},
		{fault: "a used key redelivers", promise: redeliver + redeliverOnce, breaks: func(f *faulty) {
			f.redeliver = func(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
				err := f.Store.Redeliver(ctx, key, once, audit)
				if errors.Is(err, ports.ErrIdempotencyKeyTaken) {
					_ = f.Store.Redeliver(ctx, key, nil, nil)
				}
				return err
			}
		}},
		{fault: "the key of a recovery does not know how many", promise: recovers + recoverOnce, breaks: func(f *faulty) {
			f.recoverDeliveries = func(ctx context.Context, id string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
				n, err := f.Store.RecoverDeliveries(ctx, id, since, nil, audit)
				if err == nil && once != nil {
					_, err = f.Store.RecoverDeliveries(ctx, id, since, once, nil)
				}
				return n, err
			}
		}},
		{fault: "a used key recovers", promise: recovers + recoverOnce, breaks: func(f *faulty) {
			f.recoverDeliveries = func(ctx context.Context, id string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
				n, err := f.Store.RecoverDeliveries(ctx, id, since, once, audit)
				if errors.Is(err, ports.ErrIdempotencyKeyTaken) {
					_, _ = f.Store.RecoverDeliveries(ctx, id, since, nil, nil)
				}
				return n, err
			}
		}},
		{fault: "since is exclusive", promise: recovers + "makes every FAILED delivery since a time PENDING and due now, and returns how many", breaks: func(f *faulty) {
			f.recoverDeliveries = func(ctx context.Context, id string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
				return f.Store.RecoverDeliveries(ctx, id, since.Add(time.Millisecond), once, audit)
			}
		}},
		{fault: "a recovery during an attempt is forgotten", promise: recovers + "one that is being attempted is attempted again", breaks: asksOnlyIdle},
	}
}

// settling settles deliveries by a faulty way.
func settling(settle func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error) func(*faulty) {
	return func(f *faulty) {
		f.settleDeliveries = func(ctx context.Context, replica string, attempts []ports.Attempt) error {
			return settle(ctx, f, replica, attempts)
		}
	}
}

// settled alters the attempts that are recorded.
func settled(alter func(a *ports.Attempt)) func(*faulty) {
	return settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
		attempts = slices.Clone(attempts)
		for i := range attempts {
			alter(&attempts[i])
		}
		return f.Store.SettleDeliveries(ctx, replica, attempts)
	})
}

// delivery finds a delivery in a small store.
func (f *faulty) delivery(ctx context.Context, key ports.DeliveryKey) (d ports.Delivery, found bool) {
	page, _ := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: key.WebhookID, Limit: 100})
	i := slices.IndexFunc(page.Deliveries, func(d ports.Delivery) bool { return d.DeliveryKey == key })
	if i < 0 {
		return d, false
	}
	return page.Deliveries[i], true
}

// hold claims for a replica what it attempted before.
func (f *faulty) hold(ctx context.Context, replica string, attempts []ports.Attempt) error {
	room := map[string]int{}
	for _, a := range attempts {
		room[a.WebhookID]++
	}
	_, err := f.Store.ClaimDeliveries(ctx, replica, room)
	return err
}

// settlesSettled records attempts of deliveries that nobody is to attempt.
func settlesSettled(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
	for _, a := range attempts {
		if d, _ := f.delivery(ctx, a.DeliveryKey); d.NextAttemptAt.IsZero() {
			_ = f.Store.Redeliver(ctx, a.DeliveryKey, nil, nil)
		}
	}
	_ = f.hold(ctx, replica, attempts)
	return f.Store.SettleDeliveries(ctx, replica, attempts)
}

// failsSinceLast shows the last failed attempt as the first.
func failsSinceLast(f *faulty) {
	since := map[string]time.Time{}
	settled(func(a *ports.Attempt) {
		since[a.WebhookID] = time.Time{}
		if a.Status != ports.DeliveryDelivered {
			since[a.WebhookID] = a.At
		}
	})(f)
	shows(f, func(w *ports.Webhook) { w.FailingSince = since[w.ID] })
}

// settlingDeadlocks fails the second of two calls that meet.
func settlingDeadlocks(f *faulty) {
	second := meet()
	settling(func(ctx context.Context, f *faulty, replica string, attempts []ports.Attempt) error {
		if second() {
			return errors.New("deadlock detected")
		}
		return f.Store.SettleDeliveries(ctx, replica, attempts)
	})(f)
}

func redelivering(redeliver func(ctx context.Context, f *faulty, key ports.DeliveryKey) error) func(*faulty) {
	return func(f *faulty) {
		f.redeliver = func(ctx context.Context, key ports.DeliveryKey, _ *ports.IdempotencyRecord, _ *ports.AuditEntry) error {
			return redeliver(ctx, f, key)
		}
	}
}

// asksOnlyIdle agrees to attempt again what is being attempted, and forgets it.
func asksOnlyIdle(f *faulty) {
	var mu sync.Mutex
	underWay := map[ports.DeliveryKey]bool{}
	busy := func(key ports.DeliveryKey) bool {
		mu.Lock()
		defer mu.Unlock()
		return underWay[key]
	}
	note := func(key ports.DeliveryKey, is bool) {
		mu.Lock()
		defer mu.Unlock()
		underWay[key] = is
	}
	returned(func(_ map[string]int, list []ports.Delivery) []ports.Delivery {
		for _, d := range list {
			note(d.DeliveryKey, true)
		}
		return list
	})(f)
	settled(func(a *ports.Attempt) { note(a.DeliveryKey, false) })(f)
	redelivering(func(ctx context.Context, f *faulty, key ports.DeliveryKey) error {
		if busy(key) {
			return nil
		}
		return f.Store.Redeliver(ctx, key, nil, nil)
	})(f)
	f.recoverDeliveries = func(ctx context.Context, id string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
		page, err := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: id, Status: ports.DeliveryFailed, Limit: 100})
		if err == nil && slices.ContainsFunc(page.Deliveries, func(d ports.Delivery) bool { return busy(d.DeliveryKey) }) {
			return page.Total, nil
		}
		return f.Store.RecoverDeliveries(ctx, id, since, once, audit)
	}
}
