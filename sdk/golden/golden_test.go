package golden_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// typeOf is what a message is, by its name.
func typeOf(name string) any {
	switch {
	case strings.HasPrefix(name, "command"):
		return new(coordination.Command)
	case strings.HasPrefix(name, "answer"):
		return new(coordination.Answer)
	case strings.HasPrefix(name, "event"):
		return new(coordination.CloudEvent)
	case strings.HasPrefix(name, "webhook"):
		return new(struct {
			webhook.Event
			Seal string `json:"signature"`
		})
	}
	return nil
}

// dataOf is what the data of an event is.
var dataOf = map[string]func() any{
	coordination.TypeCommand: func() any { return new(coordination.Command) },
	coordination.TypeReply:   func() any { return new(coordination.Answer) },
	coordination.TypeEvent:   func() any { return new(coordination.RecordedEvent) },
	coordination.TypeRequest: func() any { return new(coordination.BusRequest) },
	coordination.TypeAnswer:  func() any { return new(coordination.BusAnswer) },
}

// bodyOf is what the body of a request is, or that of its answer.
var bodyOf = map[string]func() any{
	"event-request-start":      func() any { return new(coordination.OrderRequest) },
	"event-request-cancel":     func() any { return new(coordination.CancelRequest) },
	"event-request-retry":      func() any { return new(coordination.RetryRequest) },
	"event-request-compensate": func() any { return new(coordination.CompensateRequest) },
	"event-answer":             func() any { return new(coordination.CancelResponse) },
}

// TestMessagesAreWhatTheTypesSay reads each message into its type, which must
// know every member, and writes it again, which must lose none.
func TestMessagesAreWhatTheTypesSay(t *testing.T) {
	t.Parallel()
	for _, name := range golden.Names() {
		v := typeOf(name)
		if v == nil {
			t.Errorf("%s: of no known kind", name)
			continue
		}
		same(t, name, golden.Message(name), v)
		if e, ok := v.(*coordination.CloudEvent); ok {
			data := dataOf[e.Type]
			if data == nil {
				t.Errorf("%s: unknown type %s", name, e.Type)
				continue
			}
			same(t, name+" data", e.Data, data())
			if body := bodyOf[name]; body != nil {
				readable(t, name+" body", e.Data, body())
			}
		}
	}
}

func same(t *testing.T, name string, text []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	again, err := json.Marshal(v)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if got, want := canonical(t, again), canonical(t, text); got != want {
		t.Errorf("%s: written again it is\n%s\nwant\n%s", name, got, want)
	}
}

// readable wants the body of a request or answer to be of its type; members that
// the type has defaults for may be missing.
func readable(t *testing.T, name string, data []byte, v any) {
	t.Helper()
	var carrier struct{ Body json.RawMessage }
	if err := json.Unmarshal(data, &carrier); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(carrier.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func canonical(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSamplesAndDeliveriesAreJSON(t *testing.T) {
	t.Parallel()
	for name, text := range map[string][]byte{"samples": golden.Samples(), "deliveries": golden.Deliveries()} {
		if !json.Valid(text) {
			t.Errorf("%s.json is not JSON", name)
		}
	}
}

// TestTheMessagesTellOneStory: what one message says of another is what that one is.
func TestTheMessagesTellOneStory(t *testing.T) {
	t.Parallel()
	event := func(name string) (e coordination.CloudEvent) {
		decode(t, golden.Message(name), &e)
		return e
	}
	if got, want := canonical(t, event("event-command").Data), canonical(t, golden.Message("command")); got != want {
		t.Errorf("event-command carries %s\nand command is %s", got, want)
	}
	var command, undo coordination.Command
	var answer, reply coordination.Answer
	decode(t, golden.Message("command"), &command)
	decode(t, golden.Message("command-undo"), &undo)
	decode(t, golden.Message("answer-succeeded"), &answer)
	decode(t, event("event-reply").Data, &reply)
	if undo.Forward.CommandID != command.CommandID || canonical(t, undo.Forward.Result) != canonical(t, answer.Result) {
		t.Errorf("command-undo undoes %s with %s", undo.Forward.CommandID, undo.Forward.Result)
	}
	if reply.CommandID != command.CommandID || reply.Attempt != command.Attempt || canonical(t, reply.Result) != canonical(t, answer.Result) {
		t.Errorf("event-reply answers %s with %s", reply.CommandID, reply.Result)
	}
	var given coordination.BusAnswer
	decode(t, event("event-answer").Data, &given)
	if asked := event("event-request-cancel"); given.RequestID != asked.ID || event("event-answer").TraceParent != asked.TraceParent {
		t.Errorf("event-answer answers %s, not %s", given.RequestID, asked.ID)
	}
}

func decode(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}
