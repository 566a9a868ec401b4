package templates_test

import (
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/templates"
)

func TestLoadDirNamesFaults(t *testing.T) {
	t.Parallel()
	const asJSON = `{"templateId":"tmpl-c","name":"C","type":"C","version":"1","steps":[{"name":"S","service":"s","action":"a"}]}`
	for name, test := range map[string]struct{ file, text, want string }{
		"broken YAML":          {"a.yaml", "a: [", "not YAML"},
		"empty":                {"a.yaml", "", "not YAML"},
		"a list":               {"a.yaml", "- a", "not one template"},
		"two documents":        {"a.yaml", shipment + "---\n" + shipment, "not one template"},
		"unknown member":       {"a.yaml", shipment + "colour: red\n", "colour"},
		"unknown member below": {"a.yaml", strings.Replace(shipment, "action: ship", "action: ship, actoin: ship", 1), "actoin"},
		"member twice":         {"a.yaml", shipment + "name: Other\n", "name"},
		"member twice below":   {"a.yaml", strings.Replace(shipment, "weight: 1.50", "weight: 1.50, weight: 2", 1), "weight"},
		"number as name":       {"a.yaml", strings.Replace(shipment, "weight:", "1:", 1), "must be a string"},
		"alias":                {"a.yaml", strings.Replace(strings.Replace(shipment, "name: Shipment", "name: &n Shipment", 1), "weight: 1.50", "weight: *n", 1), "aliases"},
		"octal":                {"a.yaml", strings.Replace(shipment, "1.50", "0o17", 1), "as JSON does"},
		"not a number":         {"a.yaml", strings.Replace(shipment, "1.50", ".nan", 1), "as JSON does"},
		"binary":               {"a.yaml", strings.Replace(shipment, "1.50", "!!binary aGk=", 1), "!!binary"},
		"version as list":      {"a.yaml", strings.Replace(shipment, `"1.0"`, "[1, 0]", 1), "version"},
		"too deep":             {"a.yaml", strings.Replace(shipment, "1.50", strings.Repeat("[", templates.MaxDepth)+strings.Repeat("]", templates.MaxDepth), 1), "levels deep"},
		"too large":            {"a.yaml", shipment + strings.Repeat("#", templates.MaxFileBytes), "larger than"},
		"rule of a template":   {"a.yaml", strings.Replace(shipment, "action: ship", "action: SHIP", 1), "steps.SHIP.action"},
		"token in metadata":    {"a.yaml", shipment + "metadata: {pay: \"{{input.paymentMethod.token}}\"}\n", "metadata: {{input.paymentMethod.token}} is secret"},
		"payment in metadata":  {"a.yaml", shipment + "metadata: {pay: [{with: \"{{input.paymentMethod}}\"}]}\n", "metadata: {{input.paymentMethod}} is secret"},
		"name in the context":  {"a.yaml", strings.Replace(shipment, "\nsteps:", "\ncontext: {who: \"{{input.shippingAddress.name}}\"}\nsteps:", 1), "context: {{input.shippingAddress.name}} is secret"},
		"broken JSON":          {"a.json", `{"templateId":`, "not JSON"},
		"JSON list":            {"a.json", `[]`, "not one template"},
		"JSON and more":        {"a.json", asJSON + "{}", "not one template"},
		"JSON member twice":    {"a.json", strings.Replace(asJSON, `"name":"S"`, `"name":"S","name":"T"`, 1), "name: given twice"},
		"JSON unknown member":  {"a.json", strings.Replace(asJSON, `{`, `{"colour":1,`, 1), "colour"},
		"JSON usage of a step": {"a.json", strings.Replace(asJSON, `"name":"S"`, `"name":"S","usage":{}`, 1), "usage"},
		"JSON not UTF-8":       {"a.json", strings.Replace(asJSON, "C", "\xff", 1), "UTF-8"},
		"JSON too deep":        {"a.json", strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), "levels deep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, test.file, test.text)
			_, err := templates.LoadDir(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.file) {
				t.Errorf("error %v, want one with %q and %q", err, test.file, test.want)
			}
		})
	}
}

func TestAVersionNeedsNoQuotes(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2", "1.10", `"1.10"`} {
		dir := t.TempDir()
		write(t, dir, "a.yaml", strings.Replace(shipment, `"1.0"`, version, 1))
		loaded, err := templates.LoadDir(dir)
		if err != nil || len(loaded) != 1 || loaded[0].Version != strings.Trim(version, `"`) {
			t.Errorf("%s: %v, %v", version, loaded, err)
		}
	}
}

func TestConflictsAreFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ other, want string }{
		"two active of one type": {strings.Replace(shipment, "tmpl-shipment-v1", "tmpl-shipment-v2", 1), "both active for type SHIPMENT"},
		"one ID, two contents":   {strings.Replace(shipment, "name: Shipment", "name: Other", 1), "two different ones"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "a.yaml", shipment)
			write(t, dir, "b.yaml", test.other)
			if _, err := templates.Load(dir); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestOwnTemplatesTakeThePlaceOfBuiltInOnes(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"by ID": "tmpl-order-fulfillment-v2", "by type": "tmpl-own-orders-v1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "a.yaml", strings.NewReplacer("SHIPMENT", "ORDER_FULFILLMENT", "tmpl-shipment-v1", id).Replace(shipment))
			all, err := templates.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			var active []string
			for _, tmpl := range all {
				if tmpl.Type == "ORDER_FULFILLMENT" && tmpl.Active {
					active = append(active, tmpl.ID+" "+tmpl.Name)
				}
			}
			if len(active) != 1 || active[0] != id+" Shipment" {
				t.Errorf("active are %v", active)
			}
		})
	}
}

func TestAllFaultyFilesAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.yaml", "x: [")
	write(t, dir, "b.json", "[]")
	_, err := templates.LoadDir(dir)
	if err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.json") {
		t.Errorf("error %v", err)
	}
	if _, err := templates.LoadDir(dir + "/absent"); err == nil {
		t.Error("a directory that is not there is no fault")
	}
}
