package protocol_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/protocol"
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
	if c.Attempt != 2 || c.Direction != protocol.Compensate || c.Forward.Outcome != protocol.Unknown {
		t.Errorf("read %+v", c)
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
	for outcome, want := range map[protocol.Outcome]int{
		protocol.Succeeded: 200, protocol.Accepted: 202, protocol.Rejected: 422, protocol.Retry: 503, protocol.Unknown: 500,
	} {
		if got := outcome.Status(); got != want {
			t.Errorf("%s: status %d, want %d", outcome, got, want)
		}
	}
}

func TestISODuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Second: "PT1S", 200 * time.Millisecond: "PT0.2S", 90 * time.Second: "PT90S",
	} {
		if got := protocol.ISODuration(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

// The published example of the Standard Webhooks specification.
const (
	exampleSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	exampleID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	exampleBody      = `{"test": 2432232314}`
	exampleSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var exampleTime = time.Unix(1614265330, 0)

func exampleHeader(t *testing.T) http.Header {
	t.Helper()
	h := http.Header{}
	parseSecret(t, exampleSecret).Sign(h, exampleID, exampleTime, []byte(exampleBody))
	return h
}

func parseSecret(t *testing.T, text string) protocol.Secret {
	t.Helper()
	s, err := protocol.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignMatchesThePublishedExample(t *testing.T) {
	t.Parallel()
	if got := exampleHeader(t).Get(protocol.HeaderSignature); got != exampleSignature {
		t.Errorf("got %s, want %s", got, exampleSignature)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	good := exampleHeader(t).Get(protocol.HeaderSignature)
	for name, tc := range map[string]struct {
		change func(http.Header)
		secret string
		body   string
		now    time.Time
		want   error
	}{
		"right":               {},
		"just in time":        {now: exampleTime.Add(protocol.SignatureTolerance)},
		"rotated":             {change: func(h http.Header) { h.Set(protocol.HeaderSignature, "v1,AAAA "+good) }},
		"another secret":      {secret: other, want: protocol.ErrSignature},
		"another body":        {body: exampleBody + " ", want: protocol.ErrSignature},
		"another id":          {change: func(h http.Header) { h.Set(protocol.HeaderID, "msg_2") }, want: protocol.ErrSignature},
		"another scheme":      {change: func(h http.Header) { h.Set(protocol.HeaderSignature, "v2"+good[2:]) }, want: protocol.ErrSignature},
		"far down the list":   {change: func(h http.Header) { h.Set(protocol.HeaderSignature, strings.Repeat("v1,AAAA ", 8)+good) }, want: protocol.ErrSignature},
		"unsigned":            {change: func(h http.Header) { h.Del(protocol.HeaderSignature) }, want: protocol.ErrUnsigned},
		"without id":          {change: func(h http.Header) { h.Del(protocol.HeaderID) }, want: protocol.ErrUnsigned},
		"without time":        {change: func(h http.Header) { h.Del(protocol.HeaderTimestamp) }, want: protocol.ErrUnsigned},
		"time is no number":   {change: func(h http.Header) { h.Set(protocol.HeaderTimestamp, "now") }, want: protocol.ErrStale},
		"too old":             {now: exampleTime.Add(protocol.SignatureTolerance + time.Second), want: protocol.ErrStale},
		"from the future":     {now: exampleTime.Add(-protocol.SignatureTolerance - time.Second), want: protocol.ErrStale},
		"time of another day": {change: func(h http.Header) { h.Set(protocol.HeaderTimestamp, "1614265331") }, want: protocol.ErrSignature},
	} {
		h := exampleHeader(t)
		if tc.change != nil {
			tc.change(h)
		}
		if tc.secret == "" {
			tc.secret = exampleSecret
		}
		if tc.body == "" {
			tc.body = exampleBody
		}
		if tc.now.IsZero() {
			tc.now = exampleTime
		}
		if err := parseSecret(t, tc.secret).Verify(h, []byte(tc.body), tc.now); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestWithoutSecretEverythingPasses(t *testing.T) {
	t.Parallel()
	var none protocol.Secret
	if err := none.Verify(http.Header{}, nil, exampleTime); err != nil || none.Present() {
		t.Errorf("got %v", err)
	}
}

func TestParseSecretRefusesAndNeverQuotes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "canary", "whsec_canary!", "whsec_Y2FuYXJ5", exampleSecret[6:]} {
		_, err := protocol.ParseSecret(text)
		if !errors.Is(err, protocol.ErrSecretFormat) || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v", err)
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
