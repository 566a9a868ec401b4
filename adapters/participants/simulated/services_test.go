package simulated_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/simulated"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// inbox is where callbacks arrive. It refuses the first ones with fail.
type inbox struct {
	fail []error
	got  chan callback
}

type callback struct {
	token  string
	answer domain.Answer
	at     time.Time
}

func newInbox(fail ...error) *inbox { return &inbox{fail: fail, got: make(chan callback, 10)} }

func (i *inbox) Answer(_ context.Context, token string, a domain.Answer) error {
	if len(i.fail) > 0 {
		err := i.fail[0]
		i.fail = i.fail[1:]
		return err
	}
	i.got <- callback{token, a, time.Now()}
	return nil
}

func (i *inbox) Heartbeat(context.Context, string) error { return nil }

var _ ports.Answers = (*inbox)(nil)

// in runs a test on virtual time with participants that it closes.
func in(t *testing.T, cfg simulated.Config, test func(t *testing.T, s *simulated.Services)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := simulated.New(cfg)
		defer s.Close()
		test(t, s)
	})
}

func command(service, step, action, parameters string) domain.Dispatch {
	return domain.Dispatch{WorkflowID: "wf-1", SagaID: "saga-1", CommandID: "saga-1:1:" + step + ":execute", Service: service, Step: step,
		Action: action, Attempt: 1, Deadline: time.Now().Add(30 * time.Second), Parameters: json.RawMessage(parameters),
		Context: json.RawMessage(`{}`), Token: "cbt_" + step}
}

func undoOf(cmd domain.Dispatch, step, action string, result json.RawMessage) domain.Dispatch {
	undo := cmd
	undo.CommandID, undo.Step, undo.Action, undo.Undo = "saga-1:1:"+step+":compensate", step, action, true
	undo.Parameters = json.RawMessage(`{}`)
	undo.Forward = &domain.ForwardRef{Step: cmd.Step, CommandID: cmd.CommandID, Outcome: domain.Succeeded, Result: result}
	return undo
}

func send(s *simulated.Services, cmd domain.Dispatch) domain.Answer {
	return s.For(cmd.Service).Send(context.Background(), cmd)
}

func outcome(t *testing.T, got domain.Answer, want domain.Outcome, code string) {
	t.Helper()
	gotCode := ""
	if got.Error != nil {
		gotCode = got.Error.Code
		if got.Error.Message == "" {
			t.Errorf("%s without a message", gotCode)
		}
	}
	if got.Outcome != want || gotCode != code {
		t.Errorf("answer %s %q, want %s %q", got.Outcome, gotCode, want, code)
	}
}

const (
	charge = `{"token":"%s","amount":1499.97,"currency":"USD"}`
	items  = `{"items":[{"productId":"a","quantity":2,"warehouseId":"wh-002"},{"productId":"b","quantity":1},{"productId":"c","quantity":1,"warehouseId":"wh-002"}]}`
)

func payment(token string) domain.Dispatch {
	return command("payment-service", "PAYMENT_PROCESSING", "process_payment", fmt.Sprintf(charge, token))
}

func members(t *testing.T, a domain.Answer) map[string]any {
	t.Helper()
	if a.Outcome != domain.Succeeded {
		t.Fatalf("outcome %s, error %+v", a.Outcome, a.Error)
	}
	var m map[string]any
	if err := json.Unmarshal(a.Result, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestResultsAreThoseOfTheReference(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		r := members(t, send(s, command("inventory-service", "INVENTORY_RESERVATION", "reserve_inventory", items)))
		if !strings.HasPrefix(r["reservationId"].(string), "res-") || r["itemsReserved"] != 4.0 ||
			!reflect.DeepEqual(r["warehousesUsed"], []any{"wh-001", "wh-002"}) {
			t.Errorf("reservation: %v", r)
		}
		paid := send(s, payment("tok_visa_4242"))
		p := members(t, paid)
		if !strings.HasPrefix(p["paymentId"].(string), "pay-") || !strings.HasPrefix(p["paymentIntent"].(string), "pi_stripe_") ||
			p["provider"] != "stripe" || p["status"] != "CAPTURED" || p["currency"] != "USD" || !strings.Contains(string(paid.Result), `"amount":1499.97`) {
			t.Errorf("payment: %s", paid.Result)
		}
		for action, want := range map[string][]string{
			"confirm_order":         {"confirmationNumber"},
			"create_shipping_label": {"shipmentId", "trackingNumber", "labelUrl"},
			"notify_customer":       {"notificationId"},
			"validate_return":       {"returnAuthorizationId"},
			"place_supplier_order":  {"supplierOrderId"},
			"refund_payment":        {"refundId", "status", "provider"},
		} {
			r := members(t, send(s, command("some-service", strings.ToUpper(action), action, items)))
			for _, name := range want {
				if text, _ := r[name].(string); text == "" {
					t.Errorf("%s: no %s in %v", action, name, r)
				}
			}
		}
		unknown := send(s, command("custom-service", "CUSTOM", "anything", `{}`))
		if string(unknown.Result) != "{}" {
			t.Errorf("unknown action: %+v", unknown)
		}
	})
}

