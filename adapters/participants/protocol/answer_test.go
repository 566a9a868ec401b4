package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/firstviscount/platform-coordination/adapters/participants/protocol"
	"github.com/firstviscount/platform-coordination/domain"
)

func TestAnswerReads(t *testing.T) {
	t.Parallel()
	unnamed := &domain.StepError{Code: protocol.CodeUnnamed, Message: "The participant gave no reason"}
	declined := &domain.StepError{Code: "PAYMENT_DECLINED", Message: "No"}
	for body, want := range map[string]domain.Answer{
		`{}`:                      {},
		" {\"outcome\" : null}\n": {},
		`{"Outcome":"REJECTED"}`:  {},
		`{"outcome":"SUCCEEDED"}`: {Outcome: domain.Succeeded},
		`{"outcome":"SUCCEEDED","result":null,"error":null,"retryAfter":null}`: {Outcome: domain.Succeeded},
		`{"outcome":"SUCCEEDED","result":{"amount":0.10},"more":[1]}`:          {Outcome: domain.Succeeded, Result: json.RawMessage(`{"amount":0.10}`)},
		`{"outcome":"SUCCEEDED","error":{"code":"X"},"retryAfter":"PT5S"}`:     {Outcome: domain.Succeeded},
		`{"outcome":"ACCEPTED","result":{"a":1}}`:                              {Outcome: domain.Accepted},
		`{"outcome":"REJECTED"}`:                                               {Outcome: domain.Rejected, Error: unnamed},
		`{"outcome":"REJECTED","error":"no"}`:                                  {Outcome: domain.Rejected, Error: unnamed},
		`{"outcome":"REJECTED","result":{"a":1},"error":{"code":"PAYMENT_DECLINED","message":"N\u0000o\n"}}`: {
			Outcome: domain.Rejected, Error: declined},
		`{"outcome":"REJECTED","error":{"code":"lower case","message":"No"}}`: {
			Outcome: domain.Rejected, Error: &domain.StepError{Code: protocol.CodeUnnamed, Message: "No"}},
		`{"outcome":"REJECTED","error":{"code":7,"message":["No"]}}`: {Outcome: domain.Rejected, Error: unnamed},
		`{"outcome":"RETRY","retryAfter":"PT5S"}`:                    {Outcome: domain.Retry, Error: unnamed, RetryAfter: 5 * time.Second},
		`{"outcome":"RETRY","retryAfter":"PT9000H"}`:                 {Outcome: domain.Retry, Error: unnamed, RetryAfter: protocol.MaxRetryAfter},
		`{"outcome":"RETRY","retryAfter":5}`:                         {Outcome: domain.Retry, Error: unnamed},
		`{"outcome":"RETRY","retryAfter":"-PT5S"}`:                   {Outcome: domain.Retry, Error: unnamed},
		`{"outcome":"UNKNOWN"}`:                                      {Outcome: domain.Unknown, Error: unnamed},
		`{"result":{"a":1},"error":{"code":"PAYMENT_DECLINED","message":"No"},"retryAfter":"PT1S"}`: {
			Result: json.RawMessage(`{"a":1}`), Error: declined, RetryAfter: time.Second},
		nested(protocol.MaxAnswerDepth): {},
		padded(protocol.MaxAnswerBytes): {},
	} {
		got, err := protocol.Answer([]byte(body))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.80s: %+v (error %+v), %v", body, got, got.Error, err)
		}
	}
}

