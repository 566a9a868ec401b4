package rest

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string into s.text, unescaped.
func (s *scanner) string() bool {
	s.pos++
	start := s.pos
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.text = s.data[start:s.pos:s.pos]
			s.pos++
			if !s.validUTF8 && !utf8.Valid(s.text) {
				s.fault(msgUTF8)
			}
			return true
		case c == '\\':
			return s.escapedString(start)
		case c < ' ':
			return s.broken()
		}
	}
	return s.broken()
}

// escapedString goes on where the first escape of a string was found.
func (s *scanner) escapedString(start int) bool {
	text := append([]byte(nil), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		switch {
		case c == '"':
			s.pos++
			s.text = text
			if !s.validUTF8 && !utf8.Valid(s.text) {
				s.fault(msgUTF8)
			}
			return true
		case c == '\\':
			r, ok := s.escape()
			if !ok {
				return s.broken()
			}
			text = utf8.AppendRune(text, r)
		case c < ' ':
			return s.broken()
		default:
			text = append(text, c)
			s.pos++
		}
	}
	return s.broken()
}

// escapes maps the character after a backslash to what it stands for.
var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads one escape sequence.
func (s *scanner) escape() (rune, bool) {
	if s.pos+1 >= len(s.data) {
		return 0, false
	}
	if r, ok := escapes[s.data[s.pos+1]]; ok {
		s.pos += 2
		return r, true
	}
	r, ok := s.unit()
	if !ok {
		return 0, false
	}
	switch {
	case r == 0:
		s.fault(msgNUL)
	case utf16.IsSurrogate(r):
		low, ok := s.unit()
		pair := utf16.DecodeRune(r, low)
		if !ok || pair == utf8.RuneError {
			s.fault(msgSurrogate)
			return utf8.RuneError, true
		}
		return pair, true
	}
	return r, true
}

// unit reads \uXXXX; when there is none it reads nothing.
func (s *scanner) unit() (rune, bool) {
	const length = len(`\uXXXX`)
	if s.pos+length > len(s.data) || s.data[s.pos] != '\\' || s.data[s.pos+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[s.pos+2:s.pos+length]), 16, 32)
	if err != nil {
		return 0, false
	}
	s.pos += length
	return rune(n), true
}

func (s *scanner) checkLength() {
	if s.maxString > 0 && len(s.text) > s.maxString && utf8.RuneCount(s.text) > s.maxString {
		s.fault(msgLongString)
	}
}

// appendText writes s.text as a string that only equal texts have.
func (s *scanner) appendText() {
	s.out = append(s.out, '"')
	rest := s.text
	for {
		i := bytes.IndexAny(rest, `"\`)
		if i < 0 {
			break
		}
		s.out = append(append(s.out, rest[:i]...), '\\', rest[i])
		rest = rest[i+1:]
	}
	s.out = append(append(s.out, rest...), '"')
}

// number reads a number; its syntax is left to encoding/json, which reads the
// body too.
func (s *scanner) number() bool {
	start := s.pos
	for s.pos < len(s.data) && strings.IndexByte("+-.0123456789Ee", s.data[s.pos]) >= 0 {
		s.pos++
	}
	text := s.data[start:s.pos]
	if len(text) == 0 {
		return s.broken()
	}
	canonical, ok := canonicalNumber(s.out, text)
	if !ok {
		s.fault(msgNumber)
	}
	s.out = canonical
	return true
}

// canonicalNumber appends ±digits and the exponent of the last digit, so that
// 1, 1.0 and 10e-1 are the same text. False: longer or larger than is accepted.
func canonicalNumber(out, text []byte) ([]byte, bool) {
	if len(text) > MaxNumberLength {
		return out, false
	}
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(string(text[i+1:])); err != nil {
			return out, false
		}
		mantissa = text[:i]
	}
	if exponent > maxExponent || exponent < -maxExponent {
		return out, false
	}
	mantissa, negative := bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	start := len(out)
	out = append(out, '-')
	out = append(append(out, whole...), fraction...)
	exponent -= len(fraction)
	digits := bytes.TrimRight(out[start+1:], "0")
	exponent += len(out) - start - 1 - len(digits)
	significant := bytes.TrimLeft(digits, "0")
	if len(significant) == 0 {
		return append(out[:start], '0'), true
	}
	if !negative {
		start-- // overwrite the sign that was reserved
	}
	out = append(out[:start+1], significant...)
	return strconv.AppendInt(append(out, 'e'), int64(exponent), 10), true
}
