package templates_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/templates"
	"github.com/firstviscount/platform-coordination/domain"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func builtin(t *testing.T) map[string]*domain.Template {
	t.Helper()
	list, err := templates.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	byType := map[string]*domain.Template{}
	for _, tmpl := range list {
		byType[tmpl.Type] = tmpl
	}
	return byType
}

// TestBuiltinTemplates compares what is served with testdata, to be read there.
func TestBuiltinTemplates(t *testing.T) {
	t.Parallel()
	list, err := templates.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 4 {
		t.Fatalf("%d templates, want 4", len(list))
	}
	for _, tmpl := range list {
		var got bytes.Buffer
		if err := json.Indent(&got, tmpl.JSON(), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		golden := filepath.Join("testdata", tmpl.ID+".json")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs from %s (rewrite with -update):\n%s", tmpl.ID, golden, got.Bytes())
		}
	}
}

// TestOrderTemplateIsTheOneOfTheReference checks what the API reference shows,
// independently of the golden files.
func TestOrderTemplateIsTheOneOfTheReference(t *testing.T) {
	t.Parallel()
	order := builtin(t)["ORDER_FULFILLMENT"]
	if order.ID != "tmpl-order-fulfillment-v2" || order.Name != "Order Fulfillment Workflow" || order.Version != "2.1" ||
		order.Description != "Complete order fulfillment process with payment and shipping" || !order.Active {
		t.Errorf("head: %+v", order)
	}
	var steps [][3]string
	for _, s := range order.Steps {
		steps = append(steps, [3]string{s.Name, s.Service, s.Description})
	}
	if want := [][3]string{
		{"INVENTORY_RESERVATION", "inventory-service", "Reserving inventory for order items"},
		{"PAYMENT_PROCESSING", "payment-service", "Processing payment authorization"},
		{"ORDER_CONFIRMATION", "order-service", "Confirming order details"},
		{"FULFILLMENT_PREPARATION", "delivery-service", "Preparing order for fulfillment"},
		{"SHIPPING_LABEL_CREATION", "delivery-service", "Creating shipping labels"},
		{"CUSTOMER_NOTIFICATION", "notification-service", "Notifying customer of order confirmation"},
	}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps: %v", steps)
	}
	var undos [][3]string
	for _, c := range order.Compensations {
		undos = append(undos, [3]string{c.Name, c.Condition.String(), c.Description})
	}
	if want := [][3]string{
		{"RELEASE_INVENTORY", "IF_INVENTORY_RESERVED", "Release reserved inventory"},
		{"VOID_PAYMENT", "IF_PAYMENT_AUTHORIZED", "Void payment authorization"},
		{"CANCEL_SHIPMENT", "IF_SHIPMENT_CREATED", "Cancel shipping label (if created)"},
		{"NOTIFY_CUSTOMER", "", "Send cancellation notification"},
	}; !reflect.DeepEqual(undos, want) {
		t.Errorf("compensations: %v", undos)
	}
	pay := order.Steps[1]
	if time.Duration(pay.Timeout) != 2*time.Minute || pay.RetryPolicy.MaxAttempts != 2 || pay.RetryPolicy.BackoffMultiplier != 1500 ||
		pay.OnExhausted != domain.PolicyPark || time.Duration(pay.ParkFor) != 15*time.Minute || string(pay.Attributes["provider"]) != `"stripe"` {
		t.Errorf("payment: %+v", pay)
	}
}

