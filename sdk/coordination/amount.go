package coordination

import (
	"errors"
	"fmt"
)

// Limits of an [Amount]: more digits than any currency amount needs, few
// enough that the minor units fit an int64 for every currency.
const (
	MaxAmountIntegerDigits  = 15
	MaxAmountFractionDigits = 9
)

// ErrAmount reports text that is not an [Amount]. It never quotes the text.
var ErrAmount = errors.New("not an amount: want a decimal number, not negative, of at most " +
	fmt.Sprintf("%d integer and %d fraction digits", MaxAmountIntegerDigits, MaxAmountFractionDigits))

// Amount is money: a decimal number, not negative, kept as the text it was
// written with ("599.99"), in units of the currency it stands beside. On the
// wire it is a JSON number without quotes. It is never converted to a float.
// An empty Amount is an absent one; it can only be marshalled where it is
// optional.
type Amount string

// ParseAmount checks text and returns it as an Amount, an exponent expanded
// (1.5E2 becomes 150). Anything else that is not a number in JSON syntax within
// the limits is [ErrAmount].
func ParseAmount(text string) (Amount, error) {
	d, ok := parseDecimal(text)
	if !ok || len(d.integer) > MaxAmountIntegerDigits || len(d.fraction) > MaxAmountFractionDigits {
		return "", ErrAmount
	}
	return Amount(d.String()), nil
}

// MarshalJSON writes the amount as a JSON number, digit for digit.
func (a Amount) MarshalJSON() ([]byte, error) {
	checked, err := ParseAmount(string(a))
	if err != nil {
		return nil, err
	}
	return []byte(checked), nil
}

// UnmarshalJSON reads a JSON number; a string is refused. null leaves the
// amount as it is.
func (a *Amount) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	parsed, err := ParseAmount(string(data))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
