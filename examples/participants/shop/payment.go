package shop

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/examples/participants/service"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	provider = "stripe"
	// voidFails is what a payment remembers of its token, which itself is kept
	// nowhere.
	voidFails = "void fails"
	// flakyPause is what a flaky payment asks for before the next attempt.
	flakyPause = 200 * time.Millisecond
	// maxFlaky bounds the flaky payments that are remembered between attempts.
	maxFlaky = 10_000
)

// Payment charges, voids and refunds.
func Payment(delays Delays) service.Definition {
	p := &payments{slow: delays.Payment, flaky: map[string]bool{}}
	return service.Definition{Name: "payment-service", Actions: map[string]service.Action{
		"process_payment": {Do: p.charge},
		"void_payment":    {Undo: void, Undoes: "process_payment"},
		"refund_payment":  {Do: refund, Undo: refundPayment, Undoes: "process_payment"},
	}}
}

type payments struct {
	slow time.Duration

	mu    sync.Mutex
	flaky map[string]bool // commands that were told RETRY and will succeed next
}

type charge struct {
	PaymentID     string      `json:"paymentId"`
	PaymentIntent string      `json:"paymentIntent"`
	Provider      string      `json:"provider"`
	Amount        json.Number `json:"amount"`
	Currency      string      `json:"currency"`
	Status        string      `json:"status"`
}

// paymentParameters accepts the token under the names it goes by.
type paymentParameters struct {
	money
	Token        string `json:"token"`
	PaymentToken string `json:"paymentToken"`
}

func (p *payments) charge(c *coordination.Command) (service.Decision, error) {
	in, err := read[paymentParameters](c)
	if err != nil {
		return service.Decision{}, err
	}
	token := in.Token
	if token == "" {
		token = in.PaymentToken
	}
	if token == "" {
		return service.Decision{}, errToken
	}
	m, err := in.valid()
	if err != nil {
		return service.Decision{}, err
	}
	captured, err := service.Succeed("charge", charge{
		PaymentID:     service.ID("pay-", c.CommandID),
		PaymentIntent: intent(c.CommandID),
		Provider:      provider,
		Amount:        m.Amount,
		Currency:      m.Currency,
		Status:        "CAPTURED",
	})
	return p.behave(token, c.CommandID, captured), err
}

// behave applies what the token triggers.
func (p *payments) behave(token, key string, captured service.Decision) service.Decision {
	switch token {
	case TokenDeclined:
		return service.Reject("PAYMENT_DECLINED", "Payment was declined by the issuing bank")
	case TokenFlaky:
		if p.firstTry(key) {
			return service.Retry("PROVIDER_TIMEOUT", "The payment provider did not answer", flakyPause)
		}
	case TokenSlow:
		return captured.After(p.slow)
	case TokenVoidFails:
		return captured.Remember(voidFails)
	}
	return captured
}

// firstTry tells whether a flaky command is new. A restart forgets that it was
// not, which costs one more attempt.
func (p *payments) firstTry(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flaky[key] {
		delete(p.flaky, key)
		return false
	}
	if len(p.flaky) >= maxFlaky {
		return false
	}
	p.flaky[key] = true
	return true
}

// intent is the provider's name of the payment.
func intent(key string) string {
	return strings.ReplaceAll(service.ID("pi_stripe_", key), "-", "")
}

func void(_ *coordination.Command, done service.Done) (service.Decision, error) {
	return reverse(done, "void", "VOIDED")
}

func refundPayment(_ *coordination.Command, done service.Done) (service.Decision, error) {
	return reverse(done, "refund", "REFUNDED")
}

func reverse(done service.Done, effect, status string) (service.Decision, error) {
	if done.Memo == voidFails {
		return service.Reject("VOID_FAILED", "The payment provider refuses to void this payment"), nil
	}
	paid, err := recall[charge](done.Result)
	if err != nil {
		return service.Decision{}, err
	}
	paid.Status = status
	return service.Succeed(effect, paid)
}

func refund(c *coordination.Command) (service.Decision, error) {
	in, err := read[struct {
		money
		RefundAmount json.Number `json:"refundAmount"`
	}](c)
	if err != nil {
		return service.Decision{}, err
	}
	if in.Amount == "" {
		in.Amount = in.RefundAmount
	}
	m, err := in.valid()
	if err != nil {
		return service.Decision{}, err
	}
	return service.Succeed("refund", struct {
		RefundID string      `json:"refundId"`
		Provider string      `json:"provider"`
		Amount   json.Number `json:"amount"`
		Currency string      `json:"currency"`
		Status   string      `json:"status"`
	}{service.ID("ref-", c.CommandID), provider, m.Amount, m.Currency, "REFUNDED"})
}
