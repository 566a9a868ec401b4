package domain

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
)

// maxIndexDigits bounds an array index in a path; longer ones are in no array.
const maxIndexDigits = 9

// LookupPath finds the value at path below root: members of objects by name (of
// a repeated name the last, as encoding/json reads it), elements of arrays by
// decimal index. An empty path is root itself. It is false when there is no
// such value; a value that is null is there.
//
// Root must be valid JSON (of anything else the result is arbitrary, without a
// panic). Nothing is decoded or copied: the result shares root's memory.
func LookupPath(root json.RawMessage, path []string) (json.RawMessage, bool) {
	value := []byte(bytes.TrimSpace(root))
	for _, name := range path {
		var found bool
		if value, found = child(value, name); !found {
			return nil, false
		}
	}
	return value, len(value) > 0
}

func child(value []byte, name string) ([]byte, bool) {
	if len(value) == 0 {
		return nil, false
	}
	switch value[0] {
	case '{':
		return memberNamed(value, name)
	case '[':
		return elementAt(value, name)
	}
	return nil, false
}

func memberNamed(object []byte, name string) (found []byte, ok bool) {
	for key, value := range Members(object) {
		if keyIs(key, name) {
			found, ok = value, true
		}
	}
	return found, ok
}

func elementAt(array []byte, index string) ([]byte, bool) {
	n, err := strconv.Atoi(index)
	if err != nil || !isIndex(index) { // Atoi reads +1 and 01 too
		return nil, false
	}
	for value := range arrayElements(array) {
		if n == 0 {
			return value, true
		}
		n--
	}
	return nil, false
}

// isIndex reports whether text is a decimal number as JSON would write it.
func isIndex(text string) bool {
	digits, rest := cutDigits(text)
	return digits != "" && rest == "" && len(digits) <= maxIndexDigits && (digits[0] != '0' || len(digits) == 1)
}

// Members walks the members of a JSON object in their order. Keys and values are
// raw: parts of the text, keys with their quotes. It ends early where the text
// is not JSON.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		at := skipSpace(object, 1)
		for at < len(object) && object[at] == '"' {
			end := skipString(object, at)
			key := object[at:end]
			at = skipSpace(object, end)
			if at == len(object) || object[at] != ':' {
				return
			}
			at = skipSpace(object, at+1)
			end = skipValue(object, at)
			if end == at || !yield(key, object[at:end]) {
				return
			}
			at = skipComma(object, end)
		}
	}
}

// arrayElements walks the elements of a JSON array. It ends early where the
// text is not JSON.
func arrayElements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		at := skipSpace(array, 1)
		for at < len(array) && array[at] != ']' {
			end := skipValue(array, at)
			if end == at || !yield(array[at:end]) {
				return
			}
			at = skipComma(array, end)
		}
	}
}

// keyIs reports whether a raw key of an object means name.
func keyIs(raw []byte, name string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return len(raw) >= 2 && string(raw[1:len(raw)-1]) == name
	}
	key, ok := unquote(raw)
	return ok && key == name
}

// unquote decodes a JSON string; false if raw is none.
func unquote(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// The skip functions return the index after what they skip; they never go
// beyond the end of b, whatever it holds.

func skipSpace(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\n' || b[at] == '\r') {
		at++
	}
	return min(at, len(b))
}

// skipComma skips to the next element, or to the end where no comma follows.
func skipComma(b []byte, at int) int {
	at = skipSpace(b, at)
	if at < len(b) && b[at] == ',' {
		return skipSpace(b, at+1)
	}
	return len(b)
}

// skipString skips the string that begins at b[at].
func skipString(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(b)
}

// skipValue skips the value that begins at b[at]; it counts brackets instead of
// recursing, so no nesting is too deep for it.
func skipValue(b []byte, at int) int {
	depth := 0
	for at < len(b) {
		switch b[at] {
		case '"':
			at = skipString(b, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			if depth == 0 {
				return at
			}
			depth--
			at++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
			at++
			continue
		default:
			at = skipWord(b, at)
		}
		if depth == 0 {
			return at
		}
	}
	return len(b)
}

// skipWord skips a number or a literal name, of at least one byte.
func skipWord(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case ',', ':', '"', '{', '[', '}', ']', ' ', '\t', '\n', '\r':
			return at
		}
	}
	return len(b)
}
