package ports

import "errors"

// Sealer encrypts what must not be read where it is stored.
type Sealer interface {
	// Seal encrypts and authenticates a value, bound to what it is about, such as
	// the ID of what it belongs to: it opens with the same about only.
	Seal(plain, about []byte) ([]byte, error)
	// Open gives what was sealed. ErrSealed if it was changed, is about something
	// else, or needs a key that is not there.
	Open(sealed, about []byte) ([]byte, error)
}

// ErrSealed: a sealed value cannot be opened.
var ErrSealed = errors.New("cannot be opened: changed, of something else, or its key is missing")
