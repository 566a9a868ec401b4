package domain

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const conditionContext = `{"total":1499.97,"big":9007199254740993,"half":0.5,"zero":0,"name":"bob","yes":true,"no":false,
	"none":null,"list":[1,"two"],"object":{"inner":"x"},"quote":"a\"b","utf":"\u00e4","far":1e99999999999999999999}`

const conditionInput = `{"express":true,"items":[{"quantity":2}]}`

func mustCondition(t testing.TB, text string) Condition {
	t.Helper()
	c, err := ParseCondition(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestConditionEval(t *testing.T) {
	t.Parallel()
	tests := []struct {
		want  Truth
		texts []string
	}{
		{True, []string{
			`true`, `!false`, `(((true)))`, `!!context.yes`, ` context.yes `, `input.express`, `!context.no`,
			`context.total == 1499.97`, `context.total == 149997e-2`, `context.total != 1499.98`, `context.total<1499.98`,
			`context.total >= 1499.970`, `context.big > 9007199254740992`, `context.half > -0.5`, `context.zero == -0`,
			`0.1 < 0.1000000000000000055`, `context.far > 1e9`, `context.name == "bob"`, `context.name < "boc"`,
			`context.name >= "bob"`, `"a" <= "b"`, `context.quote == "a\"b"`, `context.utf == "ä"`, `context.none == null`,
			`context.yes == true`, `context.no != true`, `context.yes != "true"`, `context.total != "1499.97"`,
			`context.list != 1`, `context.object.inner == "x"`, `context.list.1 == "two"`, `input.items.0.quantity == 2`,
			`has(context.total)`, `has(context.none)`, `has( context.object.inner )`, `!has(context.gone)`,
			`context.yes || context.gone`, `context.gone || true`, `has(context.gone) || context.total > 0`,
			`true || false && false`, `(true || false) && true`, `context.yes && !has(context.gone) && input.express == true`,
			"context.yes\n\t&& input.express", `context.half == context.half`, `context.name != context.total`,
		}},
		{False, []string{
			`false`, `!true`, `context.no`, `!context.yes`, `context.total == 1499.98`, `context.total > 1499.97`,
			`context.big == 9007199254740992`, `context.name == "Bob"`, `context.none == false`, `context.none == 0`,
			`context.zero == false`, `context.list == "1"`, `has(context.gone)`, `has(context.name.x)`, `!has(context.yes)`,
			`context.no && context.gone`, `context.gone && false`, `has(context.gone) || has(input.gone)`,
			`(true || false) && false`, `false && true || false`,
		}},
		{Undecided, []string{
			`context.gone`, `!context.gone`, `context.gone == null`, `context.gone != 1`, `1 < context.gone`, `context.gone == context.gone`,
			`context.gone && true`, `context.gone || false`, `!(context.gone == 1)`, `context.name`, `context.total`, `context.none`,
			`context.list`, `context.name > 1`, `context.yes < true`, `context.none <= null`, `context.list == context.list`,
			`context.object != context.list`, `context.list > context.list`, `context.far == 1e999999999999999999999`,
			`context.far < 1e999999999999999999999`, `context.list.2 == 1`, `context.gone.deeper == "x" || false`,
		}},
	}
	look := lookupIn(conditionContext, conditionInput)
	for _, tt := range tests {
		for _, text := range tt.texts {
			if got := mustCondition(t, text).Eval(look); got != tt.want {
				t.Errorf("%s is %v, want %v", text, got, tt.want)
			}
		}
	}
}

// The tables of Kleene's strong logic, operand by operand.
func TestConditionIsKleene(t *testing.T) {
	t.Parallel()
	operands := map[Truth]string{False: "context.no", Undecided: "context.gone", True: "context.yes"}
	look := lookupIn(conditionContext, conditionInput)
	for a, left := range operands {
		if got := mustCondition(t, "!"+left).Eval(look); got != -a {
			t.Errorf("not %v is %v", a, got)
		}
		for b, right := range operands {
			if got := mustCondition(t, left+" && "+right).Eval(look); got != min(a, b) {
				t.Errorf("%v and %v is %v", a, b, got)
			}
			if got := mustCondition(t, left+" || "+right).Eval(look); got != max(a, b) {
				t.Errorf("%v or %v is %v", a, b, got)
			}
		}
	}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	for truth, want := range map[Truth]string{False: "false", Undecided: "unknown", True: "true"} {
		if truth.String() != want || truth.Holds() != (truth != False) {
			t.Errorf("%d: %s, holds %v", truth, truth, truth.Holds())
		}
	}
}

func TestConditionLabels(t *testing.T) {
	t.Parallel()
	never := func(string, []string) (json.RawMessage, bool) {
		t.Error("a label looked something up")
		return nil, false
	}
	for _, label := range []string{"IF_INVENTORY_RESERVED", "IF_X", " IF_2 ", "IF__"} {
		c := mustCondition(t, label)
		if !c.IsLabel() || c.Eval(never) != Undecided || c.String() != strings.TrimSpace(label) {
			t.Errorf("%q: label %v, %v", label, c.IsLabel(), c.Eval(never))
		}
	}
	for _, text := range []string{"IF_", "IF_a", "if_x", "IF_X && true", "!IF_X", "(IF_X)", "IF-X", "IFX"} {
		if c, err := ParseCondition(text); !errors.Is(err, ErrCondition) {
			t.Errorf("%q: %v, %v; want an error", text, c, err)
		}
	}
	if mustCondition(t, "context.a").IsLabel() {
		t.Error("an expression is no label")
	}
}

func TestParseConditionRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, message string }{
		{"", "column 1"},
		{"   ", "column 1"},
		{"context", `"context" is neither a look-up`},
		{"context.", "neither a look-up"},
		{"context..a == 1", "neither a look-up"},
		{"context.a.", "neither a look-up"},
		{"context .a", "neither a look-up"},
		{"env.a == 1", "neither a look-up"},
		{"context.1a == 1", "neither a look-up"},
		{"True", "neither a look-up"},
		{"context.a = 1", "column 11: unexpected character"},
		{"context.a === 1", "column 13: unexpected character"},
		{"context.a & true", "unexpected character"},
		{"context.a | true", "unexpected character"},
		{"context.a + 1 > 2", "unexpected character"},
		{"context.a == 'x'", "unexpected character"},
		{`context.a == "x`, "unexpected character"},
		{`context.a == "x\"`, "neither a look-up"},
		{`context.a == "\x"`, "neither a look-up"},
		{"context.a == \"\n\"", "neither a look-up"},
		{"context.a == 01", "neither a look-up"},
		{"context.a == 1.", "neither a look-up"},
		{"context.a == 0x1F", "neither a look-up"},
		{"context.a == -", "neither a look-up"},
		{"context.a == 5-3", "neither a look-up"},
		{"context.a ==", "found end"},
		{"== 1", `found "=="`},
		{"1", "expected a comparison"},
		{`"x" && true`, "expected a comparison"},
		{"null", "expected a comparison"},
		{"!1", "expected a comparison"},
		{"1 < context.a < 3", "cannot be chained"},
		{"context.a == context.b == true", "cannot be chained"},
		{"!context.a == true", "needs parentheses"},
		{"!has(context.a) == true", "needs parentheses"},
		{"has(context.a) == true", `unexpected "=="`},
		{"(context.a) == true", `unexpected "=="`},
		{"context.a == (1)", `found "("`},
		{"context.a == !true", `found "!"`},
		{"has", `expected "(", found end`},
		{"has()", "has() takes a look-up"},
		{"has(1)", "has() takes a look-up"},
		{"has(context)", "has() takes a look-up"},
		{"has(context.a", `expected ")", found end`},
		{"has(context.a == 1)", `expected ")"`},
		{"size(context.a)", "neither a look-up"},
		{"(context.a", `expected ")", found end`},
		{"context.a)", `unexpected ")"`},
		{"()", `found ")"`},
		{"context.a context.b", `unexpected "context.b"`},
		{"context.a && ", "found end"},
		{"&& context.a", `found "&&"`},
		{"!", "found end"},
		{"\xff", "not UTF-8"},
		{"context.\x00a", "neither a look-up"},
		{"context.a\x00", "unexpected character"},
		{"{{context.a}}", "unexpected character"},
		{strings.Repeat("(", MaxConditionDepth+1) + "true" + strings.Repeat(")", MaxConditionDepth+1), "levels deep"},
		{strings.Repeat("!", MaxConditionDepth+1) + "true", "levels deep"},
		{strings.Repeat("!(", 500) + "true", "levels deep"},
		{strings.Repeat("(", MaxConditionBytes), "levels deep"},
		{"true" + strings.Repeat(" || true", MaxConditionBytes), "more than"},
	}
	for _, tt := range tests {
		c, err := ParseCondition(tt.text)
		if !errors.Is(err, ErrCondition) || !strings.Contains(err.Error(), tt.message) || !c.IsZero() {
			t.Errorf("%q: %v, want an error that says %q", tt.text, err, tt.message)
		}
	}
	for _, atTheLimit := range []string{
		strings.Repeat("(", MaxConditionDepth) + "true" + strings.Repeat(")", MaxConditionDepth),
		strings.Repeat("(!", MaxConditionDepth/2) + "true" + strings.Repeat(")", MaxConditionDepth/2),
		strings.Repeat("(true) && ", 50) + "true",
	} {
		mustCondition(t, atTheLimit)
	}
}

