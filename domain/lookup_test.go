package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// lookupIn looks up in two JSON documents.
func lookupIn(context, input string) Lookup {
	return func(root string, path []string) (json.RawMessage, bool) {
		document := context
		if root == RootInput {
			document = input
		}
		return LookupPath(json.RawMessage(document), path)
	}
}

func mustParameters(t testing.TB, text string) Parameters {
	t.Helper()
	p, err := ParseParameters(json.RawMessage(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestResolve(t *testing.T) {
	t.Parallel()
	const (
		context = `{"reservationId":"res-1","count":3,"ok":true,"none":null,"address":{"zip":"10001"},"list":[1,2],
			"trap":"{{context.secret}}","secret":"s3cret"}`
		input = `{"metadata":{"source":"web"},"items":[{"productId":"p-1","unitPrice":599.90}]}`
	)
	tests := []struct {
		name, parameters, want string
		missing                []string
	}{
		{"nothing", `{}`, `{}`, nil},
		{"literals keep their text", `{"n":1.50,"s":"\u0041<","b":true,"z":null,"a":[ 1 , {"y":1,"x":2} ]}`,
			`{"a":[1,{"x":2,"y":1}],"b":true,"n":1.50,"s":"\u0041<","z":null}`, nil},
		{"values keep their type", `{"s":"{{context.reservationId}}","n":"{{context.count}}","b":"{{context.ok}}","z":"{{context.none}}"}`,
			`{"b":true,"n":3,"s":"res-1","z":null}`, nil},
		{"objects and arrays", `{"to":"{{context.address}}","all":"{{context.list}}"}`, `{"all":[1,2],"to":{"zip":"10001"}}`, nil},
		{"dotted paths and indexes", `{"zip":"{{context.address.zip}}","price":"{{input.items.0.unitPrice}}"}`,
			`{"price":599.90,"zip":"10001"}`, nil},
		{"in nested values", `{"a":{"b":[{"c":"{{input.metadata.source}}"},"x"]}}`, `{"a":{"b":[{"c":"web"},"x"]}}`, nil},
		{"one pass", `{"x":"{{context.trap}}"}`, `{"x":"{{context.secret}}"}`, nil},
		{"sorted names", `{"b":"{{context.count}}","a":1,"C":2}`, `{"C":2,"a":1,"b":3}`, nil},
		{"missing members are left out", `{"a":"{{context.gone}}","b":1,"c":"{{input.gone.too}}","d":2}`, `{"b":1,"d":2}`,
			[]string{"context.gone", "input.gone.too"}},
		{"all missing", `{"a":"{{context.gone}}"}`, `{}`, []string{"context.gone"}},
		{"last missing", `{"a":1,"b":"{{context.gone}}"}`, `{"a":1}`, []string{"context.gone"}},
		{"missing elements are left out", `{"a":["{{context.gone}}",1,"{{context.gone}}",{"x":"{{context.gone}}"}]}`, `{"a":[1,{}]}`,
			[]string{"context.gone"}},
		{"look-up written with escapes", `{"a":"\u007b{context.count}}"}`, `{"a":3}`, nil},
		{"closing braces are text", `{"a":"}} {x} {"}`, `{"a":"}} {x} {"}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, missing := mustParameters(t, tt.parameters).Resolve(lookupIn(context, input))
			if string(got) != tt.want || !slices.Equal(missing, tt.missing) {
				t.Errorf("%s, missing %q; want %s, missing %q", got, missing, tt.want, tt.missing)
			}
		})
	}
}

func TestParseParametersRefuses(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
	}
	tests := []struct{ name, raw, message string }{
		{"empty", ``, "not JSON"},
		{"broken", `{"a":}`, "not JSON"},
		{"trailing data", `{} {}`, "not JSON"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "not JSON"},
		{"null", `null`, "not a JSON object"},
		{"array", `[]`, "not a JSON object"},
		{"string", `"{{context.a}}"`, "not a JSON object"},
		{"twice", `{"x":{"a":1,"b":2,"\u0061":3}}`, "parameters.x.a: given twice"},
		{"text before", `{"x":[1,"id {{context.a}}"]}`, "parameters.x.1: "},
		{"text after", `{"x":"{{context.a}} "}`, "parameters.x: "},
		{"two look-ups", `{"x":"{{context.a}}{{context.b}}"}`, "whole-value"},
		{"look-up in a look-up", `{"x":"{{context.{{context.a}}}}"}`, "whole-value"},
		{"spaces", `{"x":"{{ context.a }}"}`, "whole-value"},
		{"no name", `{"x":"{{context}}"}`, "whole-value"},
		{"empty name", `{"x":"{{context.}}"}`, "whole-value"},
		{"empty middle name", `{"x":"{{context.a..b}}"}`, "whole-value"},
		{"unknown root", `{"x":"{{env.HOME}}"}`, "whole-value"},
		{"root in capitals", `{"x":"{{Context.a}}"}`, "whole-value"},
		{"function", `{"x":"{{context.a | upper}}"}`, "whole-value"},
		{"name that starts with a digit", `{"x":"{{context.1a}}"}`, "whole-value"},
		{"name with a hyphen", `{"x":"{{context.a-b}}"}`, "whole-value"},
		{"name beyond ASCII", `{"x":"{{context.ä}}"}`, "whole-value"},
		{"unclosed", `{"x":"{{context.a"}`, "whole-value"},
		{"three braces", `{"x":"{{{context.a}}}"}`, "whole-value"},
		{"look-up as a name", `{"{{context.a}}":1}`, "a name cannot be a look-up"},
		{"too deep", nested(MaxParametersDepth + 1), fmt.Sprintf("more than %d levels", MaxParametersDepth)},
		{"far too deep", nested(9000), fmt.Sprintf("more than %d levels", MaxParametersDepth)},
		{"too many look-ups", manyLookups(MaxParametersLookups + 1), fmt.Sprintf("more than %d look-ups", MaxParametersLookups)},
		{"too long", `{"a":"` + strings.Repeat("x", MaxParametersBytes) + `"}`, fmt.Sprintf("more than %d bytes", MaxParametersBytes)},
		{"look-up too long", `{"a":"{{context.` + strings.Repeat("x", MaxLookupBytes) + `}}"}`, "whole-value"},
		{"path too long", `{"a":"{{context` + strings.Repeat(".x", MaxLookupNames+1) + `}}"}`, "whole-value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParseParameters(json.RawMessage(tt.raw))
			if !errors.Is(err, ErrParameters) || !strings.Contains(err.Error(), tt.message) || !p.IsZero() {
				t.Errorf("%v, want an error that says %q", err, tt.message)
			}
		})
	}
	for _, atTheLimit := range []string{
		nested(MaxParametersDepth), manyLookups(MaxParametersLookups), `{"a":"{{context` + strings.Repeat(".x", MaxLookupNames) + `}}"}`,
	} {
		mustParameters(t, atTheLimit)
	}
}

func manyLookups(n int) string {
	return `{"a":[` + strings.TrimSuffix(strings.Repeat(`"{{context.a}}",`, n), ",") + `]}`
}

func TestParametersKeepTheirSource(t *testing.T) {
	t.Parallel()
	type step struct {
		Parameters Parameters `json:"parameters,omitzero"`
	}
	const source = `{"parameters":{"z":"{{context.reservationId}}","a":[1.0,{"y":null}]}}`
	var first, second step
	if err := json.Unmarshal([]byte(strings.ReplaceAll(source, ",", " ,\n")), &first); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(first)
	if err != nil || string(text) != source {
		t.Errorf("%s, %v; want the source without spaces", text, err)
	}
	if err := json.Unmarshal(text, &second); err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("read back as %+v, %v", second, err)
	}
	if text, err := json.Marshal(step{}); err != nil || string(text) != `{}` {
		t.Errorf("unset parameters are %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"parameters":null}`), &second); !errors.Is(err, ErrParameters) {
		t.Errorf("null gives %v", err)
	}
}

func TestZeroParametersAreAnEmptyObject(t *testing.T) {
	t.Parallel()
	resolved, missing := Parameters{}.Resolve(nil)
	text, err := json.Marshal(Parameters{})
	if string(resolved) != "{}" || missing != nil || string(text) != "{}" || err != nil || !(Parameters{}).IsZero() {
		t.Errorf("%s, %q, %s, %v", resolved, missing, text, err)
	}
	if mustParameters(t, "{}").IsZero() {
		t.Error("{} counts as unset")
	}
}

func TestParametersReferences(t *testing.T) {
	t.Parallel()
	p := mustParameters(t, `{"b":"{{input.b}}","a":["{{context.z}}","{{context.a.0}}"],"c":"{{context.z}}"}`)
	if got := p.References(); !slices.Equal(got, []string{"context.a.0", "context.z", "input.b"}) {
		t.Errorf("%q", got)
	}
}

func TestResolveTakesAnEmptyValueForMissing(t *testing.T) {
	t.Parallel()
	empty := func(string, []string) (json.RawMessage, bool) { return nil, true }
	got, missing := mustParameters(t, `{"a":"{{context.a}}","b":1}`).Resolve(empty)
	if string(got) != `{"b":1}` || !slices.Equal(missing, []string{"context.a"}) {
		t.Errorf("%s, %q", got, missing)
	}
}

func BenchmarkResolve(b *testing.B) {
	p := mustParameters(b, `{"orderId":"{{context.orderId}}","items":"{{input.items}}","method":"CARD"}`)
	look := lookupIn(`{"orderId":"ord-1","reservationId":"res-1"}`, `{"items":[{"productId":"p","quantity":2}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, missing := p.Resolve(look); missing != nil {
			b.Fatal(missing)
		}
	}
}

// Whatever is accepted is written back as itself, resolves to valid JSON with
// and without its values, and never to text that a second pass would change.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":"{{context.a}}"}`, `{"a":["{{input.x.0}}",1,{"b":"{{context.a}}"}],"A":null}`, `{"a":"\u007b{context.a}}"}`,
		`{"a":1,"a":2}`, `{"a":"{{context.a}} "}`, ` { "a" : [ ] } `,
	} {
		f.Add(seed)
	}
	const trap = `"{{context.trap}}"`
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseParameters(json.RawMessage(text))
		if err != nil {
			return
		}
		source, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again := mustParameters(t, string(source))
		found := func(string, []string) (json.RawMessage, bool) { return json.RawMessage(trap), true }
		resolved, missing := p.Resolve(found)
		same, _ := again.Resolve(found)
		if !json.Valid(resolved) || missing != nil || strings.Count(string(resolved), trap) < len(p.References()) {
			t.Fatalf("%s resolves to %s, missing %q", text, resolved, missing)
		}
		if !equalAsJSON(resolved, same) {
			t.Fatalf("%s resolves to %s, read back to %s", text, resolved, same)
		}
		none := func(string, []string) (json.RawMessage, bool) { return nil, false }
		resolved, missing = p.Resolve(none)
		slices.Sort(missing)
		if !json.Valid(resolved) || !slices.Equal(missing, p.References()) || strings.Contains(string(resolved), "{{") {
			t.Fatalf("%s resolves to %s, missing %q", text, resolved, missing)
		}
	})
}

// equalAsJSON compares texts that may escape their strings differently.
func equalAsJSON(a, b json.RawMessage) bool {
	ja, errA := json.Marshal(a)
	jb, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(ja) == string(jb)
}
