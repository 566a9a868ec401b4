package webhooks_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestAskingAgainByKeyIsAnsweredTheSame and attempts nothing again, also for
// those who ask at the same time.
func TestAskingAgainByKeyIsAnsweredTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := b.create(nil).Webhook.ID
	change := contracttests.StartOf(1, contracttests.Telling(string(domain.AnnounceCompleted)))
	if err := errors.Join(b.store.Renew(t.Context(), "r", time.Minute), b.store.Commit(t.Context(), []ports.Change{change})[0]); err != nil {
		t.Fatal(err)
	}
	attempt := func(status ports.DeliveryStatus) int {
		list, err := b.store.ClaimDeliveries(t.Context(), "r", map[string]int{id: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if err := b.store.SettleDeliveries(t.Context(), "r", []ports.Attempt{{DeliveryKey: d.DeliveryKey, At: b.now, Status: status}}); err != nil {
				t.Fatal(err)
			}
		}
		return len(list)
	}
	delivery := ports.DeliveryKey{WebhookID: id, WorkflowID: change.Row.WorkflowID, Sequence: change.Notices[0].Sequence}
	attempt(ports.DeliveryFailed)
	for i := range 3 {
		got, err := b.Recover(t.Context(), id, time.Time{}, keyOf("recover", "1"))
		if want := (ports.RecoveryReceipt{Recovered: 1, Replayed: i > 0}); err != nil || got != want {
			t.Errorf("recovery %d: %+v, %v", i, got, err)
		}
		again, err := b.Redeliver(t.Context(), delivery, keyOf("redeliver", "1"))
		if err != nil || again != (i > 0) {
			t.Errorf("redelivery %d: a replay is %t, %v", i, again, err)
		}
		if n := attempt(ports.DeliveryFailed); n != []int{1, 0, 0}[i] {
			t.Errorf("%d attempts after request %d", n, i)
		}
	}
	_, recovered := b.Recover(t.Context(), id, time.Time{}, keyOf("recover", "2"))
	_, redelivered := b.Redeliver(t.Context(), delivery, keyOf("redeliver", "2"))
	if !errors.Is(recovered, ports.ErrKeyReused) || !errors.Is(redelivered, ports.ErrKeyReused) {
		t.Errorf("another request with the key: %v, %v", recovered, redelivered)
	}
	var all sync.WaitGroup
	var first atomic.Int32
	for range 8 {
		all.Go(func() {
			if again, err := b.Redeliver(t.Context(), delivery, keyOf("at once", "1")); err != nil {
				t.Error(err)
			} else if !again {
				first.Add(1)
			}
		})
	}
	if all.Wait(); first.Load() != 1 {
		t.Errorf("%d requests at once with one key were taken as new", first.Load())
	}
}

func TestDeliveriesOfNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	id := contracttests.WebhookID(1)
	_, listed := b.Deliveries(t.Context(), ports.DeliveryQuery{WebhookID: id, Limit: 10})
	_, recovered := b.Recover(t.Context(), id, b.now, nil)
	_, redelivered := b.Redeliver(t.Context(), ports.DeliveryKey{WebhookID: id, WorkflowID: contracttests.WorkflowID(1), Sequence: 1}, nil)
	for what, err := range map[string]error{"list": listed, "recover": recovered, "redeliver": redelivered, "delete": b.DeleteWebhook(t.Context(), id)} {
		if !errors.Is(err, ports.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