func TestConditionReferences(t *testing.T) {
	t.Parallel()
	c := mustCondition(t, `input.z == context.b && !has(context.a) || context.b`)
	if got := c.References(); !slices.Equal(got, []string{"context.a", "context.b", "input.z"}) {
		t.Errorf("%q", got)
	}
	if got := mustCondition(t, "IF_X").References(); len(got) != 0 {
		t.Errorf("a label has %q", got)
	}
}

func TestConditionJSON(t *testing.T) {
	t.Parallel()
	type step struct {
		Condition Condition `json:"condition,omitzero"`
	}
	for _, text := range []string{`{}`, `{"condition":"IF_INVENTORY_RESERVED"}`, `{"condition":"context.a == \"x\" || has(input.b)"}`} {
		var s, again step
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back, err := json.Marshal(s)
		if err != nil || string(back) != text {
			t.Errorf("%s is written back as %s, %v", text, back, err)
		}
		if err := json.Unmarshal(back, &again); err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("%s is read back as %+v, %v", text, again, err)
		}
	}
	for _, bad := range []string{`null`, `1`, `{}`, `"context"`, `true`} {
		c := mustCondition(t, "IF_X")
		if err := json.Unmarshal([]byte(bad), &c); !errors.Is(err, ErrCondition) || c.String() != "IF_X" {
			t.Errorf("%s gives %v, %v; want an error and no change", bad, c, err)
		}
	}
}

