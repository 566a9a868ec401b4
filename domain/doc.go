// Package domain holds the rules of sagas, and nothing else: no clock, no
// randomness, no context, no I/O. A workflow is data (Template), its life is a
// list of events, and its State is the fold of them:
//
//	Decide(state, command)  → events, or a refusal that changes nothing
//	Evolve(state, event)    → state
//	Effects(state, since)   → commands to send to participants
//
// A caller's loop is: Decide, write the events durably, Evolve, and only then
// perform the Effects. Whatever comes of them is the next command.
//
//	          ┌───────────────── retry: a new run ─────────────────────┐
//	          ▼                                                        │
//	STARTED ─▶ IN_PROGRESS ⇄ RETRYING ─▶ all steps settled ─▶ COMPLETED │
//	              │    ▲                                        │      │
//	 attempts     │    │ retry                    compensate: a new run│
//	 used up,     ▼    │                                        │      │
//	 wiring     PARKED ┤ parkFor over                           │      │
//	 wrong             │                                        │      │
//	              ▼    ▼                                        ▼      │
//	            refused, given up, cancelled ─▶ COMPENSATING / CANCELLING
//	                                              │      ▲             │
//	                              an undo failed  ▼      │ retry       │
//	                                             PARKED ─┘             │
//	                                              │                    │
//	                         every undo succeeded ▼                    │
//	                                        CANCELLED, or FAILED ──────┘
//
// What it promises:
//
//   - An outcome that is not known is an outcome of its own: a step that may
//     have had an effect is undone, one that certainly had none is not.
//   - Steps are undone in reverse order; an undo is sent only when the undos of
//     everything that came later have succeeded. Independent branches are
//     undone in parallel.
//   - Nothing forward is sent once compensation has been decided.
//   - After a pivot step has succeeded nothing is compensated automatically.
//   - A workflow that has not ended always has a reason to move again: an
//     answer that is awaited until a deadline, a due time, or a person (PARKED).
//   - All attempts of a command have one ID, which no other command ever has.
//   - Each run has exactly one terminal event, its last.
//
// testdata/scenarios shows each of these as a readable file.
package domain
