package simulated_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// simulating is a command with metadata.simulate for its own step.
func simulating(cmd domain.Dispatch, how string) domain.Dispatch {
	cmd.Simulate = json.RawMessage(fmt.Sprintf(`{"OTHER":"REJECTED:OTHER",%q:%q}`, cmd.Step, how))
	return cmd
}

func order() domain.Dispatch {
	return command("order-service", "ORDER_CONFIRMATION", "confirm_order", `{}`)
}

func TestPaymentTokens(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		declined := payment(simulated.TokenDeclined)
		for range 2 {
			a := send(s, declined)
			outcome(t, a, domain.Rejected, "PAYMENT_DECLINED")
			if a.Error.Message != "Payment was declined by the issuing bank" {
				t.Errorf("message %q", a.Error.Message)
			}
		}
		flaky := payment(simulated.TokenFlaky)
		flaky.CommandID = "flaky"
		outcome(t, send(s, flaky), domain.Retry, "PROVIDER_TIMEOUT")
		outcome(t, send(s, flaky), domain.Succeeded, "")
		outcome(t, send(s, flaky), domain.Succeeded, "")
	})
}

func TestTimeoutTokenIsNeverAnswered(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		cmd := payment(simulated.TokenTimeout)
		outcome(t, send(s, cmd), domain.Unknown, domain.CodeTimeout)
		if late := time.Since(cmd.Deadline); late < 0 || late > time.Millisecond {
			t.Errorf("returned %s after the deadline", late)
		}
	})
}

func TestVoidFailsForEver(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		cmd := payment(simulated.TokenVoidFails)
		paid := send(s, cmd)
		outcome(t, paid, domain.Succeeded, "")
		void := undoOf(cmd, "VOID_PAYMENT", "void_payment", paid.Result)
		outcome(t, send(s, void), domain.Rejected, "VOID_FAILED")
		// Another process, after a restart, refuses as well.
		other := simulated.New(simulated.Config{})
		defer other.Close()
		outcome(t, send(other, void), domain.Rejected, "VOID_FAILED")
	})
}

func TestOutOfStock(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		cmd := command("inventory-service", "INVENTORY_RESERVATION", "reserve_inventory",
			`{"items":[{"productId":"a","quantity":1},{"productId":"prod-test-out-of-stock-7","quantity":1}]}`)
		outcome(t, send(s, cmd), domain.Rejected, "INSUFFICIENT_STOCK")
		cmd = command("inventory-service", "INVENTORY_RESERVATION", "reserve_inventory",
			`{"note":"prod-test-out-of-stock","items":[{"productId":"not-prod-test-out-of-stock","quantity":1}]}`)
		outcome(t, send(s, cmd), domain.Succeeded, "")
	})
}

func TestLaterAnswers(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		inbox := newInbox(ports.ErrUnavailable, ports.ErrOverloaded)
		s.SetAnswers(inbox)
		cmd := command("delivery-service", "ITEM_RECEIPT", "receive_item", items)
		outcome(t, send(s, cmd), domain.Accepted, "")
		start := time.Now()
		outcome(t, send(s, cmd), domain.Accepted, "") // again: no second promise
		got := <-inbox.got
		outcome(t, got.answer, domain.Succeeded, "")
		if got.token != cmd.Token || got.answer.CommandID != cmd.CommandID || !strings.Contains(string(got.answer.Result), "receiptId") {
			t.Errorf("callback %+v", got)
		}
		if after := got.at.Sub(start); after < simulated.LaterDelay-simulated.DefaultMaxDelay || after > 2*simulated.LaterDelay {
			t.Errorf("called back after %s", after)
		}
		outcome(t, send(s, cmd), domain.Succeeded, "") // known by now
		time.Sleep(time.Minute)
		if len(inbox.got) > 0 {
			t.Error("called back twice")
		}
	})
}

func TestRefusedCallbacksAreNotRepeated(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		inbox := newInbox(domain.ErrNotWaiting)
		s.SetAnswers(inbox)
		outcome(t, send(s, payment(simulated.TokenSlow)), domain.Accepted, "")
		time.Sleep(time.Hour)
		if len(inbox.got) > 0 {
			t.Error("called back after a final refusal")
		}
	})
}

func TestCallbacksWaitForSomebodyToTakeThem(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		inbox := newInbox()
		outcome(t, send(s, payment(simulated.TokenSlow)), domain.Accepted, "")
		time.Sleep(3 * time.Second)
		s.SetAnswers(inbox)
		outcome(t, (<-inbox.got).answer, domain.Succeeded, "")
	})
}

func TestACompensatedPromiseIsNotKept(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		inbox := newInbox()
		s.SetAnswers(inbox)
		cmd := payment(simulated.TokenSlow)
		outcome(t, send(s, cmd), domain.Accepted, "")
		outcome(t, send(s, undoOf(cmd, "VOID_PAYMENT", "void_payment", nil)), domain.Succeeded, "")
		time.Sleep(10 * time.Second)
		if len(inbox.got) > 0 {
			t.Error("an effect after its undo")
		}
		outcome(t, send(s, cmd), domain.Rejected, "ALREADY_COMPENSATED")
	})
}

