package sealing

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Limits of keys.
const (
	// KeyBytes is the length of a key: that of AES-256.
	KeyBytes = 32
	// MaxKeys is how many keys a ring holds.
	MaxKeys = 16
	// MaxKeysText bounds the text of a list of keys.
	MaxKeysText = 16 << 10

	idBytes = 8
	// idLabel keeps the hash that names a key from being useful for anything else.
	idLabel = "platform-coordination sealing key id\x00"
)

var errKey = errors.New("want 32 bytes in base64")

// Key is a secret of 32 random bytes. Nothing prints it but Reveal: fmt looks
// into structs past their methods, but not into functions.
type Key struct{ secret func() *[KeyBytes]byte }

func keyOf(secret *[KeyBytes]byte) Key { return Key{func() *[KeyBytes]byte { return secret }} }

// NewKey makes a random key.
func NewKey() Key {
	secret := new([KeyBytes]byte)
	rand.Read(secret[:]) // never fails: the program ends if there is no randomness
	return keyOf(secret)
}

// ParseKey reads what Reveal prints: 32 bytes in base64, of the standard or the
// URL alphabet, padded or not. Its error does not repeat the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	data, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != KeyBytes || strings.ContainsAny(text, "\r\n") {
		return Key{}, errKey
	}
	return keyOf((*[KeyBytes]byte)(data)), nil
}

// ParseKeys reads keys that are separated by commas or line breaks, the one to
// seal with first. Empty lines and lines that begin with # are left out. Errors
// count keys and repeat none.
func ParseKeys(text string) ([]Key, error) {
	if len(text) > MaxKeysText {
		return nil, fmt.Errorf("longer than %d bytes", MaxKeysText)
	}
	var keys []Key
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for part := range strings.SplitSeq(line, ",") {
			k, err := ParseKey(strings.TrimSpace(part))
			if err != nil {
				return nil, fmt.Errorf("key %d: %w", len(keys)+1, err)
			}
			keys = append(keys, k)
		}
	}
	return keys, checkKeys(keys)
}

// checkKeys refuses a list that no ring can be made of.
func checkKeys(keys []Key) error {
	if len(keys) == 0 {
		return errors.New("no key")
	}
	if len(keys) > MaxKeys {
		return fmt.Errorf("more than %d keys", MaxKeys)
	}
	first := map[string]int{}
	for i, k := range keys {
		if k.secret == nil {
			return fmt.Errorf("key %d: %w", i+1, errKey)
		}
		if other, ok := first[k.ID()]; ok {
			return fmt.Errorf("key %d is key %d again", i+1, other)
		}
		first[k.ID()] = i + 1
	}
	return nil
}

// Reveal is the key itself, as ParseKey reads it.
func (k Key) Reveal() string { return base64.StdEncoding.EncodeToString(k.secret()[:]) }

// ID names the key; it is not secret.
func (k Key) ID() string {
	id := k.id()
	return hex.EncodeToString(id[:])
}

// id is the part of a hash: 32 random bytes are not guessed by it.
func (k Key) id() [idBytes]byte {
	if k.secret == nil {
		return [idBytes]byte{}
	}
	sum := sha256.Sum256(append([]byte(idLabel), k.secret()[:]...))
	return [idBytes]byte(sum[:idBytes])
}

// String names the key without telling it.
func (k Key) String() string {
	if k.secret == nil {
		return "[no key]"
	}
	return "[key " + k.ID() + "]"
}

// Format is String, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// GoString is String.
func (k Key) GoString() string { return k.String() }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText is String, so that no encoder writes the key either.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
