// Package goldentest holds what the adapters write and read to the golden
// messages.
package goldentest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// Decode reads a golden message, or part of one, into its type.
func Decode[T any](tb testing.TB, text []byte) (v T) {
	tb.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	return v
}

// Dispatch is a golden command as the engine gives it to a participant, and the
// base of the URLs that it is called back at.
func Dispatch(tb testing.TB, name string) (cmd domain.Dispatch, callbackBase string) {
	tb.Helper()
	c := Decode[coordination.Command](tb, golden.Message(name))
	cmd = domain.Dispatch{CommandID: c.CommandID, WorkflowID: c.WorkflowID, SagaID: c.SagaID, WorkflowType: c.WorkflowType,
		Service: c.Service, Step: c.Step, Action: c.Action, Undo: c.Direction == coordination.DirectionCompensate,
		Attempt: c.Attempt, Deadline: c.Deadline.Time, Parameters: c.Parameters, Context: c.Context, Token: c.Callback.Token}
	if f := c.Forward; f != nil {
		cmd.Forward = &domain.ForwardRef{Step: f.Step, CommandID: f.CommandID, Outcome: domain.Outcome(f.Outcome), Result: f.Result}
	}
	callbackBase, _, _ = strings.Cut(c.Callback.URL, protocol.CallbackPath)
	return cmd, callbackBase
}

// Same wants got to be the JSON value of a golden message.
func Same(tb testing.TB, name string, got []byte) {
	tb.Helper()
	if want := golden.Message(name); !reflect.DeepEqual(Decode[any](tb, got), Decode[any](tb, want)) {
		tb.Errorf("what the code writes is\n%s\nbut the golden message %s is\n%s", got, name, want)
	}
}
