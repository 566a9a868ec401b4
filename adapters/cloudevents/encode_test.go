package cloudevents_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// decoded is what json.Unmarshal makes of a text.
func decoded(t *testing.T, text []byte) (e coordination.CloudEvent) {
	t.Helper()
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

// FuzzEncode holds Encode to json.Marshal.
func FuzzEncode(f *testing.F) {
	f.Add("1.0", "evt-1", "", "text", int64(0), `{"a":1}`)
	f.Add("1.0", `quo"te\`, "\x00\n", "<é \xff>", int64(1768471206000), `[]`)
	f.Add("", "", "coordination.answers", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", int64(-1), ``)
	f.Fuzz(func(t *testing.T, version, id, optional, other string, at int64, data string) {
		e := coordination.CloudEvent{SpecVersion: version, ID: id, Source: other, Type: id, Subject: optional, DataContentType: other,
			PartitionKey: optional, TraceParent: other, TraceState: optional, ReplyTo: other}
		if at != 0 {
			e.Time = coordination.At(time.UnixMilli(at % (1 << 45)))
		}
		if json.Valid([]byte(data)) {
			e.Data = json.RawMessage(data)
		}
		want, wantErr := json.Marshal(e)
		got, err := cloudevents.Encode(&e)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, json.Marshal's %v", err, wantErr)
		}
		if err != nil {
			return
		}
		a, b := decoded(t, got), decoded(t, want)
		a.Data, b.Data = nil, nil // json.Marshal takes the spaces out
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s\nis not %s", got, want)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	data := json.RawMessage(`{"commandId":"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute","outcome":"SUCCEEDED","result":{"paymentId":"pay-1"}}`)
	for b.Loop() {
		if _, err := cloudevents.Message(coordination.CloudEvent{ID: "saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute/1", Type: coordination.TypeCommand,
			Subject: "wf-660e8400-e29b-41d4-a716-446655440000", PartitionKey: "saga-770e8400-e29b-41d4-a716-446655440000",
			TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Data: data}); err != nil {
			b.Fatal(err)
		}
	}
}
