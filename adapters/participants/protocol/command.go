// Package protocol writes commands and reads answers of saga-participant/1,
// whatever carries them. The types of the wire are those of sdk/coordination;
// this package is the fast and strict way between them and the domain.
package protocol

import (
	"encoding/json"
	"strconv"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// CallbackPath is what stands between the base URL that participants call back
// and a callback token.
const CallbackPath = "/api/v1/callbacks/"

// commandOverhead is about what a command takes besides its parameters,
// context and result.
const commandOverhead = 1024

// Command writes a command as JSON: the form of [coordination.Command], built
// by hand because every step of every workflow passes here. callbackBase is the
// URL that stands before CallbackPath, without a slash at its end. Parameters,
// Context and the forward's Result must be valid JSON or empty.
func Command(cmd *domain.Dispatch, callbackBase string) []byte {
	size := commandOverhead + len(cmd.Parameters) + len(cmd.Context)
	if cmd.Forward != nil {
		size += len(cmd.Forward.Result)
	}
	direction := coordination.DirectionExecute
	if cmd.Undo {
		direction = coordination.DirectionCompensate
	}
	b := make([]byte, 0, size)
	b = appendMember(b, `{"commandId":`, cmd.CommandID)
	b = appendMember(b, `,"workflowId":`, cmd.WorkflowID)
	b = appendMember(b, `,"sagaId":`, cmd.SagaID)
	b = appendMember(b, `,"workflowType":`, cmd.WorkflowType)
	b = appendMember(b, `,"service":`, cmd.Service)
	b = appendMember(b, `,"step":`, cmd.Step)
	b = appendMember(b, `,"action":`, cmd.Action)
	b = appendMember(b, `,"direction":`, string(direction))
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(cmd.Attempt), 10)
	b = appendMember(b, `,"deadline":`, coordination.At(cmd.Deadline).String())
	b = appendObject(b, `,"parameters":`, cmd.Parameters)
	b = appendObject(b, `,"context":`, cmd.Context)
	if cmd.Token != "" {
		b = appendMember(b, `,"callback":{"url":`, callbackBase+CallbackPath+cmd.Token)
		b = append(appendMember(b, `,"token":`, cmd.Token), '}')
	}
	if cmd.Forward != nil {
		b = appendForward(b, cmd.Forward)
	}
	return append(b, '}')
}

func appendForward(b []byte, f *domain.ForwardRef) []byte {
	b = appendMember(b, `,"forward":{"step":`, f.Step)
	b = appendMember(b, `,"commandId":`, f.CommandID)
	b = appendMember(b, `,"outcome":`, string(f.Outcome))
	if len(f.Result) > 0 {
		b = appendObject(b, `,"result":`, f.Result)
	}
	return append(b, '}')
}

func appendObject(b []byte, name string, value json.RawMessage) []byte {
	b = append(b, name...)
	if len(value) == 0 {
		return append(b, "{}"...)
	}
	return append(b, value...)
}

func appendMember(b []byte, name, value string) []byte {
	b = append(b, name...)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendEscaped(b, value)
		}
	}
	return append(append(append(b, '"'), value...), '"')
}

func appendEscaped(b []byte, value string) []byte {
	text, err := json.Marshal(value)
	if err != nil { // a string always marshals
		panic("protocol: string does not marshal: " + err.Error())
	}
	return append(b, text...)
}
