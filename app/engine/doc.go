// Package engine runs sagas: it decides what happens next, has it written, and
// only then lets it happen.
//
// Everything goes in through Partition.Handle: a caller's request, a
// participant's answer, a timer. It decides with the pure domain, hands one
// change to the store, and when that is committed acknowledges the caller and
// gives the commands that follow to the Pump, through which everything goes
// out. An answer comes back in at Handle.
//
//	request ─┐                                   ┌─▶ Pump ─▶ participant
//	answer  ─┼▶ Partition.Handle ▶ Commit ▶ Committed          │
//	timer   ─┘        ▲            (batched)     └─▶ caller     │
//	                  └─────────────────────────────────────────┘
//
// Partition and Pump are step functions without goroutines, clocks or I/O of
// their own, so that a simulator can drive several replicas of them in one
// goroutine on virtual time. Engine is the thin shell that drives them with
// goroutines: one loop per partition, the committer, the lease keeper.
package engine
