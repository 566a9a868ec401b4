package coordination_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// canaries are sensitive texts of an order, by the members of its JSON.
var canaries = map[string]string{
	"token": "tok_canary", "name": "Canary McCanaryface", "street": "17 Canary Street", "city": "Canarytown",
	"state": "CanaryState", "zipCode": "CAN4RY", "phone": "+15550123456789", "metadata": "canary-metadata",
}

func canaryOrder() coordination.OrderRequest {
	c := func(name string) coordination.Sensitive { return coordination.Sensitive(canaries[name]) }
	return coordination.OrderRequest{
		OrderID: "ord-1", CustomerID: "cust-1", ShippingMethod: "STANDARD",
		Items:         []coordination.OrderItem{{ProductID: "cup", Quantity: 1, UnitPrice: "9.95"}},
		PaymentMethod: coordination.PaymentMethod{Type: "CREDIT_CARD", Token: c("token"), Amount: "9.95"},
		ShippingAddress: coordination.ShippingAddress{Name: c("name"), Street: c("street"), City: c("city"), State: c("state"),
			ZipCode: c("zipCode"), Country: "US", Phone: c("phone")},
		Metadata: json.RawMessage(`{"note":"` + canaries["metadata"] + `"}`),
	}
}

func TestNothingSensitiveOfAnOrderIsPrintedOrLogged(t *testing.T) {
	t.Parallel()
	o := canaryOrder()
	generic := coordination.StartRequest{Type: "X", BusinessKey: "1", Input: o.Metadata, Metadata: o.Metadata}
	command := coordination.Command{CommandID: "c", Parameters: o.Metadata, Context: o.Metadata}
	type wrapper struct {
		Order   coordination.OrderRequest
		Address *coordination.ShippingAddress
		Token   coordination.Sensitive
	}
	var out strings.Builder
	for _, value := range []any{o, &o, o.PaymentMethod, &o.PaymentMethod, o.ShippingAddress, &o.ShippingAddress, o.PaymentMethod.Token,
		[]coordination.Sensitive{o.ShippingAddress.Name}, map[string]coordination.Sensitive{"street": o.ShippingAddress.Street},
		wrapper{o, &o.ShippingAddress, o.PaymentMethod.Token}, generic, &generic, command, &command} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		fmt.Fprintln(&out, value, errors.Join(fmt.Errorf("no: %v", value)))
		slog.New(slog.NewTextHandler(&out, nil)).Info("ordered", "value", value)
	}
	for _, value := range []any{o, o.PaymentMethod, o.ShippingAddress, o.ShippingAddress.Phone, generic, command} {
		slog.New(slog.NewJSONHandler(&out, nil)).Info("ordered", "value", value)
	}
	for name, canary := range canaries {
		for form, text := range map[string]string{"text": canary, "hexadecimal": fmt.Sprintf("%x", canary[:6]), "capitals": fmt.Sprintf("%X", canary[:6]),
			"numbers": strings.Trim(fmt.Sprint([]byte(canary[:6])), "[]")} {
			if at := strings.Index(out.String(), text); at >= 0 {
				t.Errorf("the %s is printed as %s: …%s…", name, form, out.String()[max(at-200, 0):at])
			}
		}
	}
	if !strings.Contains(out.String(), coordination.Redacted) || !strings.Contains(out.String(), "ord-1") {
		t.Error("nothing is printed at all")
	}
}

func TestSensitiveTextIsAnOrdinaryStringOnTheWire(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(canaryOrder())
	if err != nil {
		t.Fatal(err)
	}
	var plain struct {
		PaymentMethod   map[string]any
		ShippingAddress map[string]string
	}
	var back coordination.OrderRequest
	if err := errors.Join(json.Unmarshal(data, &plain), json.Unmarshal(data, &back)); err != nil {
		t.Fatal(err)
	}
	if plain.PaymentMethod["token"] != canaries["token"] || plain.ShippingAddress["street"] != canaries["street"] {
		t.Errorf("sent %s", data)
	}
	if back.PaymentMethod.Token.Reveal() != canaries["token"] || back.ShippingAddress.Name != "Canary McCanaryface" {
		t.Error("it is read as something else")
	}
	if data, err = json.Marshal(coordination.ShippingAddress{Name: "n"}); err != nil || strings.Contains(string(data), "phone") {
		t.Errorf("an absent phone is sent: %s, %v", data, err)
	}
}
