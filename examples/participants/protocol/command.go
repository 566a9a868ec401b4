// Package protocol checks the commands of saga-participant/1 as strictly as a
// participant must, and says with which HTTP status an outcome goes. The types
// of the wire are those of sdk/coordination.
package protocol

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Limits of what a participant reads.
const (
	// MaxBodyBytes is the largest command that is read.
	MaxBodyBytes = 1 << 20
	// MaxKeyLength is the longest commandId, in bytes.
	MaxKeyLength = 255
)

// Faults of a command that no retry can cure: the wiring is wrong.
var (
	ErrNotJSON    = errors.New("the body is not a JSON object of a command")
	ErrKey        = fmt.Errorf("commandId must have 1 to %d visible ASCII characters", MaxKeyLength)
	ErrDirection  = errors.New("direction must be EXECUTE or COMPENSATE")
	ErrForwardKey = fmt.Errorf("forward.commandId must have at most %d visible ASCII characters and differ from commandId", MaxKeyLength)
)

// Decode reads a command and checks what every participant relies on. Members
// it does not know are ignored, so that a newer coordinator can talk to an
// older participant; Callback and Forward are never nil, so that absent members
// read as empty ones. Its errors never quote the body, which may hold payment
// tokens and addresses.
func Decode(body []byte) (*coordination.Command, error) {
	var c coordination.Command
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, ErrNotJSON
	}
	if c.Callback == nil {
		c.Callback = &coordination.Callback{}
	}
	if c.Forward == nil {
		c.Forward = &coordination.Forward{}
	}
	if !validKey(c.CommandID) {
		return nil, ErrKey
	}
	if c.Direction != coordination.DirectionExecute && c.Direction != coordination.DirectionCompensate {
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
