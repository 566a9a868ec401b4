package domain

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of an amount.
const (
	// MaxMoneyMajor is the largest amount, in major units of any currency.
	MaxMoneyMajor = 1_000_000_000_000
	// MaxMoneyText is the length of the longest number that is read as an amount, in bytes.
	MaxMoneyText = 64
)

// What can be wrong with an amount. No error repeats the amount itself.
var (
	// ErrMoneySyntax: the text is not a JSON number of at most MaxMoneyText bytes.
	ErrMoneySyntax = errors.New("amount is not a JSON number")
	// ErrMoneyNegative: the amount is below zero, or is a negative zero.
	ErrMoneyNegative = errors.New("amount is negative")
	// ErrMoneyPrecision: the amount has more fraction digits than its currency.
	ErrMoneyPrecision = errors.New("amount has too many fraction digits")
	// ErrMoneyRange: the amount, or the result of a computation, is above MaxMoneyMajor.
	ErrMoneyRange = fmt.Errorf("amount is above %d", int64(MaxMoneyMajor))
	// ErrCurrencyUnknown: the code is not that of an active ISO 4217 currency.
	ErrCurrencyUnknown = errors.New("currency is not an active ISO 4217 code")
	// ErrCurrencyMismatch: the amounts are of different currencies.
	ErrCurrencyMismatch = errors.New("amounts are of different currencies")
)

// Money is an amount of one currency, counted in the currency's minor unit
// (cents; yen; fils) and never rounded. What this package returns as Money is
// never negative and at most MaxMoneyMajor major units, so sums of it cannot
// overflow unnoticed. Amounts of one currency compare with ==.
type Money struct {
	Minor    int64  // in units of 10^-CurrencyExponent(Currency)
	Currency string // ISO 4217 code, in capitals
}

// NewMoney is an amount counted in minor units. It returns ErrCurrencyUnknown,
// ErrMoneyNegative or ErrMoneyRange.
func NewMoney(minor int64, currency string) (Money, error) {
	m := Money{Minor: minor, Currency: currency}
	if err := m.check(); err != nil {
		return Money{}, err
	}
	return m, nil
}

// ParseMoney reads an amount from the text of a JSON number, exactly. Without
// an exponent the number may have as many fraction digits as the currency has,
// as written (1.500 USD is refused); with one (15e-1) its value decides. It
// returns ErrCurrencyUnknown, ErrMoneySyntax, ErrMoneyNegative,
// ErrMoneyPrecision or ErrMoneyRange.
func ParseMoney(text, currency string) (Money, error) {
	scale, known := CurrencyExponent(currency)
	if !known {
		return Money{}, ErrCurrencyUnknown
	}
	if len(text) > MaxMoneyText {
		return Money{}, fmt.Errorf("%w of at most %d characters", ErrMoneySyntax, MaxMoneyText)
	}
	number, ok := scanDecimal(text)
	switch {
	case !ok:
		return Money{}, ErrMoneySyntax
	case number.negative:
		return Money{}, ErrMoneyNegative
	case !number.scientific && number.fraction > scale, number.exponent < -int64(scale):
		return Money{}, fmt.Errorf("%w: %s has at most %d", ErrMoneyPrecision, currency, scale)
	}
	minor, ok := number.shifted(scale)
	if !ok {
		return Money{}, ErrMoneyRange
	}
	return NewMoney(minor, currency)
}

// shifted is the whole number d × 10^scale; false if it does not fit an int64.
// The caller has made sure that d has no more than scale fraction digits.
func (d decimal) shifted(scale int) (int64, bool) {
	const int64Digits = 19
	if d.digits == "" {
		return 0, true
	}
	zeros := d.exponent + int64(scale)
	if zeros > int64Digits {
		return 0, false
	}
	n, err := strconv.ParseInt(d.digits+strings.Repeat("0", int(zeros)), 10, 64)
	return n, err == nil
}

// Add is m + other. It returns ErrCurrencyMismatch or ErrMoneyRange.
func (m Money) Add(other Money) (Money, error) {
	if err := m.checkPair(other); err != nil {
		return Money{}, err
	}
	return NewMoney(m.Minor+other.Minor, m.Currency) // both are within range: no overflow
}

// Sub is m − other. It returns ErrCurrencyMismatch, or ErrMoneyNegative when
// other is the larger.
func (m Money) Sub(other Money) (Money, error) {
	if err := m.checkPair(other); err != nil {
		return Money{}, err
	}
	return NewMoney(m.Minor-other.Minor, m.Currency)
}

// Mul is m taken quantity times. It returns ErrMoneyNegative for a negative
// quantity and ErrMoneyRange when the product is too large.
func (m Money) Mul(quantity int64) (Money, error) {
	if err := m.check(); err != nil {
		return Money{}, err
	}
	if quantity < 0 {
		return Money{}, ErrMoneyNegative
	}
	if quantity > 0 && m.Minor > maxMinor(m.Currency)/quantity {
		return Money{}, ErrMoneyRange
	}
	return NewMoney(m.Minor*quantity, m.Currency)
}

// Text is the amount in major units as a JSON number with all the fraction
// digits of its currency: 1499.97, 599.90, 0.05, or 1500 for yen. ParseMoney
// reads it back. An amount without a known currency is printed in minor units.
func (m Money) Text() string {
	scale, _ := CurrencyExponent(m.Currency)
	digits, negative := strings.CutPrefix(strconv.FormatInt(m.Minor, 10), "-")
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	text := digits
	if scale > 0 {
		point := len(digits) - scale
		text = digits[:point] + "." + digits[point:]
	}
	if negative {
		text = "-" + text
	}
	return text
}

// String is Text followed by the currency, for people.
func (m Money) String() string { return strings.TrimSpace(m.Text() + " " + m.Currency) }

// MarshalJSON writes Text, a plain JSON number; the currency is a member of its own.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.Text()), nil }

// check reports what keeps m, which anybody can write down, from being an amount.
func (m Money) check() error {
	limit := maxMinor(m.Currency)
	switch {
	case limit == 0:
		return ErrCurrencyUnknown
	case m.Minor < 0:
		return ErrMoneyNegative
	case m.Minor > limit:
		return ErrMoneyRange
	}
	return nil
}

func (m Money) checkPair(other Money) error {
	if m.Currency != other.Currency {
		return ErrCurrencyMismatch
	}
	return cmp.Or(m.check(), other.check())
}

// maxMinor is MaxMoneyMajor in minor units of currency; 0 if that is unknown.
func maxMinor(currency string) int64 {
	scale, known := CurrencyExponent(currency)
	if !known {
		return 0
	}
	limit := int64(MaxMoneyMajor)
	for range scale {
		limit *= 10
	}
	return limit
}

// CurrencyExponent is the number of fraction digits of an active ISO 4217
// currency or fund, false for any other text. Codes without a minor unit
// (metals, XDR, tests) are no means of payment and thus unknown.
func CurrencyExponent(currency string) (int, bool) {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
		"XAF", "XOF", "XPF":
		return 0, true
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3, true
	case "CLF", "UYW":
		return 4, true
	case "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND",
		"BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CNY",
		"COP", "COU", "CRC", "CUP", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD",
		"FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS",
		"INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL",
		"MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR",
		"MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR",
		"RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP",
		"STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD",
		"USN", "UYU", "UZS", "VED", "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG":
		return 2, true
	}
	return 0, false
}
