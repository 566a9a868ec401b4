package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

func canonical(t *testing.T, text string) string {
	t.Helper()
	form, err := webhook.Canonical([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(form)
}

// The examples of RFC 8785, sections 3.2.2 to 3.2.3.
func TestCanonicalExamplesOfTheRFC(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{
		  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
		  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
		  "literals": [null, true, false]
		}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{
		  "\u20ac": "Euro Sign",
		  "\r": "Carriage Return",
		  "\ufb33": "Hebrew Letter Dalet With Dagesh",
		  "1": "One",
		  "\ud83d\ude00": "Emoji: Grinning Face",
		  "\u0080": "Control",
		  "\u00f6": "Latin Small Letter O With Diaeresis"
		}`: `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
			`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`,
	} {
		if got := canonical(t, text); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// The numbers of RFC 8785, appendix B: the bits of a double and how it is written.
func TestCanonicalNumbersOfTheRFC(t *testing.T) {
	t.Parallel()
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		exact := strconv.FormatFloat(math.Float64frombits(bits), 'e', 40, 64) // more digits than it needs
		if got := canonical(t, exact); got != want {
			t.Errorf("%016x is written %s, want %s", bits, got, want)
		}
		if got := canonical(t, want); got != want {
			t.Errorf("%s is written %s", want, got)
		}
	}
}

func TestCanonicalForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" \t\r\n1 \n":                    "1",
		`-0`:                             `0`,
		`-0.0e5`:                         `0`,
		`1E+2`:                           `100`,
		`1e-7`:                           `1e-7`,
		`1e-400`:                         `0`,
		`1499.97`:                        `1499.97`,
		`123456789012345678901234567890`: `1.2345678901234568e+29`,
		`""`:                             `""`,
		`"\b\f\n\r\t\"\\\/"`:             `"\b\f\n\r\t\"\\/"`,
		`"\u0000\u001F\u007f<>&\u2028"`:  "\"\\u0000\\u001f\u007f<>&\u2028\"",
		`[ ]`:                            `[]`,
		`{ }`:                            `{}`,
		`[1,[2,{"b":[ ],"a":{}}]]`:       `[1,[2,{"a":{},"b":[]}]]`,
		`{"a":1,"A":2,"aa":3,"":4}`:      `{"":4,"A":2,"a":1,"aa":3}`,
		`{"\ud800\udc00":1,"\uffff":2,"\ue000":3}`: "{\"\U00010000\":1,\"\ue000\":3,\"\uffff\":2}",
		`{"signature":1,"x":{"signature":2}}`:      `{"signature":1,"x":{"signature":2}}`,
	} {
		if got := canonical(t, text); got != want {
			t.Errorf("%s has the form %s, want %s", text, got, want)
		}
	}
}

func TestWhatHasNoCanonicalForm(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	canonical(t, deep(webhook.MaxDepth))
	for name, text := range map[string]string{
		"nothing": "", "space": " ", "two values": "1 2", "a tail": "{}x", "a mark": "\ufeff{}", "no literal": "nul", "a name": "NaN",
		"infinity": "1e400", "minus infinity": "-1e400", "a zero before": "01", "no whole part": ".5", "no fraction": "1.", "no exponent": "1e",
		"a plus": "+1", "minus alone": "-", "hexadecimal": "0x10", "underscores": "1_000",
		"an open string": `"`, "an open escape": `"\`, "an unknown escape": `"\x"`, "a short escape": `"\u00e"`, "a signed escape": `"\u+0e9"`, "a control character": "\"\n\"",
		"half a pair": `"\ud800"`, "the other half": `"\udc00"`, "two first halves": `"\ud800\ud800"`, "half a pair and text": `"\ud800x"`, "not UTF-8": "\"\xff\"",
		"a surrogate in UTF-8": "\"\xed\xa0\x80\"",
		"an open array":        "[1", "a comma before": "[,1]", "a comma behind": "[1,]", "no comma": "[1 2]",
		"an open object": `{"a":1`, "a comma at first": `{,"a":1}`, "a comma at last": `{"a":1,}`, "no value": `{"a":}`, "no colon": `{"a" 1}`, "no name": `{1:1}`,
		"the same name twice": `{"a":1,"b":2,"a":1}`, "the same name otherwise written": `{"a":1,"\u0061":1}`, "the same name within": `[{"x":{"a":1,"a":1}}]`,
		"too deep": deep(webhook.MaxDepth + 1), "much too deep": strings.Repeat(`{"a":`, 1_000_000),
	} {
		if form, err := webhook.Canonical([]byte(text)); !errors.Is(err, webhook.ErrPayload) || form != nil {
			t.Errorf("%s: %q, %v", name, form, err)
		}
	}
	if _, err := webhook.Canonical([]byte(`{"token":"secret-value" x}`)); err == nil || strings.Contains(err.Error(), "secret-value") {
		t.Errorf("the error quotes the payload: %v", err)
	}
}

// FuzzCanonical: a form is the form of itself, has the value of its text, and
// what has no form is either no JSON or more than I-JSON allows.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"b":[1.50,-0,1e21,1e-7],"a":"\u00e9\ud83d\ude00\n"}`, `[]`, `""`, `null`, `1E400`, `{"a":1,"a":2}`, `"\ud800"`, " {\"\u20ac\":\"\\/\"} ", `[[[[]]]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		form, err := webhook.Canonical(text)
		if err != nil {
			if !errors.Is(err, webhook.ErrPayload) {
				t.Fatal(err)
			}
			return
		}
		again, err := webhook.Canonical(form)
		if err != nil || !bytes.Equal(form, again) {
			t.Errorf("the form %q of %q has the form %q (%v)", form, text, again, err)
		}
		var value, same any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatalf("%q, which is no JSON (%v), has the form %q", text, err, form)
		}
		if err := json.Unmarshal(form, &same); err != nil || !reflect.DeepEqual(value, same) {
			t.Errorf("%q has the form %q, which is another value (%v)", text, form, err)
		}
	})
}
