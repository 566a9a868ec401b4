package cloudevents_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// FuzzRead holds Read to json.Unmarshal, as far as names are written in lower
// case and without escapes.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"specversion":"1.0","id":"1","source":"/a","type":"t","data":{"a":[1,"}"]}}`,
		` {"specversion":"1.0","id":"1","id":"2","source":"\u002fa","type":"t","time":"2026-01-15T10:00:06Z","data":1, "other":{"id":"3"}} `,
		`{"specversion":"1.0","\u0069d":"1","source":null,"type":7,"data":null}`,
		`[]`, `{}`, ``, `null`, `"x"`, `{"specversion":"1.0"}x`, "{\"id\":\"\xff\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := cloudevents.Read(body)
		var want coordination.CloudEvent
		wantErr := json.Unmarshal(body, &want)
		if err == nil && wantErr != nil {
			t.Fatalf("read %q, which json.Unmarshal refuses: %v", body, wantErr)
		}
		if strings.ContainsAny(string(body), "\\ABCDEFGHIJKLMNOPQRSTUVWXYZ\u017f\u212a") { // json.Unmarshal folds names
			return
		}
		if errors.Is(err, cloudevents.ErrNotJSON) && wantErr == nil && json.Valid(body) && body[0] == '{' && strings.ToValidUTF8(string(body), "") == string(body) {
			t.Fatalf("%q is not read", body)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q\nread as %+v\nnot     %+v", body, got, want)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	body := []byte(`{"specversion":"1.0","id":"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute/1/SUCCEEDED","source":"/payment-service",` +
		`"type":"com.firstviscount.coordination.reply.v1","subject":"wf-660e8400-e29b-41d4-a716-446655440000","datacontenttype":"application/json",` +
		`"partitionkey":"saga-770e8400-e29b-41d4-a716-446655440000","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",` +
		`"data":{"commandId":"saga-770e8400-e29b-41d4-a716-446655440000:1:PAYMENT_PROCESSING:execute","outcome":"SUCCEEDED","result":{"paymentId":"pay-1"}}}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := cloudevents.Read(body); err != nil {
			b.Fatal(err)
		}
	}
}
