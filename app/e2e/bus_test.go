package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// onEveryBroker runs a test on all brokers. They take too much of a machine to
// run all at the same time.
func onEveryBroker(t *testing.T, test func(t *testing.T, broker harness.Broker)) {
	t.Parallel()
	for name, start := range harness.Brokers {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// TestOrdersOverTheBus completes an order and undoes a declined one, with the
// participants as another process on the bus.
func TestOrdersOverTheBus(t *testing.T) {
	onEveryBroker(t, func(t *testing.T, broker harness.Broker) {
		shop := harness.OpenShopOn(t, broker.URL())
		c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Participants: shop.File, Bus: broker.URL()})
		scene := &shopScene{c, c.Client(t), shop}
		for token, want := range map[string]coordination.Status{
			"tok_visa_4242": coordination.StatusCompleted, "tok_slow_202": coordination.StatusCompleted, "tok_chargeDeclined": coordination.StatusFailed,
		} {
			started := scene.start(t, order(token))
			status := wait(t, scene.client, started.WorkflowID)
			if status.Status != want {
				t.Errorf("an order with %s is %s, want %s: %v", token, status.Status, want, status.Events)
			}
			if fault := shop.Ledger(t).OrderFault(started.WorkflowID, want == coordination.StatusCompleted); fault != "" {
				t.Errorf("an order with %s: %s", token, fault)
			}
		}
	})
}

// impatientOrders is the template of orders with a payment that is waited for
// shortly and tried often: a broker that came back empty may have lost the
// answer to a payment that was accepted, which only its timeout brings to light.
func impatientOrders(t *testing.T) (dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "templates", "builtin", "order-fulfillment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("templateId: tmpl-order-fulfillment-v2", "templateId: tmpl-impatient-orders-v9", `version: "2.1"`, `version: "9.0"`,
		"timeout: PT2M", "timeout: PT10S", "maxAttempts: 2", "maxAttempts: 10").Replace(string(text))
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orders.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestChaosOverTheBus kills the coordinator, the participants and the broker in
// turn while orders are under way; in the end the broker comes back empty.
func TestChaosOverTheBus(t *testing.T) {
	onEveryBroker(t, func(t *testing.T, broker harness.Broker) {
		orders, kills := size(40, 200), size(1, 20)
		shop := harness.OpenShopOn(t, broker.URL())
		c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Participants: shop.File, Bus: broker.URL(), Lease: harness.ShortLease, Templates: impatientOrders(t)})
		l := startLoad(t, shop, orders, c)
		choice := random(t, 4)
		begun := time.Now()
		for i := range kills {
			l.acknowledged((i + 1) * orders / (kills + 2))
			pause(choice)
			c.Kill(t)
			c.Restart(t)
			pause(choice)
			shop.Kill(t)
			shop.Restart(t)
			pause(choice)
			broker.Kill()
			pause(choice)
			broker.Restart(t)
		}
		l.acknowledged((kills + 1) * orders / (kills + 2))
		broker.Kill()
		broker.Wipe(t)
		broker.Restart(t)
		l.verdict(orders)
		t.Logf("%d orders over %d kills of each took %s", orders, kills, time.Since(begun).Round(time.Second))
	})
}
