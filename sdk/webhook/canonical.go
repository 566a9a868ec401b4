package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep the values of a payload may be nested.
const MaxDepth = 64

// ErrPayload: the text is no JSON value that has a canonical form. It is not
// quoted.
var ErrPayload = errors.New("the payload has no canonical form")

// Canonical returns the form of a JSON value that RFC 8785 (JSON
// Canonicalization Scheme) describes: no spaces, the members of objects sorted
// by the UTF-16 code units of their names, numbers as ECMAScript writes the
// IEEE 754 double that they are, text with as few escapes as may be. Two texts
// with one value have one form.
//
// [ErrPayload]: the text is not one JSON value in UTF-8; it has two members of
// one name in an object, half a surrogate pair, or a number beyond a double; or
// it is nested deeper than [MaxDepth].
func Canonical(text []byte) ([]byte, error) {
	form, _, err := split(text, "")
	return form, err
}

// split returns the canonical forms of a value without one member of its
// outermost object, and of that member's value: nil if it has none.
func split(text []byte, without string) (form, member []byte, err error) {
	if !utf8.Valid(text) {
		return nil, nil, fmt.Errorf("%w: not UTF-8", ErrPayload)
	}
	r := &reader{text: string(text), without: without}
	r.space()
	if form, err = r.value(nil, 1); err != nil {
		return nil, nil, err
	}
	if r.space(); r.at < len(r.text) {
		return nil, nil, r.fault("something follows the value")
	}
	return form, r.member, nil
}

// reader turns JSON into its canonical form while it reads it.
type reader struct {
	text    string
	at      int
	without string // member of the outermost object that is left out, if not ""
	member  []byte // its value
}

func (r *reader) fault(format string, args ...any) error {
	return fmt.Errorf("%w: %s at byte %d", ErrPayload, fmt.Sprintf(format, args...), r.at)
}

func (r *reader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// takes goes on over what is expected; false if it is not there.
func (r *reader) takes(expected string) bool {
	if strings.HasPrefix(r.text[r.at:], expected) {
		r.at += len(expected)
		return true
	}
	return false
}

// value appends the value that begins here to form.
func (r *reader) value(form []byte, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, r.fault("nested deeper than %d", MaxDepth)
	}
	switch {
	case r.takes("{"):
		return r.object(form, depth)
	case r.takes("["):
		return r.array(form, depth)
	case r.takes(`"`):
		text, err := r.string()
		return appendString(form, text), err
	}
	for _, literal := range []string{"null", "true", "false"} {
		if r.takes(literal) {
			return append(form, literal...), nil
		}
	}
	return r.number(form)
}

// member is a member of an object in its canonical form.
type member struct {
	name  string
	order []uint16 // the name in UTF-16
	value []byte
}

func (r *reader) object(form []byte, depth int) ([]byte, error) {
	var members []member
	for r.space(); !r.takes("}"); r.space() {
		if len(members) > 0 && !r.takes(",") {
			return nil, r.fault("expected a comma")
		}
		m, err := r.named(depth)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	slices.SortStableFunc(members, func(a, b member) int { return slices.Compare(a.order, b.order) })
	form = append(form, '{')
	first := true
	for i, m := range members {
		if i > 0 && members[i-1].name == m.name {
			return nil, r.fault("an object has two members of one name before this")
		}
		if depth == 1 && r.without != "" && m.name == r.without {
			r.member = m.value
			continue
		}
		if !first {
			form = append(form, ',')
		}
		first = false
		form = append(append(appendString(form, m.name), ':'), m.value...)
	}
	return append(form, '}'), nil
}

// named reads a member of an object.
func (r *reader) named(depth int) (m member, err error) {
	if r.space(); !r.takes(`"`) {
		return m, r.fault("expected a name")
	}
	if m.name, err = r.string(); err != nil {
		return m, err
	}
	if r.space(); !r.takes(":") {
		return m, r.fault("expected a colon")
	}
	r.space()
	m.order = utf16.Encode([]rune(m.name))
	m.value, err = r.value(nil, depth+1)
	return m, err
}

func (r *reader) array(form []byte, depth int) ([]byte, error) {
	form = append(form, '[')
	for n := 0; ; n++ {
		if r.space(); r.takes("]") {
			return append(form, ']'), nil
		}
		if n > 0 {
			if !r.takes(",") {
				return nil, r.fault("expected a comma")
			}
			form = append(form, ',')
			r.space()
		}
		var err error
		if form, err = r.value(form, depth+1); err != nil {
			return nil, err
		}
	}
}

// escapes are the escapes of one character, but for \u.
var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// string reads the text of a string whose opening quote was read.
func (r *reader) string() (string, error) {
	var out []byte
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return string(out), nil
		case c < ' ':
			return "", r.fault("a control character in a string")
		case c != '\\':
			out = append(out, c)
			r.at++
			continue
		}
		r.at++
		if r.takes("u") {
			character, err := r.escaped()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, character)
			continue
		}
		if r.at == len(r.text) || escapes[r.text[r.at]] == 0 {
			return "", r.fault("an unknown escape")
		}
		out = append(out, escapes[r.text[r.at]])
		r.at++
	}
	return "", r.fault("a string without an end")
}

