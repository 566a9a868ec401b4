package coordination

import (
	"fmt"
	"log/slog"
)

// Redacted is what is shown instead of something sensitive.
const Redacted = "[redacted]"

// Sensitive is text that is secret or personal: a payment token, a name, a
// street. It is written like any string and is one on the wire, but printing or
// logging it, alone or within a struct, shows only that it is there. Only
// [Sensitive.Reveal], and encoding it for the wire, give the text.
type Sensitive string

// Reveal is the text.
func (s Sensitive) Reveal() string { return string(s) }

// String hides the text; empty text is shown as such.
func (s Sensitive) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// Format is String, whatever the verb.
func (s Sensitive) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// GoString is String.
func (s Sensitive) GoString() string { return s.String() }

// LogValue is String.
func (s Sensitive) LogValue() slog.Value { return slog.StringValue(s.String()) }
