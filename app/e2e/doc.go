// Package e2e tests the programs as their users have them: built binaries,
// real processes, real stores, and the example participants with their
// durable ledgers. Nothing in it reaches into a coordinator; what it knows is
// what the API, the logs, the exit codes and the ledgers say.
//
// Most tests take seconds. With -e2e.long, or COORDINATION_E2E_LONG=1, those
// about crashes run with many more orders and kills:
//
//	go test ./e2e -run Chaos -e2e.long -timeout 30m
//
// Random choices come from a seed that a failing test prints; -e2e.seed=N
// makes the same choices again, though not the same interleaving.
package e2e
