package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/firstviscount/platform-coordination/examples/participants/protocol"
)

// fingerprintBytes of a SHA-256 are plenty to notice an accident.
const fingerprintBytes = 16

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

// fingerprint identifies what a command asks for, to notice a key that is used
// for something else. An execution is its action and its parameters as a JSON
// value. An undo is its action and the execution it undoes: its parameters may
// grow between attempts, when the coordinator learns more about the execution.
func fingerprint(action string, c *protocol.Command, undo bool) string {
	h := sha256.New()
	h.Write([]byte(action + "\n"))
	if undo {
		h.Write([]byte(c.Forward.CommandID))
	} else {
		h.Write(canonical(c.Parameters))
	}
	return hex.EncodeToString(h.Sum(nil)[:fingerprintBytes])
}

// canonical writes a JSON value so that equal values are equal bytes: members
// sorted, no white space, numbers as they were written.
func canonical(value json.RawMessage) []byte {
	if len(value) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return value
	}
	out, err := json.Marshal(v)
	if err != nil {
		return value
	}
	return out
}
