package service

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestEqualValuesHaveOneHash(t *testing.T) {
	t.Parallel()
	for _, group := range [][]string{
		{`{}`, ` { } `},
		{`{"a":1,"b":[true,null]}`, `{ "b" : [ true , null ], "a" : 1 }`},
		{`{"a":{"x":"1","y":"2"},"b":"3"}`, `{"b":"3","a":{"y":"2","x":"1"}}`},
		{`"<é\""`, `"\u003c\u00e9\""`},
		{`{"\u0061":1}`, `{"a":1}`},
	} {
		for _, other := range group[1:] {
			if hashJSON([]byte(group[0])) != hashJSON([]byte(other)) {
				t.Errorf("%s and %s differ", group[0], other)
			}
		}
	}
}

func TestDifferentValuesHaveDifferentHashes(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	for _, value := range []string{
		``, `null`, `true`, `1`, `1.0`, `10`, `"1"`, `"null"`, `""`, `{}`, `[]`, `[[]]`, `[[],[]]`, `[{}]`, `{"":{}}`,
		`[1,2]`, `[2,1]`, `[12]`, `["1","2"]`, `["1,2"]`, `[[1],2]`, `[1,[2]]`, `[[1,2]]`,
		`{"a":1}`, `{"a":2}`, `{"b":1}`, `{"a":"b"}`, `{"b":"a"}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"a":1,"b":1}`,
		`{"a":{"b":1}}`, `{"a":{},"b":1}`, `{"a":1,"b":{}}`, `{"a":[1]}`, `["a",1]`, `"a\\"`, `"a\\\\"`, `"{"`, `"["`,
	} {
		h := hashJSON([]byte(value))
		if other, taken := seen[h]; taken {
			t.Errorf("%s and %s have the same hash", value, other)
		}
		seen[h] = value
	}
}

// Writing a value in another way, as encoding/json does, keeps the hash.
func FuzzHashJSON(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.50,"x\n"],"a":{"c":null,"d":"\u00e9"}}`))
	f.Add([]byte(`[{"":""},"\\",-1e5,true]`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) || hasDuplicates(value) {
			return
		}
		h := hashJSON(value)
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Fatal(err)
		}
		again, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsRune(again, '\uFFFD') {
			return // invalid UTF-8 was replaced, this is another value
		}
		if hashJSON(again) != h {
			t.Errorf("%s and %s differ", value, again)
		}
	})
}

// hasDuplicates tells whether an object names a member twice: encoding/json
// keeps one of them.
func hasDuplicates(value []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(value))
	type level struct {
		names map[string]bool
		name  bool // a name comes next
	}
	stack := []*level{{}}
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		top := stack[len(stack)-1]
		if name, ok := token.(string); ok && top.name {
			if top.names[name] {
				return true
			}
			top.names[name], top.name = true, false
			continue
		}
		top.name = top.names != nil
		switch token {
		case json.Delim('{'):
			stack = append(stack, &level{names: map[string]bool{}, name: true})
		case json.Delim('['):
			stack = append(stack, &level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			last := stack[len(stack)-1]
			last.name = last.names != nil
		}
	}
}