func TestAnswerRefuses(t *testing.T) {
	t.Parallel()
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	for body, want := range map[string]error{
		``:                                     protocol.ErrNotObject,
		` `:                                    protocol.ErrNotObject,
		`null`:                                 protocol.ErrNotObject,
		`[]`:                                   protocol.ErrNotObject,
		`"SUCCEEDED"`:                          protocol.ErrNotObject,
		`<html></html>`:                        protocol.ErrNotObject,
		`{"outcome":"SUCC`:                     protocol.ErrNotObject,
		`{}{}`:                                 protocol.ErrNotObject,
		`{"a":1,}`:                             protocol.ErrNotObject,
		"{\"a\":\"\xff\"}":                     protocol.ErrNotObject,
		`"`:                                    protocol.ErrNotObject,
		`{"outcome":"succeeded"}`:              protocol.ErrOutcome,
		`{"outcome":"DONE"}`:                   protocol.ErrOutcome,
		`{"outcome":"DEFERRED"}`:               protocol.ErrOutcome,
		`{"outcome":"CONTRACT_ERROR"}`:         protocol.ErrOutcome,
		`{"outcome":true}`:                     protocol.ErrOutcome,
		`{"outcome":"SUCCEEDED","result":[1]}`: protocol.ErrResultType,
		`{"outcome":"SUCCEEDED","result":"x"}`: protocol.ErrResultType,
		`{"outcome":"SUCCEEDED","outcome":"REJECTED"}`:   protocol.ErrDuplicate,
		`{"outcome":"SUCCEEDED","out\u0063ome":"RETRY"}`: protocol.ErrDuplicate,
		`{"result":{"a":[{"b":1,"c":{},"b":2}]}}`:        protocol.ErrDuplicate,
		`{` + strings.Join(many, ",") + `,"m3":1}`:       protocol.ErrDuplicate,
		nested(protocol.MaxAnswerDepth + 1):              protocol.ErrTooDeep,
		strings.Repeat("[", 10_000):                      protocol.ErrTooDeep,
		padded(protocol.MaxAnswerBytes + 1):              protocol.ErrTooLarge,
	} {
		got, err := protocol.Answer([]byte(body))
		if !errors.Is(err, want) || !reflect.DeepEqual(got, domain.Answer{}) {
			t.Errorf("%.80s: %+v, %v; want %v", body, got, err, want)
		}
	}
}

// nested is an object of the given depth, with brackets in strings that do not count.
func nested(depth int) string {
	return `{"a[[[\"{{{":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
}

func padded(size int) string {
	return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}`
}

func TestAnswerDoesNotShareMemory(t *testing.T) {
	t.Parallel()
	body := []byte(`{"outcome":"SUCCEEDED","result":{"a":1}}`)
	a, err := protocol.Answer(body)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	if string(a.Result) != `{"a":1}` {
		t.Errorf("result = %q", a.Result)
	}
}

func TestSafeText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":                      "plain",
		"a\x00b\r\nc\x1b[31md\u0085": "abc[31md",
		"left\u202eright\u2066":      "leftright",
		strings.Repeat("é", protocol.MaxErrorMessage):       strings.Repeat("é", protocol.MaxErrorMessage/2),
		"x" + strings.Repeat("é", protocol.MaxErrorMessage): "x" + strings.Repeat("é", protocol.MaxErrorMessage/2-1),
	} {
		if got := protocol.SafeText(text); got != want {
			t.Errorf("%.20q: %.40q", text, got)
		}
	}
}

// FuzzAnswer: no answer panics; what is accepted is an object whose parts are
// safe, and equal to what encoding/json reads.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"outcome":"SUCCEEDED","result":{"a":{"b":[1,2,{"c":"d"}]}}}`)
	f.Add(`{"outcome":"REJECTED","error":{"code":"A","message":"b"},"retryAfter":"PT1S"}`)
	f.Add(`{"a\"":1,"a\u0022":2}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := protocol.Answer([]byte(body))
		if err != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		if a.Result != nil && string(a.Result) != string(members["result"]) {
			t.Errorf("result %s, want %s", a.Result, members["result"])
		}
		if a.Error != nil && (len(a.Error.Message) > protocol.MaxErrorMessage || !utf8.ValidString(a.Error.Message)) {
			t.Errorf("message %q", a.Error.Message)
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	body := []byte(`{"outcome":"SUCCEEDED","result":{"reservationId":"res-880e8400-e29b-41d4-a716-446655440000","itemsReserved":3,"warehousesUsed":["wh-001"]}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := protocol.Answer(body); err != nil {
			b.Fatal(err)
		}
	}
}
