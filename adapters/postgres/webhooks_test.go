package postgres_test

import (
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// subscribed opens a store with a subscription and fills it with deliveries,
// behind its back: most are settled, the others due.
func subscribed(t *testing.T, dsn string, deliveries, due int) *postgres.Store {
	t.Helper()
	store := openAt(t, dsn)
	if err := store.SaveWebhook(t.Context(), contracttests.WebhookOf(1), nil); err != nil {
		t.Fatal(err)
	}
	query[int](t, dsn, `
WITH filled AS (
	INSERT INTO deliveries (webhook, workflow_id, sequence, event, created_at, next_at, status, attempts)
	SELECT nr, 'wf-' || lpad(n::text, 9, '0'), 1, 'workflow.completed', now() + n * interval '1 ms',
		CASE WHEN n <= $2 THEN now() - interval '1 minute' END, CASE WHEN n <= $2 THEN 'PENDING' ELSE 'DELIVERED' END, CASE WHEN n <= $2 THEN 0 ELSE 1 END
	FROM webhooks, generate_series(1, $1) n RETURNING 1
)
SELECT count(*) FROM filled`, deliveries, due)
	return store
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeliveriesAreFoundByKey: what is done to a few deliveries does not read
// the many that were settled, whatever the planner knows of the table.
func TestDeliveriesAreFoundByKey(t *testing.T) {
	t.Parallel()
	const many, due, each = 20_000, 40, 5
	dsn := pgtest.Migrated(t)
	store := subscribed(t, dsn, many, due)
	ctx, id := t.Context(), contracttests.WebhookID(1)
	must(t, store.Renew(ctx, "r1", time.Hour))
	for range 3 {
		list, err := store.ClaimDeliveries(ctx, "r1", map[string]int{id: each})
		if err != nil || len(list) != each {
			t.Fatalf("claimed %d deliveries, %v", len(list), err)
		}
		var attempts []ports.Attempt
		for _, d := range list {
			attempts = append(attempts, ports.Attempt{DeliveryKey: d.DeliveryKey, At: time.Now(), Status: ports.DeliveryFailed})
		}
		must(t, store.SettleDeliveries(ctx, "r1", attempts))
		must(t, store.Redeliver(ctx, attempts[0].DeliveryKey, nil, nil))
		for _, status := range []ports.DeliveryStatus{ports.DeliveryPending, ports.DeliveryFailed} {
			_, err = store.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: id, Status: status, Limit: 5})
			must(t, err)
		}
	}
	_, _, err := store.DeliveryBacklog(ctx)
	must(t, err)
	must(t, store.Release(ctx, "r1"))
	_, err = store.RecoverDeliveries(ctx, id, time.Time{}, nil, nil)
	must(t, err)
	_, err = store.DisableWebhook(ctx, id, "HTTP 410", time.Now())
	must(t, err)
	store.Close() // its connections report what they did when they end
	const sql = `SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE schemaname = current_schema() AND relname = 'deliveries'`
	read := query[int64](t, dsn, sql)
	for end := time.Now().Add(10 * time.Second); read == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		read = query[int64](t, dsn, sql)
	}
	if read == 0 || read > many/2 {
		t.Errorf("%d entries of indexes were read to change a few of %d deliveries", read, many)
	}
}

// TestDeletedSubscriptionLeavesNothing looks where nobody else does.
func TestDeletedSubscriptionLeavesNothing(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Migrated(t)
	store := subscribed(t, dsn, 1200, 700)
	must(t, store.DeleteWebhook(t.Context(), contracttests.WebhookID(1), nil))
	if n := query[int](t, dsn, `SELECT count(*) FROM deliveries`); n != 0 {
		t.Errorf("%d deliveries of a deleted subscription are left", n)
	}
}
