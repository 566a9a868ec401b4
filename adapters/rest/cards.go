package rest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/firstviscount/platform-coordination/domain"
)

// Digits of payment card numbers.
const (
	minCardDigits = 13
	maxCardDigits = 19
)

// Messages about card numbers, which must not be kept here: whoever keeps them
// falls under the rules of the payment card industry.
const (
	msgCardToken  = "looks like a card number; send a token of the payment provider"
	msgCard       = "looks like a card number, which must not be sent here"
	msgCardMember = "has a member whose name looks like a card number"
)

// tokenFault is the fault of a payment token that is, or holds, a card number.
// No token is nothing but digits, so there the digits of no card go through either.
func tokenFault(token, path string) []error {
	if isCardNumber(token) || holdsCardNumber(token) {
		return []error{violation(path, msgCardToken)}
	}
	return nil
}

// inputFaults are card numbers in the input of a template that has no schema of its own.
func inputFaults(input json.RawMessage, path string) []error {
	var errs []error
	if raw, ok := domain.LookupPath(input, []string{"paymentMethod", "token"}); ok {
		var token string
		if json.Unmarshal(raw, &token) != nil { // a number, perhaps
			token = string(raw)
		}
		errs = tokenFault(token, path+".paymentMethod.token")
	}
	metadata, _ := domain.LookupPath(input, []string{"metadata"})
	return append(errs, cardFaults(metadata, path+".metadata")...)
}

// isCardNumber reports text that is nothing but the digits of a card number,
// with spaces and dashes or without.
func isCardNumber(text string) bool {
	digits := make([]byte, 0, maxCardDigits)
	for _, r := range text {
		switch {
		case isGap(r):
		case r < '0' || r > '9' || len(digits) == maxCardDigits:
			return false
		default:
			digits = append(digits, byte(r))
		}
	}
	return len(digits) >= minCardDigits && luhn(digits)
}

// isGap reports what may stand between the digits of a card number.
func isGap(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) }

// luhn reports whether the last digit is the check digit of the others.
func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return sum%10 == 0
}

// holdsCardNumber reports text in which a card number stands, in one word or in
// groups of digits. Digits that belong to a word with letters, as those of a
// UUID do, phone numbers with a plus, and digits that no card begins with, such
// as those of times, are none.
func holdsCardNumber(text string) bool {
	var groups []string // of digits, with nothing but gaps between them
	for len(text) > 0 {
		word := text
		if end := strings.IndexFunc(text, isNoWord); end >= 0 {
			word = text[:end]
		}
		parts := strings.FieldsFunc(word, func(r rune) bool { return unicode.Is(unicode.Pd, r) })
		if strings.ContainsFunc(word, isNoNumber) {
			groups, parts = nil, nil
		}
		if groups = append(groups, parts...); endsInCard(groups, len(parts)) {
			return true
		}
		text = text[len(word):]
		rest := strings.TrimLeftFunc(text, unicode.IsSpace)
		if trimmed := strings.TrimLeftFunc(rest, isNoWord); len(trimmed) < len(rest) {
			rest, groups = trimmed, nil // something else than space: the number ends here
		}
		text = rest
	}
	return false
}

// isNoWord reports what ends a word; a plus belongs to the phone number behind it.
func isNoWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '+' && !unicode.Is(unicode.Pd, r)
}

// isNoNumber reports what makes a word something else than digits and dashes.
func isNoNumber(r rune) bool { return (r < '0' || r > '9') && !unicode.Is(unicode.Pd, r) }

// endsInCard reports whether groups in a row that end with one of the last n
// are the digits of a card number.
func endsInCard(groups []string, n int) bool {
	for end := len(groups); end > len(groups)-n; end-- {
		digits := ""
		for start := end - 1; start >= 0 && len(digits)+len(groups[start]) <= maxCardDigits; start-- {
			digits = groups[start] + digits
			if len(digits) >= minCardDigits && isIssued(digits) && luhn([]byte(digits)) {
				return true
			}
		}
	}
	return false
}

// isIssued reports digits that a payment card can begin with.
func isIssued(digits string) bool {
	return digits[0] >= '3' && digits[0] <= '6' || digits[0] == '2' && digits[1] >= '2' && digits[1] <= '7'
}

// cardFaults are the card numbers anywhere in a JSON value. Their paths name
// where they are and never quote them.
func cardFaults(raw json.RawMessage, path string) []error {
	digits := 0
	for _, c := range raw {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < minCardDigits && !bytes.Contains(raw, []byte(`\u`)) {
		return nil
	}
	w := cardWalk{decoder: json.NewDecoder(bytes.NewReader(raw))}
	w.decoder.UseNumber()
	w.value(path)
	return w.errs
}

// cardWalk looks at every text and number of a JSON value.
type cardWalk struct {
	decoder *json.Decoder
	errs    []error
}

// value looks at the next value. False means that it cannot be read, which
// others report.
func (w *cardWalk) value(path string) bool {
	token, err := w.decoder.Token()
	if err != nil {
		return false
	}
	switch t := token.(type) {
	case json.Delim:
		return w.members(path, t == '{')
	case string:
		w.text(t, path)
	case json.Number:
		w.text(string(t), path)
	}
	return true
}

func (w *cardWalk) text(text, path string) {
	if holdsCardNumber(text) {
		w.errs = append(w.errs, violation(clip(path, maxPathLength), msgCard))
	}
}

// members looks at everything in an object or array, and at its end.
func (w *cardWalk) members(path string, named bool) bool {
	for i := 0; w.decoder.More(); i++ {
		at := path + "[" + strconv.Itoa(i) + "]"
		if named {
			token, err := w.decoder.Token()
			name, ok := token.(string)
			if err != nil || !ok {
				return false
			}
			at = path + "." + name
			if holdsCardNumber(name) {
				w.errs = append(w.errs, violation(clip(path, maxPathLength), msgCardMember))
				at = path
			}
		}
		if !w.value(at) {
			return false
		}
	}
	_, err := w.decoder.Token()
	return err == nil
}
