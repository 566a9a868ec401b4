package sealing

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/firstviscount/platform-coordination/ports"
)

var _ ports.Sealer = (*Ring)(nil)

// MaxPlain is how many bytes can be sealed at once.
const MaxPlain = 1 << 20

// The format of a sealed value: version, key ID, nonce, ciphertext with tag.
const (
	version     = 1
	headerBytes = 1 + idBytes
	// Overhead is how many bytes longer than its plain text a sealed value is.
	Overhead = headerBytes + nonceBytes + tagBytes
)

// Ring seals with its first key and opens with all of them. It is safe for
// concurrent use, and never prints a key.
type Ring struct {
	sealing *ringKey
	byID    map[[idBytes]byte]*ringKey
	ids     []string
}

// ringKey is a key made ready.
type ringKey struct {
	header [headerBytes]byte
	derive derivation
	sealer atomic.Pointer[derived] // seals now
	opened atomic.Pointer[derived] // of what was opened last; neighbours mostly share it
}

// New makes a ring of 1 to MaxKeys different keys; the first one seals.
func New(keys ...Key) (*Ring, error) {
	if err := checkKeys(keys); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	r := &Ring{byID: make(map[[idBytes]byte]*ringKey, len(keys))}
	for _, k := range keys {
		id := k.id()
		ready := &ringKey{derive: newDerivation(k.secret())}
		ready.header[0] = version
		copy(ready.header[1:], id[:])
		if r.sealing == nil {
			r.sealing = ready
		}
		r.byID[id] = ready
		r.ids = append(r.ids, k.ID())
	}
	return r, nil
}

// Seal encrypts with the first key; see ports.Sealer. It fails only for a plain
// text of more than MaxPlain bytes.
func (r *Ring) Seal(plain, about []byte) ([]byte, error) {
	if len(plain) > MaxPlain {
		return nil, fmt.Errorf("sealing: longer than %d bytes", MaxPlain)
	}
	k := r.sealing
	d := k.current()
	sealed := make([]byte, headerBytes+nonceBytes, len(plain)+Overhead)
	copy(sealed, k.header[:])
	copy(sealed[headerBytes:], d.prefix[:])
	nonce := sealed[headerBytes+prefixBytes:]
	rand.Read(nonce) // never fails
	return d.aead.Seal(sealed, nonce, plain, k.aad(about)), nil
}

// Open decrypts with whichever key of the ring sealed; see ports.Sealer.
func (r *Ring) Open(sealed, about []byte) ([]byte, error) {
	id, ok := idOf(sealed)
	k := r.byID[id]
	switch {
	case !ok || len(sealed) > MaxPlain+Overhead:
		return nil, ports.ErrSealed
	case k == nil:
		return nil, fmt.Errorf("%w: sealed by key %x, which is not among the keys", ports.ErrSealed, id)
	}
	d := k.of([prefixBytes]byte(sealed[headerBytes:]))
	nonce, ciphertext := sealed[headerBytes+prefixBytes:headerBytes+nonceBytes], sealed[headerBytes+nonceBytes:]
	plain, err := d.aead.Open(nil, nonce, ciphertext, k.aad(about))
	if err != nil {
		return nil, ports.ErrSealed
	}
	return plain, nil
}

// current is the derived key that seals now: another one after sealsPerPrefix values.
func (k *ringKey) current() *derived {
	d := k.sealer.Load()
	if d == nil || d.seals.Add(1) > sealsPerPrefix {
		var prefix [prefixBytes]byte
		rand.Read(prefix[:]) // never fails
		d = k.derive(prefix)
		k.sealer.Store(d)
	}
	return d
}

// of is the derived key of a prefix.
func (k *ringKey) of(prefix [prefixBytes]byte) *derived {
	for _, known := range [...]*derived{k.sealer.Load(), k.opened.Load()} {
		if known != nil && known.prefix == prefix {
			return known
		}
	}
	d := k.derive(prefix)
	k.opened.Store(d)
	return d
}

// aad is what is authenticated beside the value: the header has a fixed length,
// so that no two pairs of header and about look the same.
func (k *ringKey) aad(about []byte) []byte {
	return append(k.header[:len(k.header):len(k.header)], about...)
}

// KeyIDs names the keys, the one that seals first.
func (r *Ring) KeyIDs() []string { return append([]string(nil), r.ids...) }

// KeyID names the key that sealed a value; false if it is no sealed value.
func KeyID(sealed []byte) (string, bool) {
	id, ok := idOf(sealed)
	if !ok {
		return "", false
	}
	return hex.EncodeToString(id[:]), true
}

func idOf(sealed []byte) (id [idBytes]byte, ok bool) {
	if len(sealed) < Overhead || sealed[0] != version {
		return id, false
	}
	return [idBytes]byte(sealed[1:headerBytes]), true
}

// String names the keys without telling them.
func (r *Ring) String() string { return fmt.Sprintf("[keys %v]", r.ids) }

// Format is String, whatever the verb.
func (r *Ring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// GoString is String.
func (r *Ring) GoString() string { return r.String() }

// LogValue is String.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText is String, so that no encoder writes the keys either.
func (r *Ring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
