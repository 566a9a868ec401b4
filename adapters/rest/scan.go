package rest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Limits of a JSON body.
const (
	// MaxBodyBytes is the largest request body.
	MaxBodyBytes = 256 << 10
	// MaxDepth is how deep arrays and objects may nest, the outermost counted.
	MaxDepth = 16
	// MaxStringLength bounds a string of a request, in characters.
	MaxStringLength = 1024
	// MaxNumberLength bounds the text of a number.
	MaxNumberLength = 64
	// maxExponent keeps numbers within what every JSON parser can hold.
	maxExponent = 300
	// maxViolations bounds how many faults one answer lists.
	maxViolations = 1000
	// maxPathLength bounds the path of a violation: member names are the caller's.
	maxPathLength = 256
)

// Messages about JSON that no schema can express.
const (
	msgNotJSON    = "not valid JSON"
	msgDuplicate  = "given twice"
	msgUTF8       = "not valid UTF-8"
	msgSurrogate  = "has half of a surrogate pair"
	msgNUL        = "has a NUL character"
	msgDepth      = "nested more than 16 levels deep"
	msgLongString = "expected length <= 1024"
	msgNumber     = "number is out of range"
)

// scanner reads one JSON text and reports what encoding/json lets pass: members
// given twice, text that is not Unicode, NUL, values nested too deep, strings
// that are too long and numbers out of range. In the same pass it writes the
// canonical form of the value, by which equal values are recognised however
// they were written.
type scanner struct {
	data      []byte
	pos       int
	depth     int
	maxString int
	validUTF8 bool
	path      []step
	faults    []coordination.Violation
	out       []byte // canonical form
	text      []byte // of the last string, unescaped
	members   []member
	scratch   []byte
}

// step is one step of the path to a value: a member's name, or an index.
type step struct {
	name    string
	index   int
	element bool // of an array: the index counts
}

// member is one member of an object being read; its canonical text is out[start:end].
type member struct {
	name       string
	start, end int
}

// scanJSON reports the faults of a body, and its canonical form if it has none.
// Paths start with root.
func scanJSON(data []byte, root string, maxString int) (canonical []byte, faults []coordination.Violation) {
	s := &scanner{data: data, maxString: maxString, validUTF8: utf8.Valid(data), path: []step{{name: root}},
		out: make([]byte, 0, len(data)), members: make([]member, 0, 16)}
	ok := s.value()
	if ok {
		s.space()
		if s.pos < len(s.data) {
			s.fault(msgNotJSON)
		}
	}
	if !s.validUTF8 && len(s.faults) == 0 {
		s.fault(msgUTF8)
	}
	return s.out, s.faults
}

func (s *scanner) fault(message string) {
	if len(s.faults) < maxViolations {
		s.faults = append(s.faults, coordination.Violation{Path: pathText(s.path), Message: message})
	}
}

func pathText(path []step) string {
	var text strings.Builder
	for i, p := range path {
		switch {
		case p.element:
			text.WriteString("[" + strconv.Itoa(p.index) + "]")
		case i > 0:
			text.WriteString("." + p.name)
		default:
			text.WriteString(p.name)
		}
	}
	return clip(text.String(), maxPathLength)
}

// clip cuts text to at most limit bytes, at a character, and makes it valid UTF-8.
func clip(text string, limit int) string {
	if len(text) > limit {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}
		text = text[:limit] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// value reads one value. False means that what follows cannot be read.
func (s *scanner) value() bool {
	s.space()
	if s.pos == len(s.data) {
		return s.broken()
	}
	switch c := s.data[s.pos]; c {
	case '{':
		return s.nested(s.object)
	case '[':
		return s.nested(s.array)
	case '"':
		if !s.string() {
			return false
		}
		s.checkLength()
		s.appendText()
		return true
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) broken() bool {
	s.path = s.path[:1]
	s.fault(msgNotJSON)
	return false
}

func (s *scanner) literal(text string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(text)) {
		return s.broken()
	}
	s.pos += len(text)
	s.out = append(s.out, text...)
	return true
}

func (s *scanner) nested(read func() bool) bool {
	if s.depth == MaxDepth {
		s.fault(msgDepth)
		return false
	}
	s.depth++
	s.pos++
	s.space()
	ok := read()
	s.depth--
	return ok
}

// next reads the separator after an element; more tells that another follows.
func (s *scanner) next(end byte) (more, ok bool) {
	s.space()
	if s.pos == len(s.data) {
		return false, s.broken()
	}
	switch s.data[s.pos] {
	case end:
		s.pos++
		return false, true
	case ',':
		s.pos++
		s.space()
		return true, true
	}
	return false, s.broken()
}

func (s *scanner) array() bool {
	s.out = append(s.out, '[')
	if s.pos < len(s.data) && s.data[s.pos] == ']' {
		s.pos++
		s.out = append(s.out, ']')
		return true
	}
	at := len(s.path)
	s.path = append(s.path, step{element: true})
	for {
		if !s.value() {
			return false
		}
		more, ok := s.next(']')
		if !ok {
			return false
		}
		if !more {
			break
		}
		s.path[at].index++
		s.out = append(s.out, ',')
	}
	s.path = s.path[:at]
	s.out = append(s.out, ']')
	return true
}

func (s *scanner) object() bool {
	start, first := len(s.out), len(s.members)
	if s.pos < len(s.data) && s.data[s.pos] == '}' {
		s.pos++
		s.out = append(s.out, "{}"...)
		return true
	}
	at := len(s.path)
	for more := true; more; {
		s.path = s.path[:at]
		if s.pos == len(s.data) || s.data[s.pos] != '"' || !s.string() {
			return s.broken()
		}
		m := member{name: string(s.text), start: len(s.out)}
		s.path = append(s.path, step{name: m.name})
		s.appendText()
		s.out = append(s.out, ':')
		s.space()
		if s.pos == len(s.data) || s.data[s.pos] != ':' {
			return s.broken()
		}
		s.pos++
		if !s.value() {
			return false
		}
		m.end = len(s.out)
		s.members = append(s.members, m)
		var ok bool
		if more, ok = s.next('}'); !ok {
			return false
		}
	}
	s.sortMembers(start, first, at)
	s.path, s.members = s.path[:at], s.members[:first]
	return true
}

// sortMembers rewrites the canonical text of an object in the order of its
// members' names, and reports names that came twice.
func (s *scanner) sortMembers(start, first, at int) {
	members := s.members[first:]
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	sorted := append(s.scratch[:0], '{')
	for i, m := range members {
		if i > 0 {
			sorted = append(sorted, ',')
			if members[i-1].name == m.name {
				s.path = append(s.path[:at], step{name: m.name})
				s.fault(msgDuplicate)
			}
		}
		sorted = append(sorted, s.out[m.start:m.end]...)
	}
	sorted = append(sorted, '}')
	s.out, s.scratch = append(s.out[:start], sorted...), sorted
}