func TestMissingParametersDoNotMatter(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		for _, parameters := range []string{``, `{}`, `{"items":7,"token":[],"amount":null}`} {
			for _, action := range []string{"reserve_inventory", "process_payment", "refund_payment", "validate_return"} {
				cmd := command("some-service", strings.ToUpper(action), action, parameters)
				cmd.CommandID += parameters
				outcome(t, send(s, cmd), domain.Succeeded, "")
			}
		}
	})
}

func TestAnswersTakeTheirTime(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		for i := range 50 {
			cmd := command("order-service", "ORDER_CONFIRMATION", "confirm_order", `{}`)
			cmd.CommandID += fmt.Sprint(i)
			start := time.Now()
			outcome(t, send(s, cmd), domain.Succeeded, "")
			if took := time.Since(start); took < simulated.DefaultMinDelay || took > simulated.DefaultMaxDelay {
				t.Fatalf("answered after %s", took)
			}
		}
	})
}

func TestACommandHasOneEffect(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		first := send(s, payment("tok_visa"))
		again := payment("tok_visa")
		again.Attempt = 2
		if second := send(s, again); !reflect.DeepEqual(first, second) {
			t.Errorf("second answer %s, first %s", second.Result, first.Result)
		}
		other := payment("tok_visa")
		other.CommandID = "saga-2:1:PAYMENT_PROCESSING:execute"
		if third := send(s, other); reflect.DeepEqual(first, third) {
			t.Error("two commands have the same result")
		}
	})
}

func TestAnUndoWithoutItsExecutePreventsIt(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		cmd := payment("tok_visa")
		void := undoOf(cmd, "VOID_PAYMENT", "void_payment", nil)
		void.Forward.Outcome = domain.Unknown
		first := send(s, void)
		outcome(t, first, domain.Succeeded, "")
		outcome(t, send(s, cmd), domain.Rejected, "ALREADY_COMPENSATED")
		if again := send(s, void); !reflect.DeepEqual(first, again) {
			t.Errorf("undo again: %s, first %s", again.Result, first.Result)
		}
	})
}

func TestAnUndoUndoesAndIsRepeatable(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		cmd := payment("tok_visa")
		paid := send(s, cmd)
		void := undoOf(cmd, "VOID_PAYMENT", "void_payment", paid.Result)
		if r := members(t, send(s, void)); r["paymentId"] != members(t, paid)["paymentId"] {
			t.Errorf("void of %v, paid %s", r, paid.Result)
		}
		void.CommandID += "-2" // an undo is sent anew after a late success
		outcome(t, send(s, void), domain.Succeeded, "")
		outcome(t, send(s, cmd), domain.Rejected, "ALREADY_COMPENSATED")
	})
}

func TestAHookSucceeds(t *testing.T) {
	in(t, simulated.Config{Instant: true}, func(t *testing.T, s *simulated.Services) {
		hook := undoOf(payment("tok_visa"), "NOTIFY_CUSTOMER", "send_cancellation_notice", nil)
		hook.Forward = nil
		outcome(t, send(s, hook), domain.Succeeded, "")
	})
}

func TestCloseBreaksPromises(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inbox := newInbox()
		s := simulated.New(simulated.Config{Answers: inbox})
		outcome(t, send(s, payment(simulated.TokenSlow)), domain.Accepted, "")
		s.Close()
		s.Close()
		time.Sleep(time.Minute)
		if len(inbox.got) > 0 {
			t.Error("called back after Close")
		}
		other := payment(simulated.TokenSlow)
		other.CommandID += "-2"
		outcome(t, send(s, other), domain.Retry, "OVERLOADED")
	})
}

func TestCheckFindsThemUp(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		if h := s.For("order-service").Check(context.Background()); !h.Up {
			t.Errorf("%+v", h)
		}
	})
}

func TestAnEndedContextEndsTheWait(t *testing.T) {
	in(t, simulated.Config{}, func(t *testing.T, s *simulated.Services) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("shutting down"))
		start := time.Now()
		outcome(t, s.For("payment-service").Send(ctx, payment(simulated.TokenTimeout)), domain.Unknown, domain.CodeTimeout)
		if took := time.Since(start); took > 0 {
			t.Errorf("took %s", took)
		}
	})
}

func BenchmarkSend(b *testing.B) {
	s := simulated.New(simulated.Config{Instant: true})
	defer s.Close()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		cmd := command("inventory-service", "INVENTORY_RESERVATION", "reserve_inventory", items)
		cmd.CommandID = fmt.Sprint("saga-770e8400-e29b-41d4-a716-446655440000:1:INVENTORY_RESERVATION:execute", i)
		send(s, cmd)
	}
}
