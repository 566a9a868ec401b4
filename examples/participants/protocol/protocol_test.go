package protocol_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/protocol"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestDecodeReadsTheCommandOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := protocol.Decode([]byte(`{
		"commandId":"saga-1:1:VOID_PAYMENT:compensate","workflowId":"wf-1","sagaId":"saga-1","workflowType":"ORDER_FULFILLMENT",
		"service":"payment-service","step":"VOID_PAYMENT","action":"void_payment","direction":"COMPENSATE","attempt":2,
		"deadline":"2026-01-15T10:02:06Z","parameters":{"a":1},"context":{"orderId":"o"},
		"callback":{"url":"http://c/cbt_1","token":"cbt_1"},
		"forward":{"step":"PAYMENT_PROCESSING","commandId":"saga-1:1:PAYMENT_PROCESSING:execute","outcome":"UNKNOWN"},
		"aMemberOfTheFuture":[1,2,3]}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Attempt != 2 || c.Direction != coordination.DirectionCompensate || c.Forward.Outcome != coordination.OutcomeUnknown {
		t.Errorf("read %+v", c)
	}
	if c.Callback.Token != "cbt_1" {
		t.Errorf("callback %+v", c.Callback)
	}
	if want := time.Date(2026, 1, 15, 10, 2, 6, 0, time.UTC); !c.Deadline.Equal(want) {
		t.Errorf("deadline %s, want %s", c.Deadline, want)
	}
}

func TestDecodeRefusesWhatBreaksTheContract(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want error
	}{
		"no JSON":            {`{`, protocol.ErrNotJSON},
		"no object":          {`[]`, protocol.ErrNotJSON},
		"trailing data":      {`{"commandId":"k","direction":"EXECUTE"} x`, protocol.ErrNotJSON},
		"wrong type":         {`{"commandId":7}`, protocol.ErrNotJSON},
		"no key":             {`{"direction":"EXECUTE"}`, protocol.ErrKey},
		"key with a space":   {`{"commandId":"a b","direction":"EXECUTE"}`, protocol.ErrKey},
		"key too long":       {`{"commandId":"` + strings.Repeat("k", protocol.MaxKeyLength+1) + `","direction":"EXECUTE"}`, protocol.ErrKey},
		"no direction":       {`{"commandId":"k"}`, protocol.ErrDirection},
		"another direction":  {`{"commandId":"k","direction":"execute"}`, protocol.ErrDirection},
		"undoes itself":      {`{"commandId":"k","direction":"COMPENSATE","forward":{"commandId":"k"}}`, protocol.ErrForwardKey},
		"forward key broken": {`{"commandId":"k","direction":"COMPENSATE","forward":{"commandId":"\n"}}`, protocol.ErrForwardKey},
	} {
		if _, err := protocol.Decode([]byte(tc.body)); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestDecodeErrorsNeverQuoteTheBody(t *testing.T) {
	t.Parallel()
	_, err := protocol.Decode([]byte(`{"commandId":7,"parameters":{"token":"tok_canary"}`))
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestOutcomesHaveTheStatusOfTheContract(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[coordination.Outcome]int{
		coordination.OutcomeSucceeded: 200, coordination.OutcomeAccepted: 202, coordination.OutcomeRejected: 422,
		coordination.OutcomeRetry: 503, coordination.OutcomeUnknown: 500,
	} {
		if got := protocol.Status(outcome); got != want {
			t.Errorf("%s: status %d, want %d", outcome, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"commandId":"k","direction":"EXECUTE","parameters":{}}`))
	f.Add([]byte(`{"commandId":"k","direction":"COMPENSATE","forward":{"commandId":"f"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := protocol.Decode(body)
		if err == nil && (c.CommandID == "" || len(c.CommandID) > protocol.MaxKeyLength || c.CommandID == c.Forward.CommandID) {
			t.Errorf("accepted %+v", c)
		}
	})
}
