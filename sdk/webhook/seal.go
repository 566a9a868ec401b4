package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// SealMember is the member of a payload that holds its seal.
const SealMember = "signature"

// sealScheme precedes the digits of a seal.
const sealScheme = "sha256="

// Seal returns payload, a JSON object, with its seal as the last member:
//
//	"signature":"sha256=<hex of HMAC-SHA256>"
//
// over the canonical form (RFC 8785) of the object without that member, with
// the same key as the signatures in the headers. The rest of the payload stays
// as it is, byte for byte. ErrPayload if it is no JSON object, has no canonical
// form, or is sealed already; ErrSecret if s is zero.
//
// The headers prove more: they cover the very bytes, and when they were sent.
// The seal is for whoever gets the payload without them, from a queue or a log.
func Seal(payload []byte, s Secret) ([]byte, error) {
	if s.IsZero() {
		return nil, ErrSecret
	}
	form, seal, err := sealed(payload)
	if err != nil {
		return nil, err
	}
	if seal != nil {
		return nil, fmt.Errorf("%w: it is sealed already", ErrPayload)
	}
	out := bytes.TrimSuffix(bytes.TrimRight(payload, " \t\r\n"), []byte("}"))
	out = out[:len(out):len(out)] // the payload is not written to
	if len(form) > len("{}") {
		out = append(out, ',')
	}
	return append(fmt.Appendf(out, "%q:", SealMember), s.seal(form)+"}"...), nil
}

// VerifySeal checks that payload, a JSON object, was sealed with one of the
// secrets, however it is spaced and its members are ordered by now. ErrPayload
// if it is no JSON object or has no canonical form, ErrUnsigned if it has no
// seal, ErrSignature if none of the secrets made it. Compared in constant time.
func VerifySeal(payload []byte, secrets ...Secret) error {
	form, seal, err := sealed(payload)
	if err != nil {
		return err
	}
	if seal == nil {
		return ErrUnsigned
	}
	matched := false
	for _, s := range secrets {
		matched = !s.IsZero() && hmac.Equal(seal, []byte(s.seal(form))) || matched
	}
	if !matched {
		return ErrSignature
	}
	return nil
}

// sealed returns what the seal of a payload covers, and the seal if it has one,
// with its quotes.
func sealed(payload []byte) (form, seal []byte, err error) {
	form, seal, err = split(payload, SealMember)
	if err == nil && form[0] != '{' {
		err = fmt.Errorf("%w: it is no object", ErrPayload)
	}
	return form, seal, err
}

// seal is the seal of a canonical form, with its quotes.
func (s Secret) seal(form []byte) string {
	m := hmac.New(sha256.New, s.key)
	m.Write(form)
	return `"` + sealScheme + hex.EncodeToString(m.Sum(nil)) + `"`
}
