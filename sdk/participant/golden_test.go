package participant_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

// sameAsGolden wants got to be the JSON value of a golden message.
func sameAsGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	var gotValue, want any
	if err := json.Unmarshal(got, &gotValue); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal(golden.Message(name), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(gotValue, want) {
		t.Errorf("what the code writes is\n%s\nbut the golden message %s is\n%s", got, name, golden.Message(name))
	}
}

// goldenPayments is the service of the golden commands, on the day they were
// sent, which answers every payment with o.
func goldenPayments(o participant.Outcome) *participant.Participant {
	p := participant.New("payment-service", participant.Config{Logger: quiet,
		Now: func() time.Time { return time.Date(2026, 1, 15, 10, 0, 6, 0, time.UTC) }})
	memory := participant.NewMemory()
	p.Handle("process_payment", memory.Do(func(context.Context, *participant.Command) participant.Outcome { return o }))
	p.Handle("void_payment", memory.Undo(func(_ context.Context, c *participant.Command) participant.Outcome {
		if c.Forward.CommandID == "" {
			return participant.Unknown{Code: "NO_FORWARD"}
		}
		return participant.Succeeded{}
	}))
	return p
}

// goldenResult is what the golden payment came to.
func goldenResult(t *testing.T) participant.Outcome {
	t.Helper()
	var a coordination.Answer
	if err := json.Unmarshal(golden.Message("answer-succeeded"), &a); err != nil {
		t.Fatal(err)
	}
	return participant.Succeeded{Result: a.Result}
}

func serve(t *testing.T, p http.Handler, action, message string, status int) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/"+action, strings.NewReader(string(golden.Message(message)))))
	if w.Code != status {
		t.Errorf("%s: status %d, want %d: %s", message, w.Code, status, w.Body)
	}
	return w.Body.Bytes()
}

func TestGoldenCommandsAreAnsweredAsTheGoldenAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome participant.Outcome
		status  int
	}{
		"answer-succeeded": {goldenResult(t), 200},
		"answer-accepted":  {participant.Accepted{}, 202},
		"answer-rejected":  {participant.Rejected{Code: "PAYMENT_DECLINED", Message: "Payment was declined by the issuing bank"}, 422},
		"answer-retry":     {participant.Retry{Code: "PROVIDER_BUSY", Message: "The provider has too much to do", After: 5 * time.Second}, 503},
		"answer-unknown":   {participant.Unknown{Code: "PROVIDER_TIMEOUT", Message: "The provider did not answer"}, 500},
	} {
		sameAsGolden(t, name, serve(t, goldenPayments(c.outcome), "process_payment", "command", c.status))
	}
	p := goldenPayments(goldenResult(t))
	serve(t, p, "process_payment", "command", 200)
	serve(t, p, "void_payment", "command-undo", 200)

	p = goldenPayments(goldenResult(t)) // which never saw the payment that it is to undo
	serve(t, p, "void_payment", "command-undo-unknown", 200)
	sameAsGolden(t, "answer-already-compensated", serve(t, p, "process_payment", "command", 422))
}

func TestTheGoldenCommandOverTheBusHasTheGoldenReply(t *testing.T) {
	t.Parallel()
	m, err := goldenPayments(goldenResult(t)).HandleMessage(t.Context(), golden.Message("event-command"))
	if err != nil {
		t.Fatal(err)
	}
	sameAsGolden(t, "event-reply", m.Body)
}
