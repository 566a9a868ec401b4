// Package ports holds the interfaces between the coordination engine and the
// world: inbound.go is what transports call, outbound.go is what the engine
// needs. It has no code of its own. Every outbound port has a suite in
// contracttests; a promise written here is a case there, in the same words.
package ports
