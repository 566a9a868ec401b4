package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// TestWebhooksSurviveKills: whatever is killed, every event reaches every
// receiver, with the same id and the same bytes each time.
func TestWebhooksSurviveKills(t *testing.T) {
	t.Parallel()
	killWithHooks(t, size(40, 300), size(4, 40), stores["sqlite"](t), 1)
}

func TestWebhooksSurviveKillsOfReplicas(t *testing.T) {
	t.Parallel()
	killWithHooks(t, size(40, 300), size(4, 40), pgtest.Empty(t), 2)
}

func killWithHooks(t *testing.T, orders, kills int, store string, replicas int) {
	shop := harness.OpenShop(t)
	all := serveAll(t, replicas, harness.Options{Store: store, Participants: shop.File, Lease: harness.ShortLease, Hooks: true})
	choice := random(t, 5)
	var receivers []*harness.Receiver
	for range 3 {
		r := harness.NewReceiver(t)
		r.Subscribe(t, all[0].Client(t))
		receivers = append(receivers, r)
	}
	// One forgets to answer now and then, but no event twice: the third attempt
	// would come after minutes.
	var forgotten sync.Map
	receivers[1].Misbehave(func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n%7 == 0 {
			if _, before := forgotten.LoadOrStore(r.Header.Get("Webhook-Id"), true); !before {
				panic(http.ErrAbortHandler)
			}
		}
		return false
	})
	l := startLoad(t, shop, orders, all...)
	for i := range kills {
		l.acknowledged((i + 1) * orders / (kills + 1))
		victim := all[i%replicas]
		pause(choice)
		victim.Kill(t)
		victim.Restart(t)
	}
	l.verdict(orders)
	told := l.told(all[0].Client(t))
	for i, r := range receivers {
		harness.Eventually(t, loadTimeout, fmt.Sprintf("receiver %d to hear of %d events", i, len(told)), func() (string, bool) {
			heard := map[string]bool{}
			for _, one := range r.Got() {
				heard[one.ID] = true
			}
			return fmt.Sprintf("%d", len(heard)), len(heard) >= len(told)
		})
	}
	bodies := map[string]string{}
	repeated := 0
	for i, r := range receivers {
		for _, one := range r.Got() {
			// Each receiver has a secret of its own, and the seal is by it.
			key := fmt.Sprint(i) + one.ID
			if first, again := bodies[key]; again {
				repeated++
				if first != one.Body {
					t.Errorf("sent first as\n%s\nand then as\n%s", first, one.Body)
				}
			}
			bodies[key] = one.Body
			if event, known := told[one.ID]; !known || event != one.Event {
				t.Errorf("told of %s %s, which the log does not have", one.Event, one.ID)
			}
		}
	}
	t.Logf("%d events to %d receivers; %d came again", len(told), len(receivers), repeated)
}

// announced are the events of the log that are told by default.
var announced = map[coordination.EventName]coordination.WebhookEvent{
	"WORKFLOW_STARTED": "workflow.started", "STEP_COMPLETED": "workflow.step.completed", "COMPENSATION_STARTED": "saga.compensating",
	"SAGA_COMPENSATED": "saga.compensated", "WORKFLOW_COMPLETED": "workflow.completed", "WORKFLOW_FAILED": "workflow.failed",
	"WORKFLOW_CANCELLED": "workflow.cancelled",
}

// told are the events that subscribers must hear of, by ID.
func (l *load) told(client *coordination.Client) map[string]coordination.WebhookEvent {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	all := map[string]coordination.WebhookEvent{}
	for _, o := range l.orders {
		for event, err := range client.Workflows.AllEvents(ctx, o.workflowID, coordination.EventsQuery{Size: 100}) {
			if err != nil {
				l.t.Fatal(err)
			}
			if name, is := announced[event.Event]; is {
				all[wire.EventID(o.workflowID, int(event.Sequence), event.Timestamp.Time)] = name
			}
		}
	}
	return all
}
