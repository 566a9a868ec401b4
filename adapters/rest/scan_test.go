package rest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func canonicalOf(t *testing.T, text string) string {
	t.Helper()
	canonical, faults := scanJSON([]byte(text), "body", MaxStringLength)
	if len(faults) > 0 {
		t.Fatalf("%s: %v", text, faults)
	}
	return string(canonical)
}

func TestEqualValuesHaveOneCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, equal := range [][]string{
		{"0", "-0", "0.0", "0e5", "-0.00e-7", "0.000"},
		{"1", "1.0", "10e-1", "0.1e1", "0.01E+2", "1e0", "1000e-3"},
		{"-12.5", "-1.25e1", "-125E-1", "-12.500"},
		{"100", "1e2", "100.0", "0.1e3"},
		{"0.05", "5e-2", "0.050"},
		{`"aé/"`, `"\u0061\u00e9\/"`},
		{`"😀"`, `"\ud83d\ude00"`},
		{`"\""`, `"\u0022"`},
		{`{"a":1,"b":[true,null]}`, "{ \"b\" :\t[ true , null ] ,\n\"\\u0061\":1.0}"},
		{`{"":{},"x":[]}`, `{"x":[ ],"":{ }}`},
	} {
		for _, text := range equal[1:] {
			if got, want := canonicalOf(t, text), canonicalOf(t, equal[0]); got != want {
				t.Errorf("%s is %s, but %s is %s", text, got, equal[0], want)
			}
		}
	}
}

func TestOtherValuesHaveAnotherCanonicalForm(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, text := range []string{"0", "1", "10", "100", "-1", "0.1", "0.01", "1.01", "101", "1e300", "1e-300", `"1"`, `""`, `"0"`, "null", `"null"`, "true", "false",
		"[]", "{}", "[[]]", `[1,0]`, `[10]`, `["a","b"]`, `["a,b"]`, `["a\",\"b"]`, `{"a":"b"}`, `{"a":{"b":1}}`, `{"a":{},"b":1}`, `["a:b"]`, `{"a\":1,\"b":2}`, `{"a":1,"b":2}`,
		`"\\"`, `"\\\\"`, `"/"`} {
		canonical := canonicalOf(t, text)
		if other, taken := seen[canonical]; taken {
			t.Errorf("%s and %s are both %s", text, other, canonical)
		}
		seen[canonical] = text
	}
}

func TestDeepAndWidePathsAreNamed(t *testing.T) {
	t.Parallel()
	for text, path := range map[string]string{
		`{"a":[{"b":1},{"b":{"c":"\u0000"}}]}`:           "body.a[1].b.c",
		`[[1,"\ud800"]]`:                                 "body[0][1]",
		`{"":{"":"\u0000"}}`:                             "body..",
		`{"` + strings.Repeat("n", 1000) + `":"\u0000"}`: "body." + strings.Repeat("n", maxPathLength-len("body.")) + "…",
	} {
		_, faults := scanJSON([]byte(text), "body", 0)
		if len(faults) != 1 || faults[0].Path != path {
			t.Errorf("%.40s: faults are %v, want one at %s", text, faults, path)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	_, faults := scanJSON([]byte("["+strings.TrimSuffix(strings.Repeat(`"\u0000",`, 5000), ",")+"]"), "body", 0)
	if len(faults) != maxViolations {
		t.Errorf("%d faults", len(faults))
	}
}

// FuzzScan compares the scanner with encoding/json, which is more lenient but
// never reads a text differently: what the scanner takes is valid JSON, and its
// canonical form does not change by rewriting the value.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,-0,1e5],"b":"\u00e9\ud83d\ude00\n"}`, `[]`, `"x"`, `{"a":1,"a":2}`, "[\"\xff\"]", `{"a":{"b":{"c":[[[]]]}}}`, `1e999`, `-`, `1.`, `01`, `[1,]`, `{"a"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		canonical, faults := scanJSON(data, "body", 0)
		if len(faults) > 0 || !json.Valid(data) { // encoding/json reads the body too
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		rewritten, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		again, faults := scanJSON(rewritten, "body", 0)
		if len(faults) > 0 || !bytes.Equal(canonical, again) {
			t.Errorf("%q is %q, rewritten as %q it is %q, %v", data, canonical, rewritten, again, faults)
		}
	})
}