// TestSecretsGoOnlyToWhoNeedsThem resolves the parameters of every command with
// a marked token and address.
func TestSecretsGoOnlyToWhoNeedsThem(t *testing.T) {
	t.Parallel()
	order := builtin(t)["ORDER_FULFILLMENT"]
	input := `{"orderId":"o","customerId":"c","items":[],"paymentMethod":{"type":"t","token":"TOKEN","amount":1,"currency":"USD"},` +
		`"shippingAddress":{"street":"STREET"},"shippingMethod":"s","options":{"priority":"NORMAL"}}`
	look := func(root string, path []string) (json.RawMessage, bool) {
		if root == domain.RootInput {
			return domain.LookupPath(json.RawMessage(input), path)
		}
		return json.RawMessage(`"x"`), true
	}
	check := func(at, service string, p domain.Parameters) {
		text, missing := p.Resolve(look)
		if len(missing) > 0 {
			t.Errorf("%s: missing %v", at, missing)
		}
		if strings.Contains(string(text), "TOKEN") && service != "payment-service" {
			t.Errorf("%s: %s gets the payment token", at, service)
		}
		if strings.Contains(string(text), "STREET") && service != "delivery-service" {
			t.Errorf("%s: %s gets the address", at, service)
		}
	}
	check("context", "everyone", order.Context)
	check("metadata", "everyone", order.Metadata)
	for _, s := range order.Steps {
		check(s.Name, s.Service, s.Parameters)
	}
	for _, c := range order.Compensations {
		check(c.Name, c.Service, c.Parameters)
	}
}

func TestAServedTemplateCanBeLoadedAgain(t *testing.T) {
	t.Parallel()
	for workflowType, tmpl := range builtin(t) {
		served := append([]byte(`{"usage":{"lastMonth":10234,"successRate":93.48},`), tmpl.JSON()[1:]...)
		for _, name := range []string{"served.json", "served.yaml"} {
			dir := t.TempDir()
			write(t, dir, name, string(served))
			list, err := templates.LoadDir(dir)
			if err != nil {
				t.Fatalf("%s as %s: %v", workflowType, name, err)
			}
			if len(list) != 1 || list[0].Hash() != tmpl.Hash() {
				t.Errorf("%s as %s is another template", workflowType, name)
			}
			all, err := templates.Load(dir)
			if err != nil || len(all) != 4 {
				t.Errorf("%s as %s beside the built-in ones: %d templates, %v", workflowType, name, len(all), err)
			}
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shipment is a template as an author would write it.
const shipment = `
templateId: tmpl-shipment-v1
name: Shipment
type: SHIPMENT
version: "1.0"
steps:
  - {name: SHIP, service: ship-service, action: ship, parameters: {weight: 1.50, note: 'a "b" <c>', urgent: true, none: null, tags: [a, 2]}}
`

func TestLoadDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "b.YML", shipment)
	write(t, dir, "a.yaml", strings.NewReplacer("tmpl-shipment-v1", "tmpl-shipment-v0", "steps:", "active: false\nsteps:").Replace(shipment))
	write(t, dir, "c.json", `{"templateId":"tmpl-c","name":"C","type":"C","version":"1","steps":[{"name":"S","service":"s","action":"a"}]}`)
	write(t, dir, "README.md", "not a template")
	write(t, dir, ".hidden.yaml", "not: a template")
	if err := os.Mkdir(filepath.Join(dir, "dir.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := templates.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, tmpl := range list {
		ids = append(ids, tmpl.ID)
	}
	if want := []string{"tmpl-shipment-v0", "tmpl-shipment-v1", "tmpl-c"}; !reflect.DeepEqual(ids, want) {
		t.Fatalf("templates %v, want %v", ids, want)
	}
	if list[0].Active || !list[1].Active {
		t.Error("active is not read, or not the default")
	}
	parameters, _ := list[1].Steps[0].Parameters.Resolve(nil)
	if want := `{"none":null,"note":"a \"b\" \u003cc\u003e","tags":["a",2],"urgent":true,"weight":1.50}`; string(parameters) != want {
		t.Errorf("parameters %s, want %s", parameters, want)
	}
	all, err := templates.Load(dir)
	if err != nil || len(all) != 7 {
		t.Errorf("with the built-in ones: %d, %v", len(all), err)
	}
}

func TestLoadWithoutDirIsBuiltin(t *testing.T) {
	t.Parallel()
	if list, err := templates.Load(""); err != nil || len(list) != 4 {
		t.Errorf("%d templates, %v", len(list), err)
	}
}
