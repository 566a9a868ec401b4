package coordtest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/app/coordtest"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func order(id, token string) coordination.OrderRequest {
	return coordination.OrderRequest{
		OrderID: id, CustomerID: "customer-1", ShippingMethod: "STANDARD",
		Items:           []coordination.OrderItem{{ProductID: "cup", Quantity: 2, UnitPrice: coordination.Amount("9.95")}},
		PaymentMethod:   coordination.PaymentMethod{Type: "CREDIT_CARD", Token: coordination.Sensitive(token)},
		ShippingAddress: coordination.ShippingAddress{Name: "Jane Doe", Street: "1 Main St", City: "Springfield", ZipCode: "00000", Country: "US"},
	}
}

func start(t *testing.T, c *coordtest.Server, token string) string {
	t.Helper()
	started, err := c.Client().Workflows.StartOrder(t.Context(), order("order-1", token))
	if err != nil {
		t.Fatal(err)
	}
	return started.WorkflowID
}

func wantStatus(t *testing.T, c *coordtest.Server, id string, want coordination.Status) *coordination.WorkflowStatus {
	t.Helper()
	status := c.Status(id)
	if status.Status != want {
		last := status.Events[max(0, len(status.Events)-3):]
		t.Fatalf("the order is %s, want %s; last %+v", status.Status, want, last)
	}
	return status
}

// actions are the actions of the commands that were sent, in order.
func actions(c *coordtest.Server) (list []string) {
	for _, cmd := range c.Commands() {
		list = append(list, cmd.Action)
	}
	return list
}

func wantActions(t *testing.T, c *coordtest.Server, want ...string) {
	t.Helper()
	if got := actions(c); !slices.Equal(got, want) {
		t.Errorf("sent %v\nwant %v", got, want)
	}
}

func TestAnOrderCompletesWithoutTheClock(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	status := wantStatus(t, c, start(t, c, "tok_visa_4242"), coordination.StatusCompleted)
	if !status.CreatedAt.Equal(coordtest.Start) || !status.UpdatedAt.Equal(coordtest.Start) {
		t.Errorf("created %s, updated %s: the clock was not moved from %s", status.CreatedAt, status.UpdatedAt, coordtest.Start)
	}
	wantActions(t, c, "reserve_inventory", "process_payment", "confirm_order", "prepare_fulfillment", "create_shipping_label", "notify_customer")
}

func TestARefusedStepIsUndone(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("order-service").On("confirm_order").Answer(coordtest.Reject("ORDER_UNKNOWN"))
	status := wantStatus(t, c, start(t, c, "tok_visa_4242"), coordination.StatusFailed)
	if status.Saga.State != coordination.SagaCompensated {
		t.Errorf("the saga is %s", status.Saga.State)
	}
	wantActions(t, c, "reserve_inventory", "process_payment", "confirm_order", "void_payment", "release_reservation", "send_cancellation_notice")
	void := c.Participant("payment-service").Commands()[1]
	if void.Forward == nil || void.Forward.Outcome != coordination.OutcomeSucceeded || void.Direction != coordination.DirectionCompensate {
		t.Errorf("the undo is %+v", void)
	}
}

func TestRetriesWaitForTheClock(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("payment-service").On("process_payment").Answer(coordtest.Retry("BUSY", 5*time.Second), coordtest.Usual())
	id := start(t, c, "tok_visa_4242")
	wantStatus(t, c, id, coordination.StatusRetrying)
	c.Advance(4 * time.Second)
	wantStatus(t, c, id, coordination.StatusRetrying)
	c.Advance(10 * time.Second)
	wantStatus(t, c, id, coordination.StatusCompleted)
	attempts := c.Participant("payment-service").Commands()
	if len(attempts) != 2 || attempts[0].CommandID != attempts[1].CommandID || attempts[1].Attempt != 2 {
		t.Errorf("attempts %+v", attempts)
	}
}

// A payment that is never answered: two attempts of two minutes, then the
// workflow waits a quarter of an hour for a person, then everything is undone.
func TestSilenceEndsInCompensation(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(*coordtest.Server) string{
		"hangs": func(c *coordtest.Server) string {
			c.Participant("payment-service").On("process_payment").Answer(coordtest.Hang())
			return "tok_visa_4242"
		},
		"unknown": func(c *coordtest.Server) string {
			c.Participant("payment-service").On("process_payment").Answer(coordtest.Unknown())
			return "tok_visa_4242"
		},
		"simulated": func(*coordtest.Server) string { return "tok_timeout" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := coordtest.NewServer(t)
			id := start(t, c, script(c))
			c.Advance(5 * time.Minute)
			status := wantStatus(t, c, id, coordination.StatusParked)
			if status.Parked == nil || status.Parked.Reason != "STEP_EXHAUSTED" {
				t.Errorf("parked: %+v", status.Parked)
			}
			c.Advance(16 * time.Minute)
			wantStatus(t, c, id, coordination.StatusFailed)
			if undo := c.Participant("payment-service").Commands()[2]; undo.Action != "void_payment" || undo.Forward.Outcome != coordination.OutcomeUnknown {
				t.Errorf("a step in doubt is undone by %+v", undo)
			}
			if took := c.Now().Sub(coordtest.Start); took != 21*time.Minute {
				t.Errorf("the clock was moved by %s", took)
			}
		})
	}
}

