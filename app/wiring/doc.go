// Package wiring assembles a coordinator from its settings.
//
// It is the only package that knows fx, and uses it only to call constructors
// in the right order: every choice between adapters is one module, every
// constructor is an ordinary function, and what starts and stops when is
// written out in service.go.
package wiring
