package participant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Command is a command of the coordinator. CommandID is its idempotency key.
type Command struct {
	coordination.Command
	// TraceParent and TraceState are the W3C trace context that the command came
	// with, as it is; "" if it had none.
	TraceParent, TraceState string

	late bool
}

// Late reports whether the deadline had passed when the command came: it must
// not be begun any more, but what was answered before may be answered again.
func (c *Command) Late() bool { return c.late }

// Decode reads the parameters of the command into v; members that v does not
// have are ignored. The error does not quote them.
func (c *Command) Decode(v any) error {
	if len(c.Parameters) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Parameters, v); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return fmt.Errorf("parameters.%s: want %s", kind.Field, kind.Type)
		}
		return errors.New("parameters: not the expected JSON")
	}
	return nil
}

// Undoes reports whether the command undoes another, which Forward names.
func (c *Command) Undoes() bool {
	return c.Direction == coordination.DirectionCompensate && c.Forward != nil
}

// errCommand is wrapped by what makes a command unreadable. It never quotes it.
var errCommand = errors.New("not a command")

// decode reads a command: one JSON object, members that are not known ignored.
func decode(body []byte) (*Command, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	var c Command
	if err := d.Decode(&c.Command); err != nil {
		return nil, fmt.Errorf("%w: want a JSON object", errCommand)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON object", errCommand)
	}
	switch {
	case !isKey(c.CommandID):
		return nil, fmt.Errorf("%w: commandId: want 1 to %d visible ASCII characters", errCommand, MaxKeyLength)
	case c.Forward != nil && c.Forward.CommandID != "" && (!isKey(c.Forward.CommandID) || c.Forward.CommandID == c.CommandID):
		return nil, fmt.Errorf("%w: forward.commandId: want at most %d visible ASCII characters, other than commandId", errCommand, MaxKeyLength)
	case c.Direction != coordination.DirectionExecute && c.Direction != coordination.DirectionCompensate:
		return nil, fmt.Errorf("%w: direction: want EXECUTE or COMPENSATE", errCommand)
	case !isObject(c.Parameters):
		return nil, fmt.Errorf("%w: parameters: want a JSON object", errCommand)
	case !isObject(c.Context):
		return nil, fmt.Errorf("%w: context: want a JSON object", errCommand)
	}
	return &c, nil
}

func isKey(key string) bool {
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

// isObject accepts what is absent too.
func isObject(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || raw[0] == '{'
}
