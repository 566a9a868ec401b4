// Package telemetry tells by OpenTelemetry what a coordinator does: traces,
// metrics and the IDs in logs.
//
// Everything that a workflow does is one trace, over replicas, restarts and
// hours: that of the request which started it, whose context is in the
// workflow's log.
//
//	POST /api/v1/workflows/order/start      SERVER, below the caller's span if it gave one
//	├── commit                              of the start
//	└── workflow ORDER_FULFILLMENT          one for each run, from its start to its end
//	    ├── step PAYMENT_PROCESSING         from its first command to its outcome
//	    │   ├── POST /process_payment       CLIENT, an attempt; or "send coordination.commands.…", PRODUCER
//	    │   │   └── process coordination.replies    CONSUMER, the reply over the bus
//	    │   └── POST /process_payment       the next attempt
//	    ├── compensate VOID_PAYMENT         an undo, like a step
//	    ├── commit                          of each transition
//	    └── webhook workflow.completed      CLIENT, an attempt of a delivery
//
// A span that lasts is exported when it ends, by whichever replica ends it. Its
// ID follows from what it is the span of, so that others can be below it before.
//
// Nothing here holds what callers or participants send: no input, no result, no
// message of an error, no address of a callback.
package telemetry
