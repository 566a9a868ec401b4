package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

var update = flag.Bool("update", false, "write testdata/payloads.txt anew; review the diff")

// stories have every event that is told.
func stories(t *testing.T) []*story {
	declined := &domain.StepError{Code: "PAYMENT_DECLINED", Message: "the card of Canary McCanaryface was declined"}
	exhausted := &domain.StepError{Code: "canary tok_canary", Message: "17 Canary Street"}
	completed := orderStory(t)
	completed.after(5 * time.Second).succeeds(`{"reservationId":"res-1","itemsReserved":3,"warehousesUsed":["wh-001","wh-002"]}`)
	completed.after(25 * time.Second).succeeds(`{"paymentId":"pay-123456","amount":1499.97,"status":"CAPTURED","paymentIntent":"pi_1"}`)
	for range 4 {
		completed.after(time.Second).succeeds(`{}`)
	}
	failed := orderStory(t)
	failed.after(time.Second).succeeds(`{"reservationId":"res-2"}`).after(time.Second).answers(domain.Rejected, "", declined)
	failed.after(time.Second).answers(domain.Rejected, "", exhausted)
	failed.after(time.Second).does(domain.RetryRequest{RequestID: "r"}).after(time.Second).succeeds(`{}`)
	failed.after(time.Second).answers(domain.Rejected, "", exhausted) // the hook
	cancelled := orderStory(t)
	cancelled.after(time.Second).does(domain.CancelRequest{Reason: "customer Canary McCanaryface called", InitiatedBy: "ADMIN", RequestID: "c"})
	cancelled.after(time.Second).succeeds(`{"reservationId":"res-3"}`).after(time.Second).succeeds(`{}`).after(time.Second).succeeds(`{}`)
	return []*story{completed, failed, cancelled}
}

// TestPayloadsAreTheSameForEver: a change here changes what receivers have
// already been sent, so that a repetition would differ.
func TestPayloadsAreTheSameForEver(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	seen := map[string]bool{}
	for _, s := range stories(t) {
		names, all := s.payloads()
		for i, p := range all {
			seen[names[i]] = true
			out.Write(p.body)
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
	}
	for _, name := range domain.Announcements(false) {
		if !seen[string(name)] {
			t.Errorf("no story has %s", name)
		}
	}
	const file = "testdata/payloads.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || out.String() != string(want) {
		t.Errorf("the payloads are\n%s(%v)", out.String(), err)
	}
}

// TestPayloadsFollowFromTheLogUpToTheirEvent: what happens later changes nothing.
func TestPayloadsFollowFromTheLogUpToTheirEvent(t *testing.T) {
	t.Parallel()
	for _, s := range stories(t) {
		whole := s.snap
		for n := 1; n <= len(whole.Events); n++ {
			now, err := render(&whole, n)
			s.snap.Events = whole.Events[:n]
			s.snap.State = domain.Fold(domain.New(whole.State.WorkflowID, whole.State.Template), s.snap.Events)
			then, errThen := render(&s.snap, n)
			if now.id != then.id || !bytes.Equal(now.body, then.body) || (err == nil) != (errThen == nil) {
				t.Errorf("event %d read then:\n%s (%v)\nand now:\n%s (%v)", n, then.body, errThen, now.body, err)
			}
		}
	}
}

