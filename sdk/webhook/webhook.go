// Package webhook signs and verifies HTTP requests as Standard Webhooks
// (https://www.standardwebhooks.com) describes: HMAC-SHA256 over id, timestamp
// and body, in the headers webhook-id, webhook-timestamp and webhook-signature.
// The coordinator signs webhooks and the commands to participants with it.
//
// # Receiving webhooks
//
// A [Handler] is all that a receiver needs: it reads, verifies and answers, and
// calls a function for each event.
//
//	http.Handle("POST /hooks", &webhook.Handler{
//		Secrets: []webhook.Secret{secret},
//		Handle: func(ctx context.Context, e webhook.Event) error {
//			return orders.Apply(ctx, e.ID, e.Event, e.Data) // once for each e.ID
//		},
//	})
//
// Whoever has a handler of another kind calls [Verify] over the exact bytes that
// were received, before they are parsed. A valid signature proves origin and
// freshness, not novelty: within [Tolerance] the same request can come again, so
// remember the ids.
//
// # Rotating a secret
//
// While a secret is rotated the coordinator signs with both. A receiver that
// knows either accepts; one that lists both, in whatever order, never refuses.
//
// # Payloads without their headers
//
// A payload is sealed too: its member signature covers the other members,
// however they are written ([Seal], [VerifySeal], [Canonical]). It serves those
// who get payloads from a queue or a log.
//
// # Testing a receiver
//
// Package webhooktest delivers events to a handler. All that a receiver must
// keep is checked by coordctl contract verify webhook, or from a test by the
// module contracttests, package webhookconsumer.
//
// The package needs nothing but the standard library.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request, in the form of [http.Header] keys.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Tolerance is how far the timestamp of a request may be from now, in either
// direction. It bounds how long a recorded request can be replayed.
const Tolerance = 5 * time.Minute

// Limits of secrets and headers.
const (
	MinSecretBytes = 16 // of the key, decoded
	MaxSecretBytes = 64
	// MaxSignatures is how many signatures of one request are looked at; more
	// than one is sent while a secret is rotated.
	MaxSignatures = 8
)

const (
	secretPrefix    = "whsec_"
	signatureScheme = "v1,"
)

// Errors of parsing and verifying. None of them quotes a secret or a signature.
var (
	// ErrSecret: the text is not whsec_ and 16 to 64 bytes in base64.
	ErrSecret = errors.New("not a secret: want whsec_ and 16 to 64 bytes in base64")
	// ErrUnsigned: a header is missing or empty.
	ErrUnsigned = errors.New("the request is not signed")
	// ErrTimestamp: the timestamp is no number, or too far from now.
	ErrTimestamp = errors.New("the request's timestamp is not within the tolerance")
	// ErrSignature: no signature was made with one of the secrets.
	ErrSignature = errors.New("no signature of the request matches")
)

// Secret is a key shared with one receiver. Its zero value holds no key: it
// signs nothing and verifies nothing. Printing a Secret does not reveal it.
type Secret struct{ key []byte }

// NewSecret takes the bytes of a key, which must be unguessable. ErrSecret if
// they are too few or too many.
func NewSecret(key []byte) (Secret, error) {
	if len(key) < MinSecretBytes || len(key) > MaxSecretBytes {
		return Secret{}, ErrSecret
	}
	return Secret{key: append([]byte(nil), key...)}, nil
}

// ParseSecret reads the text form, whsec_<base64>. ErrSecret.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return Secret{}, ErrSecret
	}
	return NewSecret(key)
}

// MustParseSecret is ParseSecret for the start of a program: it panics where that
// gives an error. The panic does not quote the text.
func MustParseSecret(text string) Secret {
	s, err := ParseSecret(text)
	if err != nil {
		panic("webhook: " + err.Error())
	}
	return s
}

// IsZero reports whether s holds no key.
func (s Secret) IsZero() bool { return len(s.key) == 0 }

// Reveal returns the text form that ParseSecret reads, "" of the zero Secret.
// Show it once to whom it belongs; never log it.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(s.key)
}

// String says whether there is a key, never which.
func (s Secret) String() string {
	if s.IsZero() {
		return "(no secret)"
	}
	return "(secret)"
}

// GoString is String: no format verb shows the key.
func (s Secret) GoString() string { return s.String() }

// Bytes returns a copy of the key, for signatures in other forms.
func (s Secret) Bytes() []byte { return append([]byte(nil), s.key...) }

// Sign returns the signature of a request, "v1," and base64; "" of the zero
// Secret. Several signatures go into one header, separated by spaces.
func (s Secret) Sign(id string, at time.Time, body []byte) string {
	if s.IsZero() {
		return ""
	}
	mac := s.mac(id, strconv.FormatInt(at.Unix(), 10), body)
	signature := make([]byte, len(signatureScheme)+base64.StdEncoding.EncodedLen(len(mac)))
	copy(signature, signatureScheme)
	base64.StdEncoding.Encode(signature[len(signatureScheme):], mac)
	return string(signature)
}

// SetHeaders signs a request with every secret that is not zero and sets the
// three headers. Without such a secret it sets none.
func SetHeaders(h http.Header, id string, at time.Time, body []byte, secrets ...Secret) {
	var signatures []string
	for _, s := range secrets {
		if signature := s.Sign(id, at, body); signature != "" {
			signatures = append(signatures, signature)
		}
	}
	if len(signatures) == 0 {
		return
	}
	h[HeaderID] = []string{id}
	h[HeaderTimestamp] = []string{strconv.FormatInt(at.Unix(), 10)}
	h[HeaderSignature] = []string{strings.Join(signatures, " ")}
}

// Verify checks that one of the signatures in the headers was made with one of
// the secrets over exactly this body, and that the request is fresh at now.
// ErrUnsigned, ErrTimestamp or ErrSignature. Signatures are compared in
// constant time; those of other schemes are passed over.
func Verify(h http.Header, body []byte, now time.Time, secrets ...Secret) error {
	id, stamp, signatures := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	if id == "" || stamp == "" || signatures == "" {
		return ErrUnsigned
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || !fresh(time.Unix(seconds, 0), now) {
		return ErrTimestamp
	}
	candidates := strings.Fields(signatures)
	candidates = candidates[:min(len(candidates), MaxSignatures)]
	matched := false
	for _, s := range secrets {
		matched = s.matches(s.mac(id, stamp, body), candidates) || matched
	}
	if !matched {
		return ErrSignature
	}
	return nil
}

// fresh compares without subtracting: the difference of far times overflows.
func fresh(at, now time.Time) bool {
	return !at.Before(now.Add(-Tolerance)) && !at.After(now.Add(Tolerance))
}

func (s Secret) matches(want []byte, candidates []string) bool {
	if s.IsZero() {
		return false
	}
	matched := false
	for _, candidate := range candidates {
		encoded, known := strings.CutPrefix(candidate, signatureScheme)
		got, err := base64.StdEncoding.DecodeString(encoded)
		matched = known && err == nil && hmac.Equal(got, want) || matched
	}
	return matched
}

func (s Secret) mac(id, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	var prefix [128]byte // holds the usual id and timestamp without an allocation
	m.Write(append(append(append(append(prefix[:0], id...), '.'), stamp...), '.'))
	m.Write(body)
	return m.Sum(nil)
}
