package protocol

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

// Names of the Standard Webhooks headers.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	// SignatureTolerance is how far the sender's clock may be off. It bounds
	// how long a recorded request can be replayed.
	SignatureTolerance = 5 * time.Minute

	secretPrefix    = "whsec_"
	minSecretBytes  = 16
	signatureScheme = "v1,"
	// maxSignatures bounds the work one header can cause; several signatures
	// are sent while a secret is rotated.
	maxSignatures = 8
)

// Errors of a signature check. None of them says which byte differed.
var (
	ErrSecretFormat = errors.New("a secret is whsec_ and at least 16 bytes in base64")
	ErrUnsigned     = errors.New("the request is not signed")
	ErrStale        = errors.New("the signature's timestamp is too far from now")
	ErrSignature    = errors.New("no signature matches")
)

// Secret is the key that the coordinator signs its commands with. The zero
// Secret is absent: everything passes.
type Secret struct{ key []byte }

// ParseSecret reads the text form, whsec_<base64>. The error never quotes it.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecretBytes {
		return Secret{}, ErrSecretFormat
	}
	return Secret{key: key}, nil
}

// Present tells whether there is a secret to check against.
func (s Secret) Present() bool { return len(s.key) > 0 }

// Verify checks the signature headers over the exact bytes of the body.
func (s Secret) Verify(h http.Header, body []byte, now time.Time) error {
	if !s.Present() {
		return nil
	}
	id, stamp, signatures := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	if id == "" || stamp == "" || signatures == "" {
		return ErrUnsigned
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > SignatureTolerance {
		return ErrStale
	}
	want := s.mac(id, stamp, body)
	for i, candidate := range strings.Fields(signatures) {
		encoded, ok := strings.CutPrefix(candidate, signatureScheme)
		got, err := base64.StdEncoding.DecodeString(encoded)
		if ok && err == nil && i < maxSignatures && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}

// Sign sets the three headers, as a coordinator does.
func (s Secret) Sign(h http.Header, id string, now time.Time, body []byte) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, stamp)
	h.Set(HeaderSignature, signatureScheme+base64.StdEncoding.EncodeToString(s.mac(id, stamp, body)))
}

func (s Secret) mac(id, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(id + "." + stamp + "."))
	m.Write(body)
	return m.Sum(nil)
}
