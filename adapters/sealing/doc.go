// Package sealing encrypts what must not be read where it is stored: with
// AES-256-GCM, under a key ring whose first key seals and all of whose keys
// open, so that keys can be replaced without a moment at which anything is
// unreadable.
//
// A sealed value is a version byte, 8 bytes that name its key, 24 random bytes
// that give the key and the nonce of AES-256-GCM (XAES-256-GCM), and the
// ciphertext with its tag. What the value is about is authenticated with it but
// not stored: a value that is moved to another workflow or webhook does not open.
package sealing
