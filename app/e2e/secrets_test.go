package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// canaries are what must be seen by nobody but the participants that need it.
var canaries = map[string]string{
	"payment token": "canary-token-4242424242424242",
	"street":        "17 Canary Street",
	"name":          "Canary McCanaryface",
	"phone":         "+15550123456789",
}

// canaryOrder is a JSON order with all canaries.
func canaryOrder(id string, change ...string) string {
	return strings.NewReplacer(change...).Replace(fmt.Sprintf(`{"orderId":%q,"customerId":"cust-canary",
		"items":[{"productId":"prod-cup","quantity":1,"unitPrice":9.95}],
		"paymentMethod":{"type":"CREDIT_CARD","token":%q,"amount":9.95,"currency":"USD"},
		"shippingAddress":{"name":%q,"street":%q,"city":"Springfield","zipCode":"00000","country":"US","phone":%q},
		"shippingMethod":"STANDARD"}`, id, canaries["payment token"], canaries["name"], canaries["street"], canaries["phone"]))
}

// TestSecretsStaySecret sends orders with canaries through every end and looks
// for them wherever the coordinator, or an example participant, has written.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		shop := harness.OpenShop(t)
		c := harness.Serve(t, harness.Options{Store: store, Participants: shop.File, LogLevel: "debug"})
		w := &watcher{t, c}
		w.refusals()
		completed := w.order("ord-canary-1")
		w.Post(t, "/workflows/order/start", canaryOrder("ord-canary-1"), "X-Idempotency-Key", "ord-canary-1").Is(201) // replayed
		w.see("a conflict", w.Post(t, "/workflows/order/start", canaryOrder("ord-canary-1")).Is(409))
		w.see("another body", w.Post(t, "/workflows/order/start", canaryOrder("ord-canary-1", "9.95", "8.95"), "X-Idempotency-Key", "ord-canary-1").Is(409))
		undone := w.order("ord-canary-2")
		w.see("the compensation", w.Post(t, "/sagas/"+undone.Text("saga", "sagaId")+"/compensate", `{"reason":"TEST"}`, "Prefer", "wait=30").Is(202))
		failed := w.Post(t, "/workflows/order/start", canaryOrder("ord-canary-3", "prod-cup", "prod-test-out-of-stock"), "Prefer", "wait=30").Is(422)
		w.see("a failure", failed)
		for _, id := range []string{completed.Text("workflowId"), undone.Text("workflowId"), failed.Text("error", "details", "workflowId")} {
			w.documents(id)
		}
		w.outputs(shop)
	})
}

// watcher looks for canaries.
type watcher struct {
	t *testing.T
	*harness.Coordinator
}

func (w *watcher) look(where, text string) {
	w.t.Helper()
	for name, canary := range canaries {
		if at := strings.Index(text, canary); at >= 0 {
			w.t.Errorf("the %s is in %s: …%s…", name, where, text[max(at-100, 0):min(at+100, len(text))])
		}
	}
}

func (w *watcher) see(where string, r *harness.Response) *harness.Response {
	w.t.Helper()
	w.look(where, string(r.Body)+fmt.Sprint(r.Header))
	return r
}

// order completes an order.
func (w *watcher) order(id string) *harness.Response {
	w.t.Helper()
	r := w.see("the answer to a start", w.Post(w.t, "/workflows/order/start", canaryOrder(id), "X-Idempotency-Key", id).Is(201))
	wait(w.t, w.Client(w.t), r.Text("workflowId"))
	return r
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
		"no shipping method":       canaryOrder("ord-1", `"shippingMethod":"STANDARD"`, `"shippingMethod":""`),
		"another total":            canaryOrder("ord-1", `"amount":9.95`, `"amount":9.94`),
	} {
		if r := w.see(name, w.Post(w.t, "/workflows/order/start", body)); r.Status != 400 && r.Status != 422 {
			w.t.Errorf("%s is answered %d: %s", name, r.Status, r.Body)
		}
	}
	generic := fmt.Sprintf(`{"type":"ORDER_FULFILLMENT","businessKey":"other","input":%s}`, canaryOrder("ord-1"))
	w.see("the generic start", w.Post(w.t, "/workflows/start", generic)).Is(400)
}

// documents looks at everything that shows a workflow.
func (w *watcher) documents(id string) {
	saga := w.see("the status", w.Get(w.t, "/workflows/"+id+"/status").Is(200)).Text("saga", "sagaId")
	for _, path := range []string{"/sagas/" + saga, "/workflows/" + id + "/events", "/workflows?customerId=cust-canary", "/workflows/active",
		"/workflows/metrics?includeHistorical=true", "/health", "/workflow-templates"} {
		w.see(path, w.Get(w.t, path).Is(200))
	}
	w.look("the stream", w.stream(id))
}

// stream reads the event stream of an ended workflow, which ends too.
func (w *watcher) stream(id string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.API("/workflows/"+id+"/stream"), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(w.t, auth.RoleExternal))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(response.Body))
	if err != nil || !strings.Contains(string(text), "event: "+string(coordination.EventWorkflowStarted)) {
		w.t.Errorf("the stream is %s, %v", text, err)
	}
	return string(text)
}

// outputs looks at what the processes have written.
func (w *watcher) outputs(shop *harness.Shop) {
	w.look("the coordinator's log", w.Log()+w.Stdout())
	if !strings.Contains(w.Log(), `"level":"DEBUG"`) {
		w.t.Error("the log was not on the level debug")
	}
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