func TestZeroConditionIsTrue(t *testing.T) {
	t.Parallel()
	var c Condition
	if !c.IsZero() || c.IsLabel() || c.Eval(nil) != True || c.String() != "" {
		t.Errorf("zero condition: %v, %v", c.IsLabel(), c.Eval(nil))
	}
	if err := json.Unmarshal([]byte(`""`), &c); err != nil || !c.IsZero() {
		t.Errorf(`"" is %v, %v`, c, err)
	}
}

// Parsing never panics, a condition is read back from its text as it was, and
// evaluating it is total and repeatable, whatever the look-ups give.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		"IF_X", "context.a == 1 && !has(input.b) || (context.c < \"x\")", "!(context.a)", "true", "((", "1 < 2", `"\u00`, "context.a >= -1e5",
	} {
		f.Add(text, `{"a":1,"c":"b"}`)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		c, err := ParseCondition(text)
		if err != nil {
			if !errors.Is(err, ErrCondition) || !c.IsZero() {
				t.Fatalf("%q: %v, %v", text, c, err)
			}
			return
		}
		again, err := ParseCondition(c.String())
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q is read back as %+v, %v", c, again, err)
		}
		for _, look := range []Lookup{
			lookupIn(value, value),
			func(string, []string) (json.RawMessage, bool) { return json.RawMessage(value), true },
			func(string, []string) (json.RawMessage, bool) { return nil, false },
		} {
			truth := c.Eval(look)
			if truth < False || truth > True || truth != again.Eval(look) {
				t.Fatalf("%q is %d", c, truth)
			}
		}
	})
}
