package coordination

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// percentDecimals is how many decimals a percentage has on the wire.
const percentDecimals = 2

// ErrPercent reports a JSON value that is not a percentage.
var ErrPercent = errors.New("not a percentage: want a number, not negative, of at most 15 integer digits")

// Percent is a percentage with two decimals, kept exactly, as hundredths of a
// percent. On the wire it is a JSON number without trailing zeros: 16.67, 99.2,
// 75. The zero value is 0 %.
type Percent struct{ hundredths uint64 }

// PercentOf returns part/whole as a percentage, rounded half up. Of a whole
// that is not positive, or a part that is negative, it is 0 %; past the largest
// Percent it is the largest.
func PercentOf(part, whole int64) Percent {
	if part <= 0 || whole <= 0 {
		return Percent{}
	}
	const scale = 100 * 100
	hi, lo := bits.Mul64(uint64(part), scale)
	// Adding half the whole before dividing rounds half up. Half of an odd
	// whole is cut, which is right: a fraction of it is never exactly a half.
	lo, carry := bits.Add64(lo, uint64(whole)/2, 0)
	hi += carry
	if hi >= uint64(whole) {
		return Percent{math.MaxUint64}
	}
	quotient, _ := bits.Div64(hi, lo, uint64(whole))
	return Percent{quotient}
}

// Hundredths returns the percentage in hundredths of a percent: 1667 is 16.67 %.
func (p Percent) Hundredths() uint64 { return p.hundredths }

// String returns the number as it is written on the wire, without a sign.
func (p Percent) String() string {
	text := strconv.FormatUint(p.hundredths/100, 10)
	if rest := p.hundredths % 100; rest != 0 {
		decimals := strconv.FormatUint(100+rest, 10)[1:]
		text += "." + strings.TrimRight(decimals, "0")
	}
	return text
}

// MarshalJSON writes the percentage as a JSON number.
func (p Percent) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads a JSON number, rounded half up to two decimals. null
// leaves the percentage as it is.
func (p *Percent) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	d, ok := parseDecimal(string(data))
	if !ok || len(d.integer) > MaxAmountIntegerDigits {
		return ErrPercent
	}
	fraction := d.fraction + strings.Repeat("0", percentDecimals+1)
	hundredths, err := strconv.ParseUint(d.integer+fraction[:percentDecimals], 10, 64)
	if err != nil {
		return ErrPercent
	}
	if fraction[percentDecimals] >= '5' {
		hundredths++
	}
	p.hundredths = hundredths
	return nil
}
