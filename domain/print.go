package domain

import (
	"encoding/json"
	"fmt"
)

// What follows holds what is secret or personal. Printed or logged it only says
// which one it is.

// String names the saga.
func (c Start) String() string { return "start of " + c.SagaID }

// GoString is String.
func (c Start) GoString() string { return c.String() }

// MarshalJSON is String: a start is not stored, and encoded for a log at most.
func (c Start) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// String names the saga. Encoded as JSON it is whole, for that is how it is stored.
func (e StartEvent) String() string { return "start of " + e.SagaID }

// GoString is String.
func (e StartEvent) GoString() string { return e.String() }

// String names the command and its attempt.
func (d Dispatch) String() string { return fmt.Sprintf("%s attempt %d", d.CommandID, d.Attempt) }

// GoString is String.
func (d Dispatch) GoString() string { return d.String() }

// MarshalJSON is String: what goes to participants is encoded by their protocol.
func (d Dispatch) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// String names the workflow and says where it stands.
func (s State) String() string {
	return fmt.Sprintf("%s %s version %d", s.WorkflowID, s.Status, s.Version)
}

// GoString is String.
func (s State) GoString() string { return s.String() }

// MarshalJSON is String: a state is never stored, its events are.
func (s State) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