func TestPayloadLooksAsInTheReference(t *testing.T) {
	t.Parallel()
	_, all := stories(t)[0].payloads()
	payment := all[2]
	var got, want any
	if err := json.Unmarshal(payment.body, &got); err != nil {
		t.Fatal(err)
	}
	example := `{"id":"` + payment.id + `","timestamp":"2024-01-15T10:00:30Z","event":"workflow.step.completed","data":{
		"workflowId":"wf-660e8400-e29b-41d4-a716-446655440000","workflowType":"ORDER_FULFILLMENT","step":"PAYMENT_PROCESSING","status":"COMPLETED",
		"completedAt":"2024-01-15T10:00:30Z","result":{"paymentId":"pay-123456","amount":1499.97,"status":"CAPTURED"},"nextStep":"ORDER_CONFIRMATION",
		"sagaId":"saga-770e8400-e29b-41d4-a716-446655440000","sequence":4,"orderId":"ord-1"}}`
	if err := json.Unmarshal([]byte(example), &want); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(got)
	wantText, _ := json.Marshal(want)
	if !bytes.Equal(gotText, wantText) {
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

func TestNothingSecretOrPersonalIsTold(t *testing.T) {
	t.Parallel()
	canaries := []string{"tok_canary", "canary", "Canary", "17 ", "5550123456789", "cust-1", "pi_1"}
	for _, s := range stories(t) {
		names, all := s.payloads()
		for i, p := range all {
			for _, canary := range canaries {
				if strings.Contains(string(p.body), canary) {
					t.Errorf("%s tells of %q: %s", names[i], canary, p.body)
				}
			}
		}
	}
}

// TestAnEchoedTokenIsNotTold although it is called an identifier.
func TestAnEchoedTokenIsNotTold(t *testing.T) {
	t.Parallel()
	s := orderStory(t)
	s.succeeds(`{"reservationId":"tok_canary","warehousesUsed":["wh-1","TOK_CANARY"],"itemsReserved":1,"status":"RESERVED"}`)
	p, err := render(&s.snap, 2)
	if err != nil || strings.Contains(strings.ToLower(string(p.body)), "canary") || !strings.Contains(string(p.body), `"result":{"itemsReserved":1,"status":"RESERVED"}`) {
		t.Errorf("told is %s, %v", p.body, err)
	}
}

func TestEveryPayloadCanBeSealed(t *testing.T) {
	t.Parallel()
	secret, err := webhook.NewSecret(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories(t) {
		_, all := s.payloads()
		for _, p := range all {
			sealed, err := webhook.Seal(p.body, secret)
			if err != nil || webhook.VerifySeal(sealed, secret) != nil {
				t.Errorf("%s: %v", p.body, err)
			}
			if e, err := webhook.ParseEvent(sealed); err != nil || e.ID != p.id {
				t.Errorf("%s: %v", sealed, err)
			}
		}
	}
}

func TestWhatIsNotInTheLogIsNotTold(t *testing.T) {
	t.Parallel()
	s := orderStory(t)
	s.succeeds(`{}`) // STEP_STARTED is event 3
	for _, n := range []int{-1, 0, 3, 4, 1000} {
		if _, err := render(&s.snap, n); !errors.Is(err, errNoEvent) {
			t.Errorf("event %d: %v", n, err)
		}
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]string{
		``: `{}`, `null`: `{}`, `[]`: `{}`, `"text"`: `{}`, `7`: `{}`, `{`: `{}`, `{}`: `{}`,
		`{"paymentId":"pay-1","amount":1499.97,"status":"CAPTURED","currency":"USD"}`:       `{"amount":1499.97,"currency":"USD","paymentId":"pay-1","status":"CAPTURED"}`,
		`{"b":1,"reservationId" : "r" , "itemsReserved": 3 ,"warehousesUsed":[ "a" ,"b" ]}`: `{"itemsReserved":3,"reservationId":"r","warehousesUsed":["a","b"]}`,
		`{"undone":true,"orderStatus":"CONFIRMED","itemIds":[]}`:                            `{"itemIds":[],"orderStatus":"CONFIRMED","undone":true}`,
		// Names that say nothing, or too much.
		`{"labelUrl":"x","carrier":"x","Id":"x","note":"x","token":"x","tokenId":"x","cardId":"x","userId":"x","accountId":"x","phoneCount":1,"customerId":"c"}`: `{}`,
		`{"items <>Id":"x","x y Id":"x","\u0069d":"escaped"}`: `{"id":"escaped"}`,
		// Values that look like no identifier.
		`{"aId":"17 Canary Street","bId":"+15550123","cId":"a@b","dId":"` + strings.Repeat("x", 129) + `","eId":"","fId":null,"gId":{"id":"x"},"hId":[["x"]],"iId":["a b"]}`: `{}`,
		`{"aAmount":1e999,"bAmount":1E5,"cAmount":12345678901234567,"dAmount":0.1234567,"eAmount":-0.5,"fAmount":0}`:                                                         `{"eAmount":-0.5,"fAmount":0}`,
		`{"aIds":[` + strings.Repeat(`"x",`, 32) + `"x"]}`: `{}`,
	} {
		if got := string(shareable(json.RawMessage(result))); got != want {
			t.Errorf("of %.80s told is %s, want %s", result, got, want)
		}
	}
	var many strings.Builder
	for i := range 100 {
		many.WriteString(`,"` + strings.Repeat("x", i+1) + `Id":"v"`)
	}
	var told map[string]string
	if err := json.Unmarshal(shareable(json.RawMessage("{"+many.String()[1:]+"}")), &told); err != nil || len(told) != maxResultMembers {
		t.Errorf("%d members are told (%v)", len(told), err)
	}
}
