package config

import (
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

// BusMemory is the bus inside the process.
const BusMemory Bus = "memory"

// busSchemes are the brokers that a bus can be on.
var busSchemes = []string{"nats", "kafka", "amqp", "amqps", "postgres", "postgresql"}

// Bus says which message bus is used: memory, which is the zero value too, or
// the URL of a broker. It is printed without what may be a password.
type Bus string

// UnmarshalText reads a setting.
func (b *Bus) UnmarshalText(text []byte) error {
	value := string(text)
	if Bus(value) == BusMemory {
		*b = BusMemory
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains(busSchemes, u.Scheme) {
		return errors.New("want memory, nats://…, kafka://HOST:PORT[,…], amqp://… or postgres://…")
	}
	*b = Bus(value)
	return nil
}

// InMemory reports whether the bus is the one inside the process.
func (b Bus) InMemory() bool { return b == "" || b == BusMemory }

// Reveal is the whole URL, or memory.
func (b Bus) Reveal() string {
	if b.InMemory() {
		return string(BusMemory)
	}
	return string(b)
}

// String is the scheme and the hosts.
func (b Bus) String() string {
	u, err := url.Parse(string(b))
	if b.InMemory() || err != nil {
		return string(BusMemory)
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host, "/")
}

// GoString is String.
func (b Bus) GoString() string { return b.String() }

// LogValue is String.
func (b Bus) LogValue() slog.Value { return slog.StringValue(b.String()) }
