package protocol_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func forward() domain.Dispatch {
	return domain.Dispatch{
		WorkflowID: "wf-660e8400-e29b-41d4-a716-446655440000", SagaID: "saga-770e8400-e29b-41d4-a716-446655440000",
		WorkflowType: "ORDER_FULFILLMENT", CommandID: "saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute",
		Service: "payment-service", Step: "PAYMENT_PROCESSING", Action: "process_payment", Attempt: 2,
		Deadline:   time.Date(2026, 1, 15, 10, 2, 6, 123_456_789, time.UTC),
		Parameters: json.RawMessage(`{"token":"tok_visa_4242","amount":1499.97}`),
		Context:    json.RawMessage(`{"orderId":"ord-1"}`), Token: "cbt_abc",
		Simulate: json.RawMessage(`{"PAYMENT_PROCESSING":"UNKNOWN"}`),
	}
}

func undo() domain.Dispatch {
	cmd := forward()
	cmd.CommandID, cmd.Step, cmd.Action, cmd.Undo = "saga-7:1:VOID_PAYMENT:compensate", "VOID_PAYMENT", "void_payment", true
	cmd.Forward = &domain.ForwardRef{Step: "PAYMENT_PROCESSING", CommandID: "saga-7:1:PAYMENT_PROCESSING:execute",
		Outcome: domain.Succeeded, Result: json.RawMessage(`{"paymentIntent":"pi_1"}`)}
	return cmd
}

// wire is the command as the types of the wire write it.
func wire(cmd domain.Dispatch) coordination.Command {
	c := coordination.Command{CommandID: cmd.CommandID, WorkflowID: cmd.WorkflowID, SagaID: cmd.SagaID,
		WorkflowType: cmd.WorkflowType, Service: cmd.Service, Step: cmd.Step, Action: cmd.Action,
		Direction: coordination.DirectionExecute, Attempt: cmd.Attempt, Deadline: coordination.At(cmd.Deadline),
		Parameters: cmd.Parameters, Context: cmd.Context}
	if cmd.Undo {
		c.Direction = coordination.DirectionCompensate
	}
	if cmd.Token != "" {
		c.Callback = &coordination.Callback{URL: "https://co.example/api/v1/callbacks/" + cmd.Token, Token: cmd.Token}
	}
	if f := cmd.Forward; f != nil {
		c.Forward = &coordination.Forward{Step: f.Step, CommandID: f.CommandID, Outcome: coordination.Outcome(f.Outcome), Result: f.Result}
	}
	return c
}

func TestCommandIsWhatTheWireTypesWrite(t *testing.T) {
	t.Parallel()
	strange := forward()
	strange.CommandID = "a\"b\\c\n\u2028é\x7f<&>"
	bare := undo()
	bare.Token, bare.Forward.Result, bare.Forward.Outcome = "", nil, domain.Unknown
	for name, cmd := range map[string]domain.Dispatch{"execute": forward(), "compensate": undo(), "escapes": strange, "no callback, no result": bare} {
		want, err := json.Marshal(wire(cmd))
		if err != nil {
			t.Fatal(err)
		}
		got := protocol.Command(&cmd, "https://co.example")
		var gotValue, wantValue any
		if err := json.Unmarshal(got, &gotValue); err != nil {
			t.Fatalf("%s: %v in %s", name, err, got)
		}
		if err := json.Unmarshal(want, &wantValue); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(gotValue, wantValue) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestCommandWithoutParametersHasEmptyObjects(t *testing.T) {
	t.Parallel()
	cmd := forward()
	cmd.Parameters, cmd.Context = nil, nil
	var c coordination.Command
	if err := json.Unmarshal(protocol.Command(&cmd, ""), &c); err != nil {
		t.Fatal(err)
	}
	if string(c.Parameters) != "{}" || string(c.Context) != "{}" {
		t.Errorf("parameters %s, context %s", c.Parameters, c.Context)
	}
}

func BenchmarkCommand(b *testing.B) {
	cmd := undo()
	b.ReportAllocs()
	for b.Loop() {
		protocol.Command(&cmd, "https://co.example")
	}
}
