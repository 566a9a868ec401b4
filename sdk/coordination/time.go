package coordination

import "time"

// Forms of RFC 3339: whole seconds, and three digits of milliseconds. A fixed
// number of digits lets timestamps be compared as text.
const (
	secondsFormat = "2006-01-02T15:04:05Z07:00"
	millisFormat  = "2006-01-02T15:04:05.000Z07:00"
)

// Time is a timestamp of the API: UTC, RFC 3339, milliseconds, which whole
// seconds do without. Its zero value means absent and is left out where the
// member is optional.
type Time struct{ time.Time }

// At returns t as a timestamp of the API: in UTC, cut to the millisecond.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// String returns the form of the wire.
func (t Time) String() string {
	at := At(t.Time)
	if at.Nanosecond() == 0 {
		return at.Format(secondsFormat)
	}
	return at.Format(millisFormat)
}

// MarshalText writes RFC 3339 in UTC, cut to the millisecond.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON writes the timestamp as a JSON string.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads RFC 3339 with any offset and precision; the result is in
// UTC, cut to the millisecond.
func (t *Time) UnmarshalJSON(data []byte) error {
	if err := t.Time.UnmarshalJSON(data); err != nil {
		return err
	}
	*t = At(t.Time)
	return nil
}

// UnmarshalText is UnmarshalJSON without the quotes.
func (t *Time) UnmarshalText(text []byte) error {
	if err := t.Time.UnmarshalText(text); err != nil {
		return err
	}
	*t = At(t.Time)
	return nil
}
