// Package contracttests holds what an implementation of a port must pass. Each
// rule is a promise of package ports, named in its words, so that a failure
// reads as the promise that was broken.
//
// An adapter's own test is a few lines:
//
//	func TestContract(t *testing.T) {
//		contracttests.Store(t, func(t *testing.T) ports.Store { return openEmpty(t) })
//	}
//
// A store that outlives its process is also given to DurableStore, and one that
// replicas share to Store once more, as a Spread of two openings.
//
// Rules run without package testing too, so that a test can show that a
// deliberately broken implementation is caught.
package contracttests
