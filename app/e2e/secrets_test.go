package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

const startOrders = "/workflows/order/start"

// TestSecretsStaySecret sends orders with canaries through every end and looks
// for them wherever the coordinator, or an example participant, has written.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		shop := harness.OpenShop(t)
		c := harness.Serve(t, harness.Options{Store: store, Participants: shop.File, LogLevel: "debug"})
		w := &watcher{t, c, store}
		w.refusals()
		w.everyField()
		completed := w.order("ord-canary-1")
		w.Post(t, startOrders, canaryOrder("ord-canary-1"), "X-Idempotency-Key", "ord-canary-1").Is(201) // replayed
		w.see("a conflict", w.Post(t, startOrders, canaryOrder("ord-canary-1")).Is(409))
		w.see("another body", w.Post(t, startOrders, canaryOrder("ord-canary-1", "9.95", "8.95"), "X-Idempotency-Key", "ord-canary-1").Is(409))
		undone := w.order("ord-canary-2")
		w.see("the compensation", w.Post(t, "/sagas/"+undone.Text("saga", "sagaId")+"/compensate", `{"reason":"TEST"}`, "Prefer", "wait=30").Is(202))
		failed := w.Post(t, startOrders, canaryOrder("ord-canary-3", "prod-cup", "prod-test-out-of-stock"), "Prefer", "wait=30").Is(422)
		w.see("a failure", failed)
		flaky := w.see("a flaky order", w.Post(t, startOrders, canaryOrder("ord-canary-4", canaries["payment token"], "tok_flaky"), "Prefer", "wait=30").Is(201))
		ended := []string{completed.Text("workflowId"), undone.Text("workflowId"), failed.Text("error", "details", "workflowId"), flaky.Text("workflowId")}
		w.batch(ended...)
		for _, id := range ended {
			w.look("the stream", w.stream(id))
		}
		w.everywhere(ended...)
		w.ledgers(shop)
	})
}

// order completes an order.
func (w *watcher) order(id string) *harness.Response {
	w.t.Helper()
	r := w.see("the answer to a start", w.Post(w.t, startOrders, canaryOrder(id), "X-Idempotency-Key", id).Is(201))
	wait(w.t, w.Client(w.t), r.Text("workflowId"))
	return r
}

