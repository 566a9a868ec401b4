package service

import (
	"crypto/sha256"
	"encoding/hex"
)

// ID derives an identifier from a key: the prefix and a UUID (version 8, from
// SHA-256). The same key gives the same identifier in every attempt, in every
// process.
func ID(prefix, key string) string {
	sum := sha256.Sum256([]byte(prefix + key))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	const dashed = 36
	text := make([]byte, 0, len(prefix)+dashed)
	text = append(text, prefix...)
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, part)
	}
	return string(text)
}
