// Package coordtest runs the real coordinator inside a test: its engine, its
// API and a store in memory, with a clock that the test moves and participants
// that answer what the test says. It is for teams that call the coordinator, or
// that write templates for it; those that own a participant or receive webhooks
// find their tests in contracttests.
//
//	func TestAnOrderIsUndoneWhenThePaymentIsDown(t *testing.T) {
//		c := coordtest.NewServer(t)
//		c.Participant("payment-service").On("process_payment").Answer(coordtest.Unknown())
//
//		order, err := c.Client().Workflows.StartOrder(t.Context(), anOrder)
//		…
//		c.Advance(20 * time.Minute) // both attempts time out, the workflow waits 15 minutes for a person
//
//		if got := c.Status(order.WorkflowID).Status; got != coordination.StatusFailed {
//			t.Errorf("the order is %s", got)
//		}
//	}
//
// Without a script the participants are those of "coordinator dev", which
// answer at once and know its triggers (payment token tok_chargeDeclined and
// so on), and what takes time takes that of the test's clock.
//
// What the clock does not move: the network between the test's client and the
// API, what Prefer: wait and the client's own retries wait for, the expiry of
// tokens, and the pings of streams.
package coordtest
