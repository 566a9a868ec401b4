package participant

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// fingerprint identifies what a command asks for. An execution is its action
// and its parameters as a JSON value, regardless of spacing and the order of
// members. An undo is its action and the execution that it undoes: its
// parameters may grow between attempts, when the coordinator learns more.
func fingerprint(c *Command) string {
	h := sha256.New()
	h.Write([]byte(c.Action + "\x00"))
	if c.Undoes() {
		h.Write([]byte(c.Forward.CommandID))
		return hex.EncodeToString(h.Sum(nil))
	}
	d := json.NewDecoder(bytes.NewReader(c.Parameters))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		if norm, err := json.Marshal(v); err == nil {
			h.Write(norm)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// burial says whether an execution may still be done, or has been.
type burial int

const (
	inEffect burial = iota // or promised, or refused: as its answer says
	undoing                // an undo was ACCEPTED; it must not be done any more
	undone
)

// burials are what the outcomes of an undo make of its execution; any other
// leaves it as it is.
var burials = map[coordination.Outcome]burial{coordination.OutcomeSucceeded: undone, coordination.OutcomeAccepted: undoing}

// keeps reports whether an outcome is one that every repetition must get.
func keeps(o coordination.Outcome) bool {
	return o == coordination.OutcomeSucceeded || o == coordination.OutcomeRejected || o == coordination.OutcomeAccepted
}

// Answers that the rules of the protocol demand, whatever the service does.
var (
	alreadyCompensated = Rejected{Code: CodeAlreadyCompensated, Message: "the command was compensated before it came"}
	keyReused          = Refused{Code: CodeKeyReused, Message: "the command's key was used for another request"}
	noForward          = Refused{Code: CodeInvalidCommand, Message: "a compensation needs forward.commandId"}
)
