package domain

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Redacted stands where something sensitive was.
const Redacted = "[redacted]"

// minSensitive is the least number of characters that are looked for: shorter
// texts are in too many others.
const minSensitive = 3

// sensitive are the members of an input that are secret or personal, whatever
// the template. A path names the whole value.
var sensitive = [][]string{
	{"paymentMethod", "token"},
	{"shippingAddress", "name"},
	{"shippingAddress", "street"},
	{"shippingAddress", "city"},
	{"shippingAddress", "state"},
	{"shippingAddress", "zipCode"},
	{"shippingAddress", "phone"},
}

// telling are those of them that tell who somebody is, or pay, by themselves:
// they are searched for in what participants say. A city is in many texts.
var telling = [][]string{sensitive[0], sensitive[1], sensitive[2], sensitive[6]}

// IsSensitive reports whether the value at a path of an input is, holds or is
// part of something sensitive.
func IsSensitive(path []string) bool {
	return slices.ContainsFunc(sensitive, func(s []string) bool {
		n := min(len(path), len(s))
		return slices.Equal(path[:n], s[:n])
	})
}

// Redactor takes the sensitive texts of one workflow out of other texts, where
// they stand as words of their own, in capitals or not. What is written in
// another way, such as half a name, it does not find.
type Redactor struct{ words []string } // in lower case, the longest first

// Redactor finds what is sensitive in what the workflow was started with.
func (s *State) Redactor() Redactor {
	var r Redactor
	for _, path := range telling {
		raw, _ := LookupPath(s.Input, path)
		text := textOf(raw)
		if text = lower(strings.TrimSpace(text)); utf8.RuneCountInString(text) >= minSensitive && !slices.Contains(r.words, text) {
			r.words = append(r.words, text)
		}
	}
	slices.SortFunc(r.words, func(a, b string) int { return len(b) - len(a) })
	return r
}

// textOf is the text of a JSON string; "" of anything else.
func textOf(raw json.RawMessage) string {
	var text string
	switch {
	case len(raw) < 2 || raw[0] != '"':
	case bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw):
		text = string(raw[1 : len(raw)-1])
	case json.Unmarshal(raw, &text) != nil:
		text = ""
	}
	return text
}

// lower is valid text in lower case, byte for byte in the place of the original;
// the few letters for which that cannot be stay as they are.
func lower(text string) string {
	return strings.Map(func(c rune) rune {
		if l := unicode.ToLower(c); utf8.RuneLen(l) == utf8.RuneLen(c) {
			return l
		}
		return c
	}, text)
}

// Text is text with Redacted in the place of everything sensitive.
func (r Redactor) Text(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?")
	}
	for _, word := range r.words {
		text = without(text, word)
	}
	return text
}

// without is valid text with Redacted in the place of a word in lower case.
func without(text, word string) string {
	var out strings.Builder
	kept, low := 0, lower(text)
	for from := 0; ; {
		at := strings.Index(low[from:], word)
		if at < 0 {
			break
		}
		start, end := from+at, from+at+len(word)
		if from = end; !bounded(text, start, end) {
			_, size := utf8.DecodeRuneInString(text[start:])
			from = start + size
			continue
		}
		out.WriteString(text[kept:start] + Redacted)
		kept = end
	}
	if kept == 0 {
		return text
	}
	return out.String() + text[kept:]
}

// bounded reports whether text[start:end] is not part of a longer word.
func bounded(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	first, _ := utf8.DecodeRuneInString(text[start:])
	last, _ := utf8.DecodeLastRuneInString(text[:end])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return !(isWordly(before) && isWordly(first)) && !(isWordly(last) && isWordly(after))
}

func isWordly(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// JSON is a JSON value with Redacted in the place of everything sensitive in
// its texts. A value that holds nothing sensitive is returned as it is.
func (r Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || len(r.words) == 0 || !r.mayBeIn(raw) {
		return raw
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return raw
	}
	if value, changed := r.value(value); changed {
		if redacted, err := json.Marshal(value); err == nil {
			return redacted
		}
	}
	return raw
}

// mayBeIn is false if nothing sensitive can be in a JSON value: written with an
// escape anything can.
func (r Redactor) mayBeIn(raw []byte) bool {
	return bytes.IndexByte(raw, '\\') >= 0 || slices.ContainsFunc(r.words, func(word string) bool { return containsFold(raw, []byte(word)) })
}

// containsFold reports whether a word is in a text, in capitals or not.
func containsFold(text, word []byte) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if bytes.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

func (r Redactor) value(value any) (any, bool) {
	changed := false
	switch v := value.(type) {
	case string:
		text := r.Text(v)
		return text, text != v
	case []any:
		for i := range v {
			var c bool
			v[i], c = r.value(v[i])
			changed = changed || c
		}
	case map[string]any:
		shown := make(map[string]any, len(v))
		for name := range v {
			member, c := r.value(v[name])
			text := r.Text(name)
			shown[text] = member
			changed = changed || c || text != name
		}
		return shown, changed
	}
	return value, changed
}

// Redacted is s as it may be shown: what participants answered, and thereby the
// context, without what is sensitive in what the workflow was started with.
// Commands are made of s itself.
func (s State) Redacted() State {
	r := s.Redactor()
	if len(r.words) == 0 {
		return s
	}
	s.Steps, s.Undos = r.steps(s.Steps), r.steps(s.Undos)
	return s
}

// steps are list, or a copy of it if anything in it is redacted.
func (r Redactor) steps(list []StepState) []StepState {
	shown, copied := list, false
	for i := range list {
		result := r.JSON(list[i].Result)
		if bytes.Equal(result, list[i].Result) {
			continue
		}
		if !copied {
			shown, copied = slices.Clone(list), true
		}
		shown[i].Result, shown[i].members = result, members(result)
	}
	return shown
}
