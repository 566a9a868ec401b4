package config

import (
	"log/slog"
	"strconv"
)

// MinSecretBytes is the least length of an HS256 secret: shorter ones are
// weaker than the hash (RFC 7518, section 3.2).
const MinSecretBytes = 32

// minSecretText is MinSecretBytes for help texts.
var minSecretText = strconv.Itoa(MinSecretBytes)

// Secret is text that is never printed; convert it to use it.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// check refuses secrets that are too short.
func (s Secret) check() error {
	if len(s) < MinSecretBytes {
		return usage("--jwt-secret", "needs at least "+minSecretText+" bytes")
	}
	return nil
}
