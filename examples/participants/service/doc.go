// Package service turns a few business functions into a participant that keeps
// the protocol: one effect per command however often it arrives, an undo that
// finds its execution by key, answers that survive a crash.
//
// What happens to one command, in this order:
//
//	http.go      read it, check the signature, find the action
//	handle.go    take the lock of the execution it is about
//	             known key?      replay the stored answer
//	             deadline over?  RETRY, nothing is written
//	             ask the business function what to do
//	             append effect + key + answer to the ledger, in one durable line
//	book.go      remember the line, to replay it
//	http.go      answer
//	promise.go   after ACCEPTED: the effect when it is due, then the callback
//
// Whatever a crash interrupts, the ledger either has the line or not. If not,
// nothing happened and the coordinator's next attempt does it; if so, the next
// attempt gets the same answer.
//
// The book holds every command in memory. A participant with a database reads
// the row instead, and locks it.
package service