// escaped reads the character of one \u, or of two that are a surrogate pair.
func (r *reader) escaped() (rune, error) {
	character, err := r.hex()
	if err != nil || !utf16.IsSurrogate(character) {
		return character, err
	}
	if !r.takes(`\u`) {
		return 0, r.fault("half a surrogate pair")
	}
	second, err := r.hex()
	if err != nil {
		return 0, err
	}
	if character = utf16.DecodeRune(character, second); character == utf8.RuneError {
		return 0, r.fault("half a surrogate pair")
	}
	return character, nil
}

func (r *reader) hex() (rune, error) {
	end := min(r.at+4, len(r.text))
	digits := r.text[r.at:end]
	for _, d := range []byte(digits) {
		if strings.IndexByte("0123456789abcdefABCDEF", d) < 0 {
			digits = ""
			break
		}
	}
	if len(digits) != 4 {
		return 0, r.fault("expected four hexadecimal digits")
	}
	value, err := strconv.ParseUint(digits, 16, 16)
	r.at = end
	return rune(value), err
}

// shortEscapes are the control characters that have an escape of their own.
var shortEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}

func appendString(form []byte, text string) []byte {
	form = append(form, '"')
	for _, c := range text {
		switch short := shortEscapes[c]; {
		case short != "":
			form = append(form, short...)
		case c < ' ':
			form = fmt.Appendf(form, `\u%04x`, c)
		default:
			form = utf8.AppendRune(form, c)
		}
	}
	return append(form, '"')
}

// number reads a number by the grammar of JSON, which is narrower than that of
// strconv.
func (r *reader) number(form []byte) ([]byte, error) {
	begin := r.at
	r.takes("-")
	whole := r.digits()
	ok := whole == 1 || whole > 1 && r.text[r.at-whole] != '0'
	if r.takes(".") {
		ok = r.digits() > 0 && ok
	}
	if r.takes("e") || r.takes("E") {
		_ = r.takes("+") || r.takes("-")
		ok = r.digits() > 0 && ok
	}
	if !ok {
		return nil, r.fault("expected a value")
	}
	value, err := strconv.ParseFloat(r.text[begin:r.at], 64)
	if err != nil || math.IsInf(value, 0) {
		return nil, r.fault("a number beyond a double")
	}
	return appendNumber(form, value), nil
}

func (r *reader) digits() (n int) {
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
		n++
	}
	return n
}

// appendNumber writes a number as ECMAScript does (Number::toString): the
// shortest digits that stand for it, with an exponent only beyond 21 digits
// before or 6 zeros behind the point.
func appendNumber(form []byte, value float64) []byte {
	size := math.Abs(value)
	if size == 0 { // of either sign
		return append(form, '0')
	}
	if size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(form, value, 'f', -1, 64)
	}
	text := strconv.FormatFloat(value, 'e', -1, 64)
	digits, exponent, _ := strings.Cut(text, "e")
	return append(append(append(form, digits...), 'e', exponent[0]), cmp.Or(strings.TrimLeft(exponent[1:], "0"), "0")...)
}
