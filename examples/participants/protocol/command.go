// Package protocol holds the wire format of saga-participant/1: the command a
// coordinator sends, the answer a participant gives, and the signature that
// proves who sent the command.
//
// It contains no behaviour beyond reading and checking these formats.
package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Limits of what a participant reads.
const (
	// MaxBodyBytes is the largest command that is read.
	MaxBodyBytes = 1 << 20
	// MaxKeyLength is the longest commandId, in bytes.
	MaxKeyLength = 255
)

// Direction says whether a command does a step or undoes one.
type Direction string

// The two directions.
const (
	Execute    Direction = "EXECUTE"
	Compensate Direction = "COMPENSATE"
)

// Command is one request of the coordinator. Members it does not know are
// ignored, so that a newer coordinator can talk to an older participant.
type Command struct {
	// CommandID is the idempotency key: the same for every attempt.
	CommandID    string    `json:"commandId"`
	WorkflowID   string    `json:"workflowId"`
	SagaID       string    `json:"sagaId"`
	WorkflowType string    `json:"workflowType"`
	Service      string    `json:"service"`
	Step         string    `json:"step"`
	Action       string    `json:"action"`
	Direction    Direction `json:"direction"`
	Attempt      int       `json:"attempt"`
	// Deadline ends this attempt: after it nobody listens any more. Zero means none.
	Deadline   time.Time       `json:"deadline,omitzero"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Context    json.RawMessage `json:"context,omitempty"`
	Callback   Callback        `json:"callback,omitzero"`
	// Forward tells of the step that a compensation undoes; zero in an execution.
	Forward Forward `json:"forward,omitzero"`
}

// Callback is where a participant that answered ACCEPTED sends its answer.
// The URL carries a secret: it authorises the call.
type Callback struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// Forward describes the execution that a compensation undoes. CommandID finds
// the effect; Outcome and Result are what the coordinator knows, which may be
// less than what happened.
type Forward struct {
	Step      string          `json:"step"`
	CommandID string          `json:"commandId"`
	Outcome   Outcome         `json:"outcome"`
	Result    json.RawMessage `json:"result,omitempty"`
}

// Faults of a command that no retry can cure: the wiring is wrong.
var (
	ErrNotJSON    = errors.New("the body is not a JSON object of a command")
	ErrKey        = fmt.Errorf("commandId must have 1 to %d visible ASCII characters", MaxKeyLength)
	ErrDirection  = errors.New("direction must be EXECUTE or COMPENSATE")
	ErrForwardKey = fmt.Errorf("forward.commandId must have at most %d visible ASCII characters and differ from commandId", MaxKeyLength)
)

// Decode reads a command and checks what every participant relies on. Its
// errors never quote the body, which may hold payment tokens and addresses.
func Decode(body []byte) (*Command, error) {
	var c Command
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, ErrNotJSON
	}
	if !validKey(c.CommandID) {
		return nil, ErrKey
	}
	if c.Direction != Execute && c.Direction != Compensate {
		return nil, ErrDirection
	}
	if f := c.Forward.CommandID; f != "" && (!validKey(f) || f == c.CommandID) {
		return nil, ErrForwardKey
	}
	return &c, nil
}

func validKey(key string) bool {
	if key == "" || len(key) > MaxKeyLength {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}
