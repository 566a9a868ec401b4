package protocol

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// scannedNames is how many names of one object are compared one by one; of
// more a map is made, so that many names do not cost their square.
const scannedNames = 16

// check reports whether body is one JSON object within the limits, without a
// member that is given twice anywhere in it: readers differ in which of the two
// they see.
func check(body []byte) error {
	if len(body) > MaxAnswerBytes {
		return ErrTooLarge
	}
	if deep(body) {
		return ErrTooDeep
	}
	if !utf8.Valid(body) || !json.Valid(body) || bytes.TrimLeft(body, " \t\r\n")[0] != '{' {
		return ErrNotObject
	}
	if repeats(body) {
		return ErrDuplicate
	}
	return nil
}

// deep reports whether body, JSON or not, opens more brackets than an answer may.
func deep(body []byte) bool {
	depth := 0
	for at := 0; at < len(body); at++ {
		switch body[at] {
		case '"':
			at = stringEnd(body, at)
		case '{', '[':
			if depth++; depth > MaxAnswerDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// stringEnd is the index of the quote that ends the string begun at b[at], or
// the last index if none does.
func stringEnd(b []byte, at int) int {
	for at++; at < len(b); at++ {
		switch b[at] {
		case '\\':
			at++
		case '"':
			return at
		}
	}
	return len(b) - 1
}

// container is an object or array that is being walked.
type container struct {
	object bool
	inName bool // the next string is a name
	names  nameSet
}

// repeats reports whether an object anywhere in body, which must be valid JSON
// no deeper than MaxAnswerDepth, has a name twice.
func repeats(body []byte) bool {
	var stack [MaxAnswerDepth + 1]container
	top := &stack[0]
	depth := 0
	for at := 0; at < len(body); at++ {
		switch body[at] {
		case '{', '[':
			depth++
			top = &stack[depth]
			*top = container{object: body[at] == '{', inName: body[at] == '{'}
		case '}', ']':
			depth--
			top = &stack[depth]
		case ',':
			top.inName = top.object
		case '"':
			end := stringEnd(body, at)
			if top.inName && !top.names.add(body[at:end+1]) {
				return true
			}
			top.inName = false
			at = end
		}
	}
	return false
}

// nameSet is the names seen in one object, decoded.
type nameSet struct {
	few  [][]byte
	many map[string]bool
}

// add adds a name, given as a JSON string; false if it was there.
func (s *nameSet) add(raw []byte) bool {
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(readText(raw))
	}
	if s.many != nil {
		seen := s.many[string(name)]
		s.many[string(name)] = true
		return !seen
	}
	for _, other := range s.few {
		if bytes.Equal(other, name) {
			return false
		}
	}
	if s.few = append(s.few, name); len(s.few) > scannedNames {
		s.many = make(map[string]bool, 4*scannedNames)
		for _, seen := range s.few {
			s.many[string(seen)] = true
		}
	}
	return true
}
