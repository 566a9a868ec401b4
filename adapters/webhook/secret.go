package webhook

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// SecretBytes is the length of the secrets that are made for subscriptions.
const SecretBytes = 32

// NewSecret is an unguessable secret.
func NewSecret() webhook.Secret {
	key := make([]byte, SecretBytes)
	_, _ = rand.Read(key) // never fails, by its contract
	secret, err := webhook.NewSecret(key)
	if err != nil { // of 32 bytes
		panic(err)
	}
	return secret
}

// Secret is a secret of a subscription and the requests that led to it, by which
// a repetition of them is known.
type Secret struct {
	webhook.Secret
	// Scope and Fingerprint are the idempotency key of the request that made the
	// secret; "" without one.
	Scope, Fingerprint string
	// Created is the fingerprint of the request that made the subscription.
	Created string
	// At is when a rotation made the secret; zero if the subscription came with it.
	At time.Time
}

// sealedSecret is what is sealed: a secret is stored in no other form.
type sealedSecret struct {
	Secret      string    `json:"secret"`
	Scope       string    `json:"scope,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Created     string    `json:"created,omitempty"`
	At          time.Time `json:"at,omitzero"`
}

// SealSecret seals a secret for a subscription.
func SealSecret(sealer ports.Sealer, webhookID string, s Secret) ([]byte, error) {
	plain, err := json.Marshal(sealedSecret{s.Reveal(), s.Scope, s.Fingerprint, s.Created, s.At})
	if err != nil {
		return nil, err
	}
	return sealer.Seal(plain, []byte(webhookID))
}

// OpenSecret opens what SealSecret sealed for the same subscription. ports.ErrSealed.
func OpenSecret(sealer ports.Sealer, webhookID string, sealed []byte) (Secret, error) {
	plain, err := sealer.Open(sealed, []byte(webhookID))
	if err != nil {
		return Secret{}, err
	}
	var s sealedSecret
	if err := json.Unmarshal(plain, &s); err != nil {
		return Secret{}, fmt.Errorf("%w: it holds no secret", ports.ErrSealed)
	}
	secret, err := webhook.ParseSecret(s.Secret)
	return Secret{secret, s.Scope, s.Fingerprint, s.Created, s.At}, err
}
