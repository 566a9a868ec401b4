package wiring

import (
	"errors"
	"slices"
)

// resources are what constructors opened, to be closed in reverse: by Stop, or
// at once if a later constructor fails.
type resources struct {
	closers []func() error
}

// add remembers how to close something.
func (r *resources) add(closer func() error) { r.closers = append(r.closers, closer) }

// close closes everything once, whatever fails.
func (r *resources) close() error {
	var errs []error
	for _, closer := range slices.Backward(r.closers) {
		errs = append(errs, closer())
	}
	r.closers = nil
	return errors.Join(errs...)
}
