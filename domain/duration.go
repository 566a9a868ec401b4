package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits of a duration's text.
const (
	// MaxDurationText is the length of the longest text that is read as a duration, in bytes.
	MaxDurationText = 48
	// maxSecondDigits is how many fraction digits a second has: nanoseconds.
	maxSecondDigits = 9
)

// ErrDuration is wrapped by every error about a duration's text.
var ErrDuration = errors.New("not an ISO 8601 duration such as PT1H30M or PT0.5S")

// Duration is a length of time that JSON shows as ISO 8601 text: "PT2M".
type Duration time.Duration

// String is FormatDuration.
func (d Duration) String() string { return FormatDuration(time.Duration(d)) }

// MarshalJSON writes FormatDuration as a JSON string.
func (d Duration) MarshalJSON() ([]byte, error) {
	return []byte(`"` + d.String() + `"`), nil
}

// UnmarshalJSON reads a JSON string as ParseDuration does. Anything else, null
// too, is an error that wraps ErrDuration.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil || text == nil {
		return ErrDuration
	}
	parsed, err := ParseDuration(*text)
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// durationUnits are the designators of the time part, in their fixed order.
var durationUnits = [...]struct {
	designator string
	size       time.Duration
}{{"H", time.Hour}, {"M", time.Minute}, {"S", time.Second}}

// ParseDuration reads the time form of an ISO 8601 duration: PT, then hours,
// minutes and seconds in this order, each at most once and at least one of
// them, only the seconds with a fraction of at most nine digits. Days and
// longer (whose length depends on the calendar), signs and lower case are
// refused. Errors wrap ErrDuration.
func ParseDuration(s string) (time.Duration, error) {
	rest, found := strings.CutPrefix(s, "PT")
	if !found || rest == "" || len(s) > MaxDurationText {
		return 0, ErrDuration
	}
	total := time.Duration(0)
	next := 0 // the largest unit that may still come
	for rest != "" {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		rest = rest[len(number):]
		for next < len(durationUnits) && !strings.HasPrefix(rest, durationUnits[next].designator) {
			next++
		}
		if next == len(durationUnits) {
			return 0, ErrDuration
		}
		part, err := parseDurationPart(number, durationUnits[next].size)
		if err != nil {
			return 0, err
		}
		if part > math.MaxInt64-total {
			return 0, fmt.Errorf("%w: too long", ErrDuration)
		}
		total += part
		rest = rest[1:]
		next++
	}
	return total, nil
}

// parseDurationPart is number × unit; only seconds may have a fraction.
func parseDurationPart(number string, unit time.Duration) (time.Duration, error) {
	whole, fraction, pointed := strings.Cut(number, ".")
	if pointed && (unit != time.Second || fraction == "" || len(fraction) > maxSecondDigits) {
		return 0, ErrDuration
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if errors.Is(err, strconv.ErrRange) || n > int64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("%w: too long", ErrDuration)
	}
	if err != nil {
		return 0, ErrDuration
	}
	part := time.Duration(n) * unit
	if !pointed {
		return part, nil
	}
	nanos, err := strconv.ParseInt((fraction + strings.Repeat("0", maxSecondDigits))[:maxSecondDigits], 10, 64)
	if err != nil {
		return 0, ErrDuration
	}
	if time.Duration(nanos) > math.MaxInt64-part {
		return 0, fmt.Errorf("%w: too long", ErrDuration)
	}
	return part + time.Duration(nanos), nil
}

// FormatDuration is d in ISO 8601 with hours as the largest unit and without
// parts that are zero: PT0S, PT0.15S, PT3M15S, PT720H. ParseDuration reads it
// back. A negative d, which this system never measures, gets a leading minus
// sign and is not read back.
func FormatDuration(d time.Duration) string {
	sign, rest := "", uint64(d)
	if d < 0 {
		sign, rest = "-", -rest // right for the smallest int64 too
	}
	text := []byte(sign + "PT")
	empty := len(text)
	for _, unit := range durationUnits[:2] {
		if n := rest / uint64(unit.size); n > 0 {
			text = append(strconv.AppendUint(text, n, 10), unit.designator...)
		}
		rest %= uint64(unit.size)
	}
	if rest > 0 || len(text) == empty {
		text = append(appendSeconds(text, rest), 'S')
	}
	return string(text)
}

func appendSeconds(text []byte, nanos uint64) []byte {
	text = strconv.AppendUint(text, nanos/uint64(time.Second), 10)
	fraction := nanos % uint64(time.Second)
	if fraction == 0 {
		return text
	}
	digits := strconv.FormatUint(uint64(time.Second)+fraction, 10)[1:] // keeps the leading zeros
	return append(append(text, '.'), strings.TrimRight(digits, "0")...)
}
