package sealing

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// TestVectors are those of c2sp.org/XAES-256-GCM: one for each value of the bit
// that the derivation of the subkey depends on.
func TestVectors(t *testing.T) {
	t.Parallel()
	nonce, plain := []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM")
	for _, c := range []struct {
		key       byte
		aad, want string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		derive := newDerivation((*[KeyBytes]byte)(bytes.Repeat([]byte{c.key}, KeyBytes)))
		d := derive([prefixBytes]byte(nonce))
		if got := hex.EncodeToString(d.aead.Seal(nil, nonce[prefixBytes:], plain, []byte(c.aad))); got != c.want {
			t.Errorf("key %x…: %s, want %s", c.key, got, c.want)
		}
	}
}

// TestADerivedKeyIsNotUsedUp seals past the bound of one derived key.
func TestADerivedKeyIsNotUsedUp(t *testing.T) {
	t.Parallel()
	r, err := New(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Seal([]byte("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.sealing.sealer.Load().seals.Store(sealsPerPrefix)
	second, err := r.Seal([]byte("b"), nil)
	if err != nil || bytes.Equal(first[headerBytes:][:prefixBytes], second[headerBytes:][:prefixBytes]) {
		t.Errorf("sealed with the same derived key, %v", err)
	}
	for range 2 { // derived, and remembered
		if a, err := r.Open(first, nil); err != nil || string(a) != "a" {
			t.Errorf("opened %q, %v", a, err)
		}
		if b, err := r.Open(second, nil); err != nil || string(b) != "b" {
			t.Errorf("opened %q, %v", b, err)
		}
	}
}
