// Package shop holds the five services of an online shop: what they do and
// undo, one file each. Everything a service decides is derived from the
// command; the stock, the bank and the parcels behind it are imaginary, the
// effects in the ledger are not.
//
// Some inputs make a service behave badly on purpose, so that failures can be
// shown: see Triggers.
package shop

import (
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
)

// Triggers: inputs that have a service fail in a way that is worth seeing.
const (
	// TokenDeclined: the payment is REJECTED with PAYMENT_DECLINED.
	TokenDeclined = "tok_chargeDeclined"
	// TokenFlaky: RETRY once, then the payment succeeds.
	TokenFlaky = "tok_flaky"
	// TokenSlow: ACCEPTED; the payment happens after Delays.Payment and the
	// answer goes to the callback.
	TokenSlow = "tok_slow_202"
	// TokenVoidFails: the payment succeeds, and its void is REJECTED for ever.
	TokenVoidFails = "tok_void_fails"
	// ProductOutOfStock starts the productId of what cannot be reserved:
	// REJECTED with INSUFFICIENT_STOCK.
	ProductOutOfStock = "prod-test-out-of-stock"
)

// Delays of the actions that answer later.
type Delays struct {
	// Payment is for payments with TokenSlow.
	Payment time.Duration
	// Receipt is from announcing a parcel to its arrival.
	Receipt time.Duration
}

// Usual are the delays of the program.
var Usual = Delays{Payment: time.Second, Receipt: 300 * time.Millisecond}

// Services returns all five, in the order of their ports.
func Services(delays Delays) []service.Definition {
	return []service.Definition{
		Inventory(),
		Payment(delays),
		Order(),
		Delivery(delays),
		Notification(),
	}
}