func TestAnAnswerThatComesLater(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("payment-service").On("process_payment").Answer(coordtest.Accept())
	id := start(t, c, "tok_visa_4242")
	wantStatus(t, c, id, coordination.StatusInProgress)
	c.Advance(time.Minute)
	c.Complete(c.Participant("payment-service").Commands()[0], coordtest.Succeed(map[string]string{"paymentIntent": "pi-1"}))
	status := wantStatus(t, c, id, coordination.StatusCompleted)
	if got := status.Steps[1].CompletedAt; !got.Equal(coordtest.Start.Add(time.Minute)) {
		t.Errorf("paid at %s", got)
	}
}

// The simulated participants keep their triggers, on the test's time.
func TestUsualTriggers(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	id := start(t, c, "tok_slow_202")
	wantStatus(t, c, id, coordination.StatusInProgress)
	c.Advance(2 * time.Second)
	wantStatus(t, c, id, coordination.StatusCompleted)

	d := coordtest.NewServer(t)
	wantStatus(t, d, start(t, d, "tok_chargeDeclined"), coordination.StatusFailed)
}

func TestCancelWhileAStepHangs(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("payment-service").On("process_payment").Answer(coordtest.Hang())
	id := start(t, c, "tok_visa_4242")
	c.Rest()
	_, err := c.ClientAs("service").Workflows.Cancel(t.Context(), id, coordination.CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: "CUSTOMER", Force: true})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, c, id, coordination.StatusCancelled)
	wantActions(t, c, "reserve_inventory", "process_payment", "void_payment", "release_reservation", "send_cancellation_notice")
}

func TestDecide(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("inventory-service").On("reserve_inventory").Decide(func(cmd coordination.Command) coordtest.Answer {
		if cmd.Attempt < 3 {
			return coordtest.Retry("LOCKED", 0)
		}
		return coordtest.Succeed(map[string]string{"reservationId": "res-7"})
	})
	id := start(t, c, "tok_visa_4242")
	c.Advance(time.Minute)
	wantStatus(t, c, id, coordination.StatusCompleted)
	if paid := c.Participant("inventory-service").Commands(); len(paid) != 3 {
		t.Errorf("%d attempts", len(paid))
	}
}

func TestRolesAreChecked(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	id := start(t, c, "tok_chargeDeclined")
	wantStatus(t, c, id, coordination.StatusFailed)
	_, err := c.ClientAs("external").Workflows.Retry(t.Context(), id, coordination.RetryRequest{})
	if !errors.Is(err, coordination.ErrInsufficientPermissions) {
		t.Errorf("a retry by an external caller: %v", err)
	}
}

const giftTemplate = `
templateId: tmpl-gift-card-v1
name: Gift card
type: GIFT_CARD
version: "1.0"
businessKey: cardId
steps:
  - {name: ISSUE, service: gift-service, action: issue_card, description: Issuing the card}
  - {name: MAIL, service: gift-service, action: mail_card, description: Mailing the card}
compensationSteps:
  - {name: REVOKE, service: gift-service, action: revoke_card, compensates: ISSUE}
`

func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gift.yaml"), []byte(giftTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	c := coordtest.NewServer(t, coordtest.WithTemplates(dir))
	c.Participant("gift-service").On("mail_card").Answer(coordtest.Reject("NO_ADDRESS"))
	started, err := c.Client().Workflows.Start(t.Context(), coordination.StartRequest{Type: "GIFT_CARD", BusinessKey: "card-1", Input: []byte(`{"cardId":"card-1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, c, started.WorkflowID, coordination.StatusFailed)
	wantActions(t, c, "issue_card", "mail_card", "revoke_card")
}

// Many workflows at once come to rest all the same, and each is due at its time.
// Twenty timeouts in a row would open the circuit breaker, as in production.
func TestManyWorkflows(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	c.Participant("payment-service").On("process_payment").Answer(coordtest.Hang())
	client := c.Client()
	ids := make([]string, 15)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			started, err := client.Workflows.StartOrder(t.Context(), order(fmt.Sprintf("order-%d", i), "tok_visa_4242"))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = started.WorkflowID
		})
	}
	all.Wait()
	c.Advance(30 * time.Minute)
	for _, id := range ids {
		wantStatus(t, c, id, coordination.StatusFailed)
	}
}
