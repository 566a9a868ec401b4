package domain

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestLookupPath(t *testing.T) {
	t.Parallel()
	const document = ` { "orderId" : "ord-1", "n": 1.50, "nothing": null, "empty": {}, "": "unnamed",
		"items": [ {"productId": "p-0", "tags": ["a", "b"]}, {"productId": "p-1"}, 7, [ [ 8 ] ] ],
		"brackets": "}{][,:\"\\", "esc\u0061ped": true, "0": "zero", "twice": 1, "twice": {"last": 2} } `
	tests := []struct {
		path, want string // an empty want: not there
	}{
		{"orderId", `"ord-1"`},
		{"n", `1.50`},
		{"nothing", `null`},
		{"empty", `{}`},
		{"items.0.productId", `"p-0"`},
		{"items.0.tags.1", `"b"`},
		{"items.1", `{"productId": "p-1"}`},
		{"items.2", `7`},
		{"items.3.0.0", `8`},
		{"brackets", `"}{][,:\"\\"`},
		{"escaped", `true`},
		{"0", `"zero"`},
		{"twice", `{"last": 2}`},
		{"twice.last", `2`},
		{"", `"unnamed"`},
		{"orderid", ""},
		{"order", ""},
		{"orderId.x", ""},
		{"n.0", ""},
		{"nothing.x", ""},
		{"empty.x", ""},
		{"items.4", ""},
		{"items.-1", ""},
		{"items.00", ""},
		{"items.1e0", ""},
		{"items.9999999999999999999999", ""},
		{"items.productId", ""},
		{"items.0.tags.1.x", ""},
	}
	for _, tt := range tests {
		got, found := LookupPath(json.RawMessage(document), strings.Split(tt.path, "."))
		if string(got) != tt.want || found != (tt.want != "") {
			t.Errorf("%q: %s, %v; want %s", tt.path, got, found, tt.want)
		}
	}
}

func TestLookupPathOfNoNames(t *testing.T) {
	t.Parallel()
	if got, found := LookupPath(json.RawMessage(" [1] "), nil); !found || string(got) != "[1]" {
		t.Errorf("%s, %v; want the root", got, found)
	}
	for _, empty := range []string{"", "  "} {
		if got, found := LookupPath(json.RawMessage(empty), nil); found {
			t.Errorf("%q has the value %q", empty, got)
		}
		if got, found := LookupPath(json.RawMessage(empty), []string{"a"}); found {
			t.Errorf("%q has the member %q", empty, got)
		}
	}
}

func TestLookupPathIsNotLimitedByNesting(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 1_000_000) + strings.Repeat(`]`, 1_000_000)
	got, found := LookupPath(json.RawMessage(`{"deep":`+deep+`,"x":1}`), []string{"x"})
	if !found || string(got) != "1" {
		t.Errorf("%s, %v", got, found)
	}
}

func BenchmarkLookupPath(b *testing.B) {
	var document strings.Builder
	document.WriteString(`{"items":[`)
	for i := range 500 {
		if i > 0 {
			document.WriteByte(',')
		}
		document.WriteString(`{"productId":"550e8400-e29b-41d4-a716-` + strconv.Itoa(i) + `","quantity":2,"unitPrice":599.99}`)
	}
	document.WriteString(`],"shippingMethod":"STANDARD"}`)
	raw := json.RawMessage(document.String())
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, found := LookupPath(raw, []string{"shippingMethod"}); !found {
			b.Fatal("not found")
		}
	}
}

// In valid JSON every path leads where a full decode leads; in anything else
// nothing panics.
func FuzzLookupPath(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":{"b":[1,{"c":null}]}}`, "a.b.1.c"}, {`[[1],[2]]`, "1.0"}, {`{"a":1,"a":2}`, "a"}, {`{"a`, "a"}, {`{"a":`, "a"},
		{`[,]`, "1"}, {`{"\u0061":"\"}"}`, "a"}, {`"`, ""}, {`{"a" 1}`, "a"}, {`[1 2]`, "1"}, {`{"a":}`, "a"}, {`[\`, "0"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, document, path string) {
		names := strings.Split(path, ".")
		got, found := LookupPath(json.RawMessage(document), names)
		if !json.Valid([]byte(document)) || strings.ContainsRune(document, '\ufffd') {
			return
		}
		want, wanted := json.RawMessage(document), true
		for _, name := range names {
			if want, wanted = decodedChild(want, name); !wanted {
				break
			}
		}
		if found != wanted || found && !sameText(got, want) {
			t.Fatalf("%q in %s: %q, %v; want %q, %v", path, document, got, found, want, wanted)
		}
	})
}

// decodedChild is the slow and obvious way to a member or an element.
func decodedChild(raw json.RawMessage, name string) (json.RawMessage, bool) {
	raw = json.RawMessage(strings.TrimSpace(string(raw)))
	if strings.HasPrefix(string(raw), "{") {
		var object map[string]json.RawMessage
		_ = json.Unmarshal(raw, &object)
		value, found := object[name]
		return value, found
	}
	var array []json.RawMessage
	i, err := strconv.Atoi(name)
	if json.Unmarshal(raw, &array) != nil || err != nil || i < 0 || i >= len(array) || strconv.Itoa(i) != name {
		return nil, false
	}
	return array[i], true
}

func sameText(a, b json.RawMessage) bool {
	return strings.TrimSpace(string(a)) == strings.TrimSpace(string(b))
}
