package postgres_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// leftBehind counts what belongs to a workflow that is not there.
const leftBehind = `
SELECT (SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT FROM workflows w WHERE w.nr = e.nr))
	+ (SELECT count(*) FROM idempotency i WHERE NOT EXISTS (SELECT FROM workflows w WHERE w.workflow_id = i.workflow_id))
	+ (SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT FROM workflows w WHERE w.workflow_id = o.workflow_id))
	+ (SELECT count(*) FROM deliveries d WHERE NOT EXISTS (SELECT FROM workflows w WHERE w.workflow_id = d.workflow_id))`

// TestPurgeAmongCommits purges while ended workflows are reopened, and while
// their logs go on after the end: whatever is removed is removed whole.
func TestPurgeAmongCommits(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Migrated(t)
	store := openAt(t, dsn)
	const writers, rounds = 3, 60
	end := func(status domain.Status) contracttests.Edit {
		return func(c *ports.Change) {
			contracttests.Ends(status)(c)
			c.Row.EndedAt = c.Row.StartedAt
		}
	}
	purge := func(status domain.Status) func() error {
		return func() error {
			_, err := store.PurgeWorkflows(t.Context(), status, contracttests.Epoch.AddDate(1, 0, 0), 7)
			return err
		}
	}
	keys := func() error {
		_, err := store.PurgeIdempotency(t.Context(), contracttests.Epoch.AddDate(1, 0, 0), 7)
		return err
	}
	stop := lanes(t, purge(domain.Completed), purge(domain.Failed), purge(domain.Failed), keys, keys)
	var committing sync.WaitGroup
	for writer := range writers {
		committing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(writer), 1))
			for round := range rounds {
				n := writer*rounds + round
				c := contracttests.StartOf(n, contracttests.HeldBy("r1"), contracttests.Keyed(contracttests.OrderID(n)))
				last := contracttests.NextOf(c.Row, end([]domain.Status{domain.Completed, domain.Failed}[n%2]))
				if random.IntN(4) == 0 {
					contracttests.Owing("r1")(&last)
				}
				again := contracttests.NextOf(last.Row, contracttests.Keyed("again-"+contracttests.OrderID(n)), end(last.Row.Status))
				if random.IntN(2) == 0 {
					again = contracttests.NextOf(last.Row, contracttests.Keyed("again-"+contracttests.OrderID(n)), contracttests.HeldBy("r1"),
						contracttests.EditRow(func(r *ports.Row) { r.EndedAt = time.Time{} }))
				}
				for _, change := range []ports.Change{c, last, again} {
					if err := store.Commit(t.Context(), []ports.Change{change})[0]; err != nil && !errors.Is(err, ports.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	committing.Wait()
	stop()
	if n := query[int](t, dsn, leftBehind); n != 0 {
		t.Errorf("%d events, records and outbox entries have no workflow", n)
	}
	if n := query[int](t, dsn, wrongTotals); n != 0 {
		t.Errorf("%d totals differ from what is stored", n)
	}
	if n := query[int](t, dsn, `SELECT count(*) FROM workflows w WHERE (SELECT sum(last_seq - first_seq + 1) FROM events e WHERE e.nr = w.nr) <> version`); n != 0 {
		t.Errorf("%d workflows lack events", n)
	}
	kept := query[int](t, dsn, `SELECT count(*) FROM workflows`)
	if kept == 0 || kept == writers*rounds {
		t.Errorf("%d of %d workflows are left; some should have been purged, some not", kept, writers*rounds)
	}
}

// lanes runs functions again and again until stop is called, which waits for them.
func lanes(t *testing.T, each ...func() error) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, f := range each {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// TestPurgeAmongDeliveries purges while deliveries are made, settled and asked
// for again, and while their subscription is disabled, removed and made again.
func TestPurgeAmongDeliveries(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Migrated(t)
	store := openAt(t, dsn)
	ctx, later := t.Context(), contracttests.Epoch.AddDate(1, 0, 0)
	if err := errors.Join(store.Renew(ctx, "r1", time.Hour), store.SaveWebhook(ctx, contracttests.WebhookOf(1), nil)); err != nil {
		t.Fatal(err)
	}
	room := map[string]int{contracttests.WebhookID(1): 20, contracttests.WebhookID(2): 20}
	random := rand.New(rand.NewPCG(3, 3))
	workflows := func() error { _, err := store.PurgeWorkflows(ctx, domain.Completed, later, 7); return err }
	deliveries := func() error {
		_, err := store.PurgeDeliveries(ctx, contracttests.Epoch.Add(time.Minute), 7)
		return err
	}
	stop := lanes(t, workflows, workflows, deliveries, deliveries,
		func() error {
			claimed, err := store.ClaimDeliveries(ctx, "r1", room)
			var attempts []ports.Attempt
			for _, d := range claimed {
				attempts = append(attempts, ports.Attempt{DeliveryKey: d.DeliveryKey, At: later, Status: ports.DeliveryDelivered})
			}
			return errors.Join(err, store.SettleDeliveries(ctx, "r1", attempts))
		},
		func() error {
			page, err := store.ListDeliveries(ctx, ports.DeliveryQuery{Status: ports.DeliveryDelivered, Limit: 100})
			if err != nil || len(page.Deliveries) == 0 {
				return err
			}
			err = store.Redeliver(ctx, page.Deliveries[random.IntN(len(page.Deliveries))].DeliveryKey, nil, nil)
			if errors.Is(err, ports.ErrNotFound) {
				return nil
			}
			return err
		},
		func() error {
			hook := contracttests.WebhookOf(2)
			err := store.SaveWebhook(ctx, hook, nil)
			_, disabled := store.DisableWebhook(ctx, hook.ID, "the receiver is gone", later)
			return errors.Join(err, disabled, store.DeleteWebhook(ctx, hook.ID, nil))
		},
	)
	for n := range 150 {
		c := contracttests.StartOf(n, contracttests.Telling(contracttests.FixtureEvent))
		last := contracttests.NextOf(c.Row, contracttests.Ends(domain.Completed), contracttests.Telling(contracttests.FixtureEvent))
		for _, change := range []ports.Change{c, last} {
			if err := store.Commit(ctx, []ports.Change{change})[0]; err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	if _, err := store.PurgeDeliveries(ctx, later, 10_000); err != nil {
		t.Error(err)
	}
	if n := query[int](t, dsn, leftBehind); n != 0 {
		t.Errorf("%d events, records, outbox entries and deliveries have no workflow", n)
	}
	if n := query[int](t, dsn, `SELECT count(*) FROM deliveries d WHERE next_at IS NULL OR NOT EXISTS (SELECT FROM webhooks w WHERE w.nr = d.webhook)`); n != 0 {
		t.Errorf("%d deliveries that are settled, or nobody's, are left", n)
	}
	if n := query[int](t, dsn, wrongTotals); n != 0 {
		t.Errorf("%d totals differ from what is stored", n)
	}
}
