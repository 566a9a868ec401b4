package coordination

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxDurationLength bounds the text of a [Duration].
const maxDurationLength = 40

// nanosecondDigits is how many fraction digits of a second are kept.
const nanosecondDigits = 9

// ErrDuration reports text that is not a [Duration].
var ErrDuration = errors.New("not a duration: want the ISO 8601 form PT[n]H[n]M[n[.n]]S, for example PT2M30S")

// Duration is a time.Duration whose text and JSON form is the time part of an
// ISO 8601 duration: PT2M, PT3M15S, PT0.15S. Days and longer, which have no
// fixed length, are not part of the form. A negative duration has no form; it
// can only come from clocks that disagree and is written as PT0S.
type Duration time.Duration

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the ISO 8601 form, exact to the nanosecond.
func (d Duration) String() string {
	rest := time.Duration(d)
	if rest <= 0 {
		return "PT0S"
	}
	var text strings.Builder
	text.WriteString("PT")
	if hours := rest / time.Hour; hours > 0 {
		text.WriteString(strconv.FormatInt(int64(hours), 10) + "H")
		rest %= time.Hour
	}
	if minutes := rest / time.Minute; minutes > 0 {
		text.WriteString(strconv.FormatInt(int64(minutes), 10) + "M")
		rest %= time.Minute
	}
	if rest > 0 {
		text.WriteString(strconv.FormatInt(int64(rest/time.Second), 10))
		if nanos := rest % time.Second; nanos > 0 {
			digits := strconv.FormatInt(int64(time.Second+nanos), 10)[1:]
			text.WriteString("." + strings.TrimRight(digits, "0"))
		}
		text.WriteByte('S')
	}
	return text.String()
}

// ParseDuration reads the ISO 8601 form PT[n]H[n]M[n[.n]]S with at least one
// part. Digits behind the nanosecond are dropped. Everything else, and more than
// about 292 years, is [ErrDuration].
func ParseDuration(text string) (Duration, error) {
	rest, ok := strings.CutPrefix(text, "PT")
	if !ok || rest == "" || len(text) > maxDurationLength {
		return 0, ErrDuration
	}
	var total time.Duration
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"H", time.Hour}, {"M", time.Minute}, {"S", time.Second}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		part, ok := durationPart(number, unit.length)
		if !ok || part > math.MaxInt64-total {
			return 0, ErrDuration
		}
		total, rest = total+part, after
	}
	if rest != "" {
		return 0, ErrDuration
	}
	return Duration(total), nil
}

// durationPart reads the number before a unit; only seconds have a fraction.
func durationPart(number string, unit time.Duration) (time.Duration, bool) {
	whole, fraction, hasPoint := strings.Cut(number, ".")
	if !allDigits(whole) || hasPoint && (!allDigits(fraction) || unit != time.Second) {
		return 0, false
	}
	count, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || count > math.MaxInt64/int64(unit) {
		return 0, false
	}
	length := time.Duration(count) * unit
	if !hasPoint {
		return length, true
	}
	fraction = (fraction + strings.Repeat("0", nanosecondDigits))[:nanosecondDigits]
	nanos, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil || nanos > math.MaxInt64-int64(length) {
		return 0, false
	}
	return length + time.Duration(nanos), true
}

// MarshalText writes the ISO 8601 form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the ISO 8601 form, see [ParseDuration].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