func TestSimulateMetadata(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		inbox := newInbox()
		s.SetAnswers(inbox)
		key := 0
		fresh := func(how string) domain.Dispatch {
			cmd := simulating(order(), how)
			key++
			cmd.CommandID += fmt.Sprint(key)
			return cmd
		}
		outcome(t, send(s, fresh("REJECTED:NO_WAY")), domain.Rejected, "NO_WAY")
		outcome(t, send(s, fresh("REJECTED")), domain.Rejected, simulated.CodeSimulated)

		retry := fresh("RETRY:2")
		outcome(t, send(s, retry), domain.Retry, simulated.CodeSimulated)
		outcome(t, send(s, retry), domain.Retry, simulated.CodeSimulated)
		outcome(t, send(s, retry), domain.Succeeded, "")

		lost := fresh("UNKNOWN")
		for range 3 {
			outcome(t, send(s, lost), domain.Unknown, domain.CodeTimeout)
		}
		outcome(t, send(s, undoOf(lost, "UNDO", "undo", nil)), domain.Succeeded, "")
		outcome(t, send(s, lost), domain.Rejected, "ALREADY_COMPENSATED")

		start := time.Now()
		outcome(t, send(s, fresh("SLOW:PT2S")), domain.Succeeded, "")
		if took := time.Since(start); took < 2*time.Second || took > 2*time.Second+simulated.DefaultMaxDelay {
			t.Errorf("SLOW:PT2S took %s", took)
		}

		start = time.Now()
		outcome(t, send(s, fresh("ACCEPTED:PT5S")), domain.Accepted, "")
		if got := <-inbox.got; got.at.Sub(start) < 5*time.Second {
			t.Errorf("ACCEPTED:PT5S called back after %s", got.at.Sub(start))
		}
		for _, wrong := range []string{"NONSENSE", "REJECTED:lower", "REJECTED:", "RETRY:-1", "RETRY:x", "UNKNOWN:1", "SLOW:2s", "ACCEPTED:"} {
			a := send(s, fresh(wrong))
			outcome(t, a, domain.ContractError, simulated.CodeMisused)
			if strings.Contains(a.Error.Message, "lower") || strings.Contains(a.Error.Message, "NONSENSE") {
				t.Errorf("the message repeats the input: %s", a.Error.Message)
			}
		}
		outcome(t, send(s, fresh("")), domain.Succeeded, "")
	})
}

func TestSimulateMetadataForCompensations(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		cmd := payment("tok_visa")
		paid := send(s, cmd)
		void := simulating(undoOf(cmd, "VOID_PAYMENT", "void_payment", paid.Result), "RETRY:1")
		outcome(t, send(s, void), domain.Retry, simulated.CodeSimulated)
		outcome(t, send(s, void), domain.Succeeded, "")
		refused := simulating(undoOf(cmd, "OTHER_UNDO", "undo", paid.Result), "REJECTED:STUCK")
		outcome(t, send(s, refused), domain.Rejected, "STUCK")
	})
}

func TestSlowBeyondTheDeadlineIsDoneAllTheSame(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		cmd := simulating(order(), "SLOW:PT40S")
		outcome(t, send(s, cmd), domain.Unknown, domain.CodeTimeout)
		cmd.Attempt, cmd.Deadline = 2, time.Now().Add(30*time.Second)
		outcome(t, send(s, cmd), domain.Succeeded, "")
	})
}

func TestSlowThatIsCompensatedMeanwhileHasNoEffect(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		cmd := simulating(order(), "SLOW:PT2S")
		answer := make(chan domain.Answer)
		go func() { answer <- send(s, cmd) }()
		time.Sleep(time.Second)
		outcome(t, send(s, undoOf(cmd, "UNDO", "undo", nil)), domain.Succeeded, "")
		outcome(t, <-answer, domain.Rejected, "ALREADY_COMPENSATED")
	})
}

func TestCompensationTest(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		for name, test := range map[string]struct {
			parameters, context string
			want                domain.Outcome
			code                string
		}{
			"no failure":           {`{}`, `{}`, domain.Succeeded, ""},
			"another step":         {`{"failStep":"PREPARE"}`, `{}`, domain.Succeeded, ""},
			"rejected by default":  {`{"failStep":"EXECUTE"}`, `{}`, domain.Rejected, simulated.CodeTestFailure},
			"asked in the context": {`{"step":"EXECUTE"}`, `{"failStep":"EXECUTE","code":"BROKEN"}`, domain.Rejected, "BROKEN"},
			"retry":                {`{"failStep":"EXECUTE","outcome":"RETRY","code":"BUSY"}`, `{}`, domain.Retry, "BUSY"},
			"unknown":              {`{"failStep":"EXECUTE","outcome":"UNKNOWN"}`, `{}`, domain.Unknown, domain.CodeTimeout},
			"unusable code":        {`{"failStep":"EXECUTE","code":"not a code"}`, `{}`, domain.Rejected, simulated.CodeTestFailure},
		} {
			cmd := command("test-service", "EXECUTE", "execute", test.parameters)
			cmd.CommandID, cmd.Context = name, json.RawMessage(test.context)
			for range 4 {
				outcome(t, send(s, cmd), test.want, test.code)
			}
		}
	})
}

func TestAnEndedContextLeavesSlowWorkDone(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		cmd := simulating(order(), "SLOW:PT10S")
		outcome(t, s.For(cmd.Service).Send(ctx, cmd), domain.Unknown, domain.CodeTimeout)
		start := time.Now()
		outcome(t, send(s, cmd), domain.Succeeded, "")
		if took := time.Since(start); took > 0 {
			t.Errorf("what is done was answered after %s", took)
		}
	})
}