// batch asks orders to be cancelled, and tells them too much.
func (w *watcher) batch(workflows ...string) {
	ids, err := json.Marshal(workflows)
	if err != nil {
		w.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"action":"CANCEL","reason":"RECALL","workflowIds":%s,"request":{"reasonDetails":%q,"metadata":{"note":%q}}}`,
		ids, canaries["street"], canaries["name"])
	made := w.see("a batch", w.Post(w.t, "/batches", body).Is(202))
	w.see("a faulty batch", w.Post(w.t, "/batches", strings.Replace(body, "CANCEL", "RETRY", 1)).Is(400))
	w.see("the plan of a batch", w.Post(w.t, "/batches", strings.Replace(body, "{", `{"dryRun":true,`, 1)).Is(200))
	if _, err := w.Client(w.t).Batches.Wait(w.t.Context(), made.Text("batchId")); err != nil {
		w.t.Fatal(err)
	}
	w.see("the results", w.Get(w.t, "/batches/"+made.Text("batchId")+"/items?size=100").Is(200))
}

// refusals are orders with a fault at, or near, a canary.
func (w *watcher) refusals() {
	for name, body := range map[string]string{
		"a token that is too long": canaryOrder("ord-1", canaries["payment token"], canaries["payment token"]+strings.Repeat("x", 1100)),
		"a token as a list":        canaryOrder("ord-1", `"`+canaries["payment token"]+`"`, `["`+canaries["payment token"]+`"]`),
		"a name with a surrogate":  canaryOrder("ord-1", canaries["name"], canaries["name"]+`\ud800`),
		"a street twice":           canaryOrder("ord-1", `"city"`, `"street":"`+canaries["street"]+`","city"`),
		"a phone as an amount":     canaryOrder("ord-1", "9.95", `"`+canaries["phone"]+`"`),
		"a token as an identifier": canaryOrder(canaries["street"]),
		"a broken end":             canaryOrder("ord-1") + canaries["name"],
		"half an order":            canaryOrder("ord-1")[:300],
		"no JSON at all":           canaries["street"],
		"no shipping method":       canaryOrder("ord-1", `"shippingMethod":"STANDARD"`, `"shippingMethod":""`),
		"another total":            canaryOrder("ord-1", `"amount":9.95`, `"amount":9.94`),
	} {
		if r := w.see(name, w.Post(w.t, startOrders, body)); r.Status != 400 && r.Status != 422 {
			w.t.Errorf("%s is answered %d: %s", name, r.Status, r.Body)
		}
	}
	generic := fmt.Sprintf(`{"type":"ORDER_FULFILLMENT","businessKey":"other","input":%s}`, canaryOrder("ord-1"))
	w.see("the generic start", w.Post(w.t, "/workflows/start", generic)).Is(400)
	w.see("another content type", w.Post(w.t, startOrders, canaryOrder("ord-1"), "Content-Type", "text/plain")).Is(415)
	for _, card := range []string{"4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444"} {
		for place, body := range map[string]string{"body.paymentMethod.token": canaryOrder("ord-1", canaries["payment token"], card),
			"body.metadata.note": canaryOrder("ord-1", `{"note":"`+canaries["name"]+`"}`, `{"note":"paid with `+card+`"}`)} {
			r := w.see("a card number", w.Post(w.t, startOrders, body)).Is(400)
			if text := string(r.Body); !strings.Contains(text, place) || strings.Contains(text, card) {
				w.t.Errorf("%s at %s is answered %s", card, place, text)
			}
		}
	}
}

// everyField sends orders with a canary in each field in turn, be they right or wrong.
func (w *watcher) everyField() {
	var order any
	if err := json.Unmarshal([]byte(canaryOrder("ord-field")), &order); err != nil {
		w.t.Fatal(err)
	}
	for n, body := range withEach(order, canaries["street"]) {
		text, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		r := w.see("an order with a street somewhere", w.Post(w.t, startOrders, strings.ReplaceAll(string(text), "ord-field", fmt.Sprint("ord-field-", n))))
		if r.Status != 201 && r.Status != 400 {
			w.t.Errorf("%s is answered %d: %s", text, r.Status, r.Body)
		}
	}
}

// withEach are copies of a JSON value, each with another of its leaves replaced.
func withEach(value any, by string) (all []any) {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			for _, other := range withEach(v[name], by) {
				copied := map[string]any{}
				for n := range v {
					copied[n] = v[n]
				}
				copied[name] = other
				all = append(all, copied)
			}
		}
	case []any:
		for i := range v {
			for _, other := range withEach(v[i], by) {
				copied := append([]any(nil), v...)
				copied[i] = other
				all = append(all, copied)
			}
		}
	default:
		all = append(all, by)
	}
	return all
}

// ledgers looks at what the participants have written.
func (w *watcher) ledgers(shop *harness.Shop) {
	w.look("the participants' log", shop.Log()+shop.Stdout())
	ledgers, err := filepath.Glob(filepath.Join(shop.Dir(), "*.jsonl"))
	if err != nil || len(ledgers) != len(harness.Services) {
		w.t.Fatalf("the ledgers are %v, %v", ledgers, err)
	}
	for _, path := range ledgers {
		text, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		w.look(filepath.Base(path), string(text))
	}
}

// gossip is everything that a participant was told, and should have kept.
var gossip = fmt.Sprintf("%s of %s, %s will not pay; call %s", canaries["name"], canaries["street"], strings.ToUpper(canaries["payment token"]), canaries["phone"])

// gossips answers everything but payments with gossip.
func gossips(t *testing.T) *harness.Script {
	s := harness.NewScript(t)
	for action, id := range map[string]string{"reserve_inventory": "reservationId", "confirm_order": "confirmationId", "prepare_fulfillment": "fulfillmentId",
		"create_shipping_label": "shipmentId", "notify_customer": "notificationId", "release_reservation": "releaseId", "void_payment": "voidId",
		"cancel_shipment": "cancellationId", "send_cancellation_notice": "noticeId"} {
		s.Always(action, http.StatusOK, fmt.Sprintf(`{"result":{%q:"id-1","note":{"about":[%q]}}}`, id, gossip))
	}
	return s
}

// payments are what a gossiping payment service answers, one after the other,
// and how the order stands then.
var payments = map[string]struct {
	answers []harness.Answer
	end     string
}{
	"completed": {[]harness.Answer{{Status: 200, Body: `{"result":{"paymentIntent":"pi-1","receipt":"GOSSIP"}}`}}, "COMPLETED"},
	"declined":  {[]harness.Answer{{Status: 422, Body: `{"error":{"code":"PAYMENT_DECLINED","message":"GOSSIP"}}`}}, "FAILED"},
	"nameless":  {[]harness.Answer{{Status: 422, Body: `{"error":{"code":"GOSSIP","message":"GOSSIP"}}`}}, "FAILED"},
	"flaky": {[]harness.Answer{{Status: 503, Body: `{"outcome":"RETRY","error":{"code":"BUSY","message":"GOSSIP"}}`},
		{Status: 200, Body: `{"result":{"paymentIntent":"pi-1"}}`}}, "COMPLETED"},
	"garbled": {[]harness.Answer{{Status: 200, Body: `{"outcome":"GOSSIP"`}, {Status: 200, Body: `["GOSSIP"]`}}, "PARKED"},
	"parked":  {[]harness.Answer{{Status: 400, Body: `{"error":{"code":"BAD_REQUEST","message":"GOSSIP"}}`}}, "PARKED"},
}

// TestWhatParticipantsTellStaysSecret has participants say aloud what they were
// told, in results and in errors, of orders that end in every way.
func TestWhatParticipantsTellStaysSecret(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		script := gossips(t)
		c := harness.Serve(t, harness.Options{Store: store, Participants: script.File(t, harness.Services...), LogLevel: "debug"})
		w := &watcher{t, c, store}
		var workflows []string
		for name, payment := range payments {
			id := w.see("a start", w.Post(t, startOrders, canaryOrder("ord-"+name)).Is(201)).Text("workflowId")
			workflows = append(workflows, id)
			for _, answer := range payment.answers {
				script.Next(t, "process_payment").Answer(answer.Status, strings.ReplaceAll(answer.Body, "GOSSIP", gossip))
			}
			if got := wait(t, w.Client(t), id); string(got.Status) != payment.end {
				t.Errorf("%s: the order is %s, not %s", name, got.Status, payment.end)
			}
		}
		w.everywhere(append(workflows, w.cancelled(script))...)
	})
}

// cancelled cancels an order while it is being paid, for reasons that tell too much.
func (w *watcher) cancelled(script *harness.Script) string {
	id := w.Post(w.t, startOrders, canaryOrder("ord-cancelled")).Is(201).Text("workflowId")
	call := script.Next(w.t, "process_payment")
	w.see("a cancellation", w.Post(w.t, "/workflows/"+id+"/cancel", fmt.Sprintf(
		`{"reason":"asked by %s","reasonDetails":%q,"initiatedBy":"ADMIN","metadata":{"note":%q}}`, canaries["name"], gossip, gossip)).Is(202))
	call.Answer(http.StatusUnprocessableEntity, fmt.Sprintf(`{"error":{"code":"NO","message":%q}}`, gossip))
	if got := wait(w.t, w.Client(w.t), id); got.Status != "CANCELLED" {
		w.t.Errorf("the order is %s, not CANCELLED", got.Status)
	}
	return id
}
