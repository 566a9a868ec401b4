package domain

import (
	"cmp"
	"strings"
)

// saturatedExponent stands for every exponent of more than maxExponentDigits
// digits: far beyond all others, and far enough from overflow to add a length to it.
const (
	saturatedExponent = int64(4_000_000_000_000_000_000)
	maxExponentDigits = 18
)

// decimal is a JSON number taken apart without rounding:
// ± digits × 10^exponent. Zero has no digits and exponent 0.
type decimal struct {
	negative   bool
	digits     string // neither a leading nor a trailing zero
	exponent   int64  // ±saturatedExponent when it is beyond counting
	fraction   int    // digits after the point, as written
	scientific bool   // written with e or E
}

// scanDecimal reads exactly one JSON number, nothing before or after it.
func scanDecimal(text string) (decimal, bool) {
	var d decimal
	rest, negative := strings.CutPrefix(text, "-")
	whole, rest := cutDigits(rest)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	digits := whole
	if after, found := strings.CutPrefix(rest, "."); found {
		var fraction string
		if fraction, rest = cutDigits(after); fraction == "" {
			return decimal{}, false
		}
		digits += fraction
		d.fraction = len(fraction)
	}
	if rest != "" {
		exponent, ok := scanExponent(rest)
		if !ok {
			return decimal{}, false
		}
		d.exponent, d.scientific = exponent, true
	}
	d.negative = negative
	d.trim(digits)
	return d, true
}

// trim sets the digits of d without the zeros around them, keeping its value.
func (d *decimal) trim(digits string) {
	significant := strings.TrimRight(digits, "0")
	trailing := len(digits) - len(significant)
	d.digits = strings.TrimLeft(significant, "0")
	switch {
	case d.digits == "":
		d.exponent = 0
	case d.saturated(): // so far off that a few digits do not matter
	default:
		d.exponent += int64(trailing - d.fraction)
	}
}

// scanExponent reads the exponent of a JSON number, from its e on.
func scanExponent(text string) (int64, bool) {
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	text = text[1:]
	sign := int64(1)
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	digits, rest := cutDigits(text)
	if digits == "" || rest != "" {
		return 0, false
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > maxExponentDigits {
		return sign * saturatedExponent, true
	}
	n := int64(0)
	for _, c := range []byte(digits) {
		n = n*10 + int64(c-'0')
	}
	return sign * n, true
}

// cutDigits splits text after its leading ASCII digits.
func cutDigits(text string) (digits, rest string) {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return text[:i], text[i:]
}

func (d decimal) saturated() bool {
	return d.exponent == saturatedExponent || d.exponent == -saturatedExponent
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// compare orders two numbers exactly. It says false only when both are so far
// beyond counting that their order cannot be told.
func (d decimal) compare(other decimal) (int, bool) {
	sign := d.sign()
	if sign != other.sign() {
		return cmp.Compare(sign, other.sign()), true
	}
	if sign == 0 {
		return 0, true
	}
	if d.exponent == other.exponent && d.saturated() {
		return 0, false
	}
	// Of equally many whole digits the first differing one decides, as in text.
	order := cmp.Compare(d.magnitude(), other.magnitude())
	if order == 0 {
		order = strings.Compare(d.digits, other.digits)
	}
	return sign * order, true
}

// magnitude is where the first digit stands: the number is 0.digits × 10^magnitude.
func (d decimal) magnitude() int64 { return d.exponent + int64(len(d.digits)) }
