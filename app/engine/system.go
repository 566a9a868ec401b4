package engine

import (
	crand "crypto/rand"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// SystemClock is the clock of the machine.
type SystemClock struct{}

// Now is the current time.
func (SystemClock) Now() time.Time { return time.Now() }

// SystemEntropy is the randomness of the operating system.
type SystemEntropy struct{}

// UUID is a new UUIDv7 (RFC 9562).
func (SystemEntropy) UUID() string { return uuid.Must(uuid.NewV7()).String() }

// Random is a number for jitter; not for secrets.
func (SystemEntropy) Random() uint64 { return rand.Uint64() }

// Secret is 16 unguessable bytes.
func (SystemEntropy) Secret() []byte {
	b := make([]byte, 16)
	_, _ = crand.Read(b) // never fails, by its contract
	return b
}
