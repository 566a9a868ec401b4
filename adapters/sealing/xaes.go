package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"sync/atomic"
)

const (
	nonceBytes  = 24
	prefixBytes = 12 // of the nonce: what a key is derived from
	tagBytes    = 16
	// sealsPerPrefix bounds how often one derived key seals: so few nonces of 12
	// random bytes are all different.
	sealsPerPrefix = 1 << 20
)

// derivation gives the key of a prefix.
type derivation func(prefix [prefixBytes]byte) *derived

// derived is a key of AES-256-GCM for all nonces with one prefix.
type derived struct {
	prefix [prefixBytes]byte
	aead   cipher.AEAD
	seals  atomic.Int64
}

// newDerivation is the key derivation of XAES-256-GCM (c2sp.org/XAES-256-GCM):
// the first half of a nonce of 24 random bytes gives a key of AES-256-GCM, the
// second half is its nonce. One key of plain AES-GCM with random nonces is used
// up after 2³² values, which a busy coordinator seals within weeks.
func newDerivation(key *[KeyBytes]byte) derivation {
	block := newAES(key)
	k1 := subkey(block)
	return func(prefix [prefixBytes]byte) *derived {
		var inner [KeyBytes]byte
		for half := range 2 {
			m := inner[half*aes.BlockSize:][:aes.BlockSize]
			copy(m, []byte{0, byte(half + 1), 'X', 0})
			copy(m[4:], prefix[:])
			for i := range m {
				m[i] ^= k1[i]
			}
			block.Encrypt(m, m)
		}
		aead, err := cipher.NewGCM(newAES(&inner))
		if err != nil { // the block size is right
			panic(err)
		}
		return &derived{prefix: prefix, aead: aead}
	}
}

func newAES(key *[KeyBytes]byte) cipher.Block {
	block, err := aes.NewCipher(key[:])
	if err != nil { // the length is right
		panic(err)
	}
	return block
}

// subkey is that of CMAC for whole blocks: the encrypted zero block, doubled in GF(2¹²⁸).
func subkey(block cipher.Block) (k1 [aes.BlockSize]byte) {
	block.Encrypt(k1[:], k1[:])
	carry := k1[0] >> 7
	for i := range k1 {
		k1[i] <<= 1
		if i+1 < len(k1) {
			k1[i] |= k1[i+1] >> 7
		}
	}
	k1[len(k1)-1] ^= carry * 0x87
	return k1
}
