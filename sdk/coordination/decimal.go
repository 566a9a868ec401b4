package coordination

import "strings"

// decimal is an unsigned JSON number taken apart: its digits without leading
// zeros in the integer part, and how many of them stand behind the point.
type decimal struct {
	integer  string // "0" or without a leading zero
	fraction string // may end in zeros, may be empty
}

// maxExponent bounds the exponent that parseDecimal expands, so that a short
// text cannot ask for a long one.
const maxExponent = 40

// parseDecimal reads an unsigned number in JSON syntax and expands its
// exponent. It reports false for any other text.
func parseDecimal(text string) (decimal, bool) {
	mantissa, exponent, ok := cutExponent(text)
	if !ok {
		return decimal{}, false
	}
	integer, fraction, hasPoint := strings.Cut(mantissa, ".")
	if !allDigits(integer) || hasPoint && !allDigits(fraction) {
		return decimal{}, false
	}
	if len(integer) > 1 && integer[0] == '0' {
		return decimal{}, false
	}
	return shift(decimal{integer, fraction}, exponent), true
}

// cutExponent splits 12.5e3 into 12.5 and 3.
func cutExponent(text string) (mantissa string, exponent int, ok bool) {
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return text, 0, true
	}
	digits, negative := text[at+1:], false
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if !allDigits(digits) {
		return "", 0, false
	}
	for _, c := range digits {
		if exponent = exponent*10 + int(c-'0'); exponent > maxExponent {
			return "", 0, false
		}
	}
	if negative {
		exponent = -exponent
	}
	return text[:at], exponent, true
}

// shift moves the point of d by exponent places to the right.
func shift(d decimal, exponent int) decimal {
	switch {
	case exponent > 0:
		d.fraction += strings.Repeat("0", max(0, exponent-len(d.fraction)))
		d.integer, d.fraction = d.integer+d.fraction[:exponent], d.fraction[exponent:]
	case exponent < 0:
		d.integer = strings.Repeat("0", max(0, -exponent-len(d.integer)+1)) + d.integer
		at := len(d.integer) + exponent
		d.integer, d.fraction = d.integer[:at], d.integer[at:]+d.fraction
	}
	if d.integer = strings.TrimLeft(d.integer, "0"); d.integer == "" {
		d.integer = "0"
	}
	return d
}

func (d decimal) String() string {
	if d.fraction == "" {
		return d.integer
	}
	return d.integer + "." + d.fraction
}

// allDigits reports whether text is one or more ASCII digits.
func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
