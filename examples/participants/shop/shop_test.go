package shop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/ledger"
	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/examples/participants/shop"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// soon keeps the late actions of the tests short.
var soon = shop.Delays{Payment: time.Millisecond, Receipt: time.Millisecond}

// opened is a running shop with one ledger for each service.
type opened struct {
	t        *testing.T
	dir      string
	services map[string]*service.Service
	callback *httptest.Server
	answers  chan string
	logs     *bytes.Buffer
}

func openShop(t *testing.T) *opened {
	t.Helper()
	s := &opened{t: t, dir: t.TempDir(), services: map[string]*service.Service{}, answers: make(chan string, 8), logs: &bytes.Buffer{}}
	s.callback = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		s.answers <- body.String()
	}))
	t.Cleanup(s.callback.Close)
	log := slog.New(slog.NewTextHandler(s.logs, nil))
	for _, d := range shop.Services(soon) {
		svc, err := service.Open(d, service.Config{Ledger: filepath.Join(s.dir, d.Name), NoSync: true, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s.services[d.Name] = svc
		t.Cleanup(func() {
			if err := svc.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

// do executes an action with parameters in JSON.
func (s *opened) do(target, key, parameters string) (int, string) {
	return s.send(target, fmt.Sprintf(
		`{"commandId":%q,"workflowId":"wf-1","direction":"EXECUTE","parameters":%s,"callback":{"url":%q}}`, key, parameters, s.callback.URL))
}

// undo undoes the command of a key.
func (s *opened) undo(target, key string) (int, string) {
	return s.send(target, fmt.Sprintf(
		`{"commandId":%q,"workflowId":"wf-1","direction":"COMPENSATE","forward":{"commandId":%q,"outcome":"SUCCEEDED"}}`, "undo-"+key, key))
}

// send posts to "service/action".
func (s *opened) send(target, body string) (int, string) {
	s.t.Helper()
	name, action, _ := strings.Cut(target, "/")
	w := httptest.NewRecorder()
	s.services[name].Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+action, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func (s *opened) entries() []ledger.Entry {
	s.t.Helper()
	var all []ledger.Entry
	for name := range s.services {
		entries, err := ledger.Read(filepath.Join(s.dir, name))
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, entries...)
	}
	return all
}

const (
	twoItems = `{"orderId":"o","items":[{"productId":"p1","quantity":2,"warehouseId":"wh-002"},{"productId":"p2","quantity":1}]}`
	payment  = `{"orderId":"o","amount":1499.97,"currency":"USD","token":"tok_visa_4242"}`
)

// Every action of the built-in templates, with the undo that belongs to it.
var actions = []struct {
	do, parameters string
	result         string // members of the result, besides the identifiers
	undo           string
	undone         string
}{
	{"inventory-service/reserve_inventory", twoItems, `{"itemsReserved":3,"warehousesUsed":["wh-001","wh-002"]}`,
		"inventory-service/release_reservation", `{"itemsReleased":3}`},
	{"payment-service/process_payment", payment, `{"provider":"stripe","amount":1499.97,"currency":"USD","status":"CAPTURED"}`,
		"payment-service/void_payment", `{"amount":1499.97,"status":"VOIDED"}`},
	{"payment-service/process_payment", payment, `{"status":"CAPTURED"}`,
		"payment-service/refund_payment", `{"amount":1499.97,"status":"REFUNDED"}`},
	{"payment-service/refund_payment", `{"refundAmount":5.50,"currency":"EUR"}`, `{"amount":5.50,"currency":"EUR","status":"REFUNDED"}`, "", ""},
	{"order-service/confirm_order", `{"orderId":"o"}`, `{"orderStatus":"CONFIRMED"}`, "", ""},
	{"order-service/validate_return", twoItems, `{"itemsApproved":3,"returnStatus":"APPROVED"}`,
		"order-service/cancel_return_authorization", `{"returnStatus":"CANCELLED"}`},
	{"order-service/place_supplier_order", twoItems, `{"itemsOrdered":3,"supplierOrderStatus":"PLACED"}`,
		"order-service/cancel_supplier_order", `{"supplierOrderStatus":"CANCELLED"}`},
	{"delivery-service/prepare_fulfillment", `{"orderId":"o"}`, `{"fulfillmentStatus":"READY"}`, "", ""},
	{"delivery-service/create_shipping_label", `{"orderId":"o"}`, `{"shipmentStatus":"LABEL_CREATED"}`,
		"delivery-service/cancel_shipment", `{"shipmentStatus":"CANCELLED"}`},
	{"inventory-service/restock_items", twoItems, `{"itemsRestocked":3}`,
		"inventory-service/remove_restocked_items", `{"itemsRemoved":3}`},
	{"inventory-service/assess_stock", twoItems, `{"itemsToOrder":3}`, "", ""},
	{"inventory-service/update_stock", twoItems, `{"itemsAdded":3}`, "", ""},
	{"notification-service/notify_customer", `{"customerId":"c"}`, `{"notificationStatus":"SENT"}`, "", ""},
	{"notification-service/send_cancellation_notice", `{"customerId":"c"}`, `{"notificationStatus":"SENT"}`, "", ""},
}

func TestEveryActionDoesAndIsUndone(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for i, a := range actions {
		key := fmt.Sprint("k", i)
		status, body := s.do(a.do, key, a.parameters)
		if status != http.StatusOK || !holds(t, body, a.result) {
			t.Errorf("%s: %d %s, want %s", a.do, status, body, a.result)
		}
		if a.undo == "" {
			continue
		}
		status, body = s.undo(a.undo, key)
		if status != http.StatusOK || !holds(t, body, a.undone) {
			t.Errorf("%s: %d %s, want %s", a.undo, status, body, a.undone)
		}
	}
	for _, f := range ledger.Check(s.entries()) {
		t.Error(f)
	}
}

// holds tells whether the result of an answer has all the members wanted.
func holds(t *testing.T, body, want string) bool {
	t.Helper()
	var answer struct{ Result map[string]json.RawMessage }
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(body), &answer) != nil || json.Unmarshal([]byte(want), &members) != nil {
		t.Errorf("no JSON: %s or %s", body, want)
		return false
	}
	for name, value := range members {
		if string(answer.Result[name]) != string(value) {
			return false
		}
	}
	return true
}

func TestParcelsAreAnnouncedAndArriveLater(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, action := range []string{"receive_item", "receive_goods"} {
		status, body := s.do("delivery-service/"+action, action, twoItems)
		if status != http.StatusAccepted || body != `{"outcome":"ACCEPTED"}` {
			t.Errorf("%s: %d %s", action, status, body)
		}
		if answer := s.called(); !holds(t, answer, `{"itemsReceived":3,"itemCondition":"GOOD"}`) {
			t.Errorf("%s: called back with %s", action, answer)
		}
	}
}

// called waits for the next callback.
func (s *opened) called() string {
	s.t.Helper()
	select {
	case answer := <-s.answers:
		return answer
	case <-time.After(patience):
		s.t.Fatal("no callback")
		return ""
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	pay := func(key, token string) (int, string) {
		return s.do("payment-service/process_payment", key, fmt.Sprintf(`{"amount":12.50,"currency":"USD","token":%q}`, token))
	}
	expect := func(what string, status int, body string, wantStatus int, wantPart string) {
		t.Helper()
		if status != wantStatus || !strings.Contains(body, wantPart) {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	status, body := pay("declined", shop.TokenDeclined)
	expect("declined", status, body, 422, `"code":"PAYMENT_DECLINED","message":"Payment was declined by the issuing bank"`)

	status, body = pay("flaky", shop.TokenFlaky)
	expect("flaky, first", status, body, 503, `"outcome":"RETRY"`)
	for range 3 {
		status, body = pay("flaky", shop.TokenFlaky)
		expect("flaky, then", status, body, 200, `"status":"CAPTURED"`)
	}

	status, body = pay("slow", shop.TokenSlow)
	expect("slow", status, body, 202, `"outcome":"ACCEPTED"`)
	if answer := s.called(); !holds(t, answer, `{"status":"CAPTURED","amount":12.50}`) {
		t.Errorf("slow: called back with %s", answer)
	}

	status, body = pay("stuck", shop.TokenVoidFails)
	expect("void fails, payment", status, body, 200, `"status":"CAPTURED"`)
	status, body = s.undo("payment-service/void_payment", "stuck")
	expect("void fails, void", status, body, 422, `"code":"VOID_FAILED"`)

	status, body = s.do("inventory-service/reserve_inventory", "none", `{"items":[{"productId":"p","quantity":1},{"productId":"prod-test-out-of-stock-7","quantity":1}]}`)
	expect("out of stock", status, body, 422, `"code":"INSUFFICIENT_STOCK"`)
}

func TestAPaymentTokenHasTwoNames(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	status, body := s.do("payment-service/process_payment", "k", `{"amount":1,"paymentToken":"tok_chargeDeclined"}`)
	if status != 422 {
		t.Errorf("%d %s", status, body)
	}
}

func TestParametersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, tc := range []struct{ action, parameters string }{
		{"inventory-service/reserve_inventory", `{}`},
		{"inventory-service/reserve_inventory", `{"items":[{"productId":"p","quantity":0}]}`},
		{"inventory-service/reserve_inventory", `{"items":[{"productId":"p","quantity":1.5}]}`},
		{"inventory-service/reserve_inventory", `{"items":[{"quantity":1}]}`},
		{"inventory-service/reserve_inventory", `{"items":[{"productId":"p","quantity":1000001}]}`},
		{"inventory-service/restock_items", `{"items":[` + strings.Repeat(`{"productId":"p","quantity":1},`, 500) + `{"productId":"p","quantity":1}]}`},
		{"payment-service/process_payment", `{"amount":1}`},
		{"payment-service/process_payment", `{"token":"tok_canary"}`},
		{"payment-service/process_payment", `{"token":"tok_canary","amount":-1}`},
		{"payment-service/process_payment", `{"token":"tok_canary","amount":1e3}`},
		{"payment-service/process_payment", `{"token":"tok_canary","amount":1,"currency":"usd"}`},
		{"payment-service/process_payment", `{"token":"tok_canary","amount":"much"}`},
		{"payment-service/refund_payment", `{}`},
		{"delivery-service/receive_item", `{}`},
		{"order-service/validate_return", `{"items":7}`},
	} {
		status, body := s.do(tc.action, "k", tc.parameters)
		if status != http.StatusBadRequest || !strings.Contains(body, service.CodeInvalidParameters) || strings.Contains(body, "canary") {
			t.Errorf("%s %.80s: %d %s", tc.action, tc.parameters, status, body)
		}
	}
	if n := len(s.entries()); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// Whatever happens, tokens and addresses are not written anywhere.
func TestSecretsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	s := openShop(t)
	parameters := `{"items":[{"productId":"p","quantity":1}],"amount":1,"token":"tok_canary",
		"shippingAddress":{"name":"canary","street":"canary 1","phone":"canary"}}`
	var answers strings.Builder
	for i, a := range actions {
		_, body := s.do(a.do, fmt.Sprint("k", i), parameters)
		answers.WriteString(body)
		_, body = s.do(a.do, fmt.Sprint("k", i), `{"token":"canary","amount":"canary","items":"canary"}`)
		answers.WriteString(body)
	}
	for name := range s.services {
		content, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("%s wrote it into its ledger", name)
		}
	}
	if strings.Contains(answers.String(), canary) || strings.Contains(s.logs.String(), canary) {
		t.Error("it is in an answer or in the log")
	}
}

func TestDefinitionsAreComplete(t *testing.T) {
	t.Parallel()
	for _, d := range shop.Services(shop.Usual) {
		for name, a := range d.Actions {
			if a.Do == nil && a.Undo == nil {
				t.Errorf("%s/%s does nothing", d.Name, name)
			}
			if (a.Undo == nil) != (a.Undoes == "") {
				t.Errorf("%s/%s: Undo and Undoes go together", d.Name, name)
			}
			if a.Undo != nil && d.Actions[a.Undoes].Do == nil {
				t.Errorf("%s/%s undoes %q, which is not done here", d.Name, name, a.Undoes)
			}
		}
	}
}

func TestDecisionsAreTheSameAgain(t *testing.T) {
	t.Parallel()
	for _, d := range shop.Services(soon) {
		for name, a := range d.Actions {
			if a.Do == nil {
				continue
			}
			c := &coordination.Command{CommandID: "k", Parameters: json.RawMessage(
				`{"items":[{"productId":"p","quantity":1}],"amount":1,"token":"t"}`)}
			first, err1 := a.Do(c)
			again, err2 := a.Do(c)
			if err1 != nil || err2 != nil || fmt.Sprint(first) != fmt.Sprint(again) {
				t.Errorf("%s/%s: %v, %v; %v, %v", d.Name, name, first, err1, again, err2)
			}
		}
	}
}
