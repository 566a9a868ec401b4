// Package ledger is the memory of a participant: an append-only file of JSON
// lines, one for each effect or answer, durable before it is acted upon.
//
// A participant with a database needs no such file: it writes the same facts
// into a table, in the transaction of the effect itself. What matters is the
// rule that both keep. The effect, the key of its command and the answer are
// one write: either all three exist or none does.
package ledger

import (
	"encoding/json"
	"time"
)

// Kind says what an entry records.
type Kind string

const (
	// Effect: the command had its effect and was answered.
	Effect Kind = "EFFECT"
	// Answer: the command was answered and had no effect: it was rejected, or
	// it was an undo with nothing (left) to undo.
	Answer Kind = "ANSWER"
	// Tombstone: an undo came before its execution. It was answered, and the
	// execution named by Forward will be refused for ever.
	Tombstone Kind = "TOMBSTONE"
	// Accepted: the effect is promised for DueAt and the answer goes to the
	// callback afterwards. A later Effect or Answer entry of the same command
	// keeps the promise; a later Accepted entry replaces the callback.
	Accepted Kind = "ACCEPTED"
	// CalledBack: the coordinator has taken the promised answer.
	CalledBack Kind = "CALLED_BACK"
)

// Entry is one line of the ledger. It holds no parameter of a command: neither
// payment tokens nor addresses reach the file.
type Entry struct {
	Time       time.Time `json:"time"`
	Kind       Kind      `json:"kind"`
	CommandID  string    `json:"commandId"`
	WorkflowID string    `json:"workflowId,omitempty"`
	Service    string    `json:"service,omitempty"`
	Step       string    `json:"step,omitempty"`
	Action     string    `json:"action,omitempty"`
	Direction  string    `json:"direction,omitempty"`
	// Effect names what happened (reserve, charge, void); with Kind Accepted,
	// what will happen; empty if nothing did.
	Effect string `json:"effect,omitempty"`
	// Forward is the commandId of the execution that an undo undoes.
	Forward string `json:"forward,omitempty"`
	// Fingerprint identifies the request, to notice a key used for another.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Memo is what the service itself must remember for the undo; no secret.
	Memo string `json:"memo,omitempty"`
	// Outcome is the outcome of Answer.
	Outcome string `json:"outcome,omitempty"`
	// Answer is the body that was answered, byte for byte; with Kind Accepted,
	// the body that will be sent to the callback.
	Answer json.RawMessage `json:"answer,omitempty"`
	// Callback is the URL to send the answer to; it authorises the call, which
	// is why the file is readable by its owner only.
	Callback string    `json:"callback,omitempty"`
	DueAt    time.Time `json:"dueAt,omitzero"`
}

// Undo tells whether the entry undoes another command.
func (e Entry) Undo() bool { return e.Forward != "" }
