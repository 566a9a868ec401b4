package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// DefaultCurrency is the currency of a payment that names none.
const DefaultCurrency = "USD"

// Limits of metadata.
const (
	MaxMetadataBytes = 16 << 10
	MaxMetadataDepth = 8
)

// orderFaults are the faults of an order that its schema cannot express.
func orderFaults(o *coordination.OrderRequest, at string) []error {
	errs := metadataFaults(o.Metadata, at+".metadata")
	errs = append(errs, tokenFault(o.PaymentMethod.Token.Reveal(), at+".paymentMethod.token")...)
	currency := currencyOf(&o.PaymentMethod)
	if fault := currencyFault(currency, at+".paymentMethod.currency"); fault != nil {
		return append(errs, fault)
	}
	check := func(amount coordination.Amount, path string) {
		if fault := amountFault(amount, currency, path); fault != nil {
			errs = append(errs, fault)
		}
	}
	for i := range o.Items {
		check(o.Items[i].UnitPrice, at+".items["+strconv.Itoa(i)+"].unitPrice")
	}
	for i := range o.Charges {
		check(o.Charges[i].Amount, at+".charges["+strconv.Itoa(i)+"].amount")
	}
	check(o.PaymentMethod.Amount, at+".paymentMethod.amount")
	return errs
}

func returnFaults(r *coordination.ReturnRequest, at string) []error {
	errs := metadataFaults(r.Metadata, at+".metadata")
	currency := r.Currency
	if currency == "" {
		currency = DefaultCurrency
	}
	if fault := currencyFault(currency, at+".currency"); fault != nil {
		return append(errs, fault)
	}
	if fault := amountFault(r.RefundAmount, currency, at+".refundAmount"); fault != nil {
		errs = append(errs, fault)
	}
	return errs
}

func currencyOf(p *coordination.PaymentMethod) string {
	if p.Currency == "" {
		return DefaultCurrency
	}
	return p.Currency
}

func currencyFault(currency, path string) error {
	if _, known := domain.CurrencyExponent(currency); !known {
		return violation(path, domain.ErrCurrencyUnknown.Error())
	}
	return nil
}

// amountFault is what is wrong with an amount; an absent one is none of its business.
func amountFault(amount coordination.Amount, currency, path string) error {
	if amount == "" {
		return nil
	}
	if _, err := domain.ParseMoney(string(amount), currency); err != nil {
		return violation(path, err.Error())
	}
	return nil
}

// priceOrder fills in currency and amount, and refuses an amount that is not
// the sum of what it is for.
func priceOrder(o *coordination.OrderRequest) error {
	o.PaymentMethod.Currency = currencyOf(&o.PaymentMethod)
	total, err := orderTotal(o)
	switch {
	case errors.Is(err, domain.ErrDiscountTooLarge):
		return newError(coordination.ErrBusinessRuleViolation, "The discounts are larger than the order", nil)
	case err != nil:
		return invalid(coordination.Violation{Path: "body.items", Message: err.Error()})
	}
	if o.PaymentMethod.Amount == "" {
		o.PaymentMethod.Amount = coordination.Amount(total.Text())
		return nil
	}
	given, err := domain.ParseMoney(string(o.PaymentMethod.Amount), total.Currency)
	if err != nil {
		return invalid(coordination.Violation{Path: "body.paymentMethod.amount", Message: err.Error()})
	}
	if given != total {
		return newError(coordination.ErrBusinessRuleViolation, "paymentMethod.amount differs from the total of items and charges",
			amountDetails{Path: "body.paymentMethod.amount", Expected: coordination.Amount(total.Text()), Currency: total.Currency})
	}
	return nil
}

// amountDetails are the details of an amount that does not add up.
type amountDetails struct {
	Path     string              `json:"path"`
	Expected coordination.Amount `json:"expected"`
	Currency string              `json:"currency"`
}

func orderTotal(o *coordination.OrderRequest) (domain.Money, error) {
	currency := o.PaymentMethod.Currency
	lines := make([]domain.Line, len(o.Items))
	for i, item := range o.Items {
		price, err := domain.ParseMoney(string(item.UnitPrice), currency)
		if err != nil {
			return domain.Money{}, err
		}
		lines[i] = domain.Line{Quantity: item.Quantity, UnitPrice: price}
	}
	charges := make([]domain.Charge, len(o.Charges))
	for i, charge := range o.Charges {
		amount, err := domain.ParseMoney(string(charge.Amount), currency)
		if err != nil {
			return domain.Money{}, err
		}
		charges[i] = domain.Charge{Type: string(charge.Type), Amount: amount}
	}
	return domain.OrderTotal(currency, lines, charges)
}

// metadataFaults are the faults of a caller's own JSON object.
func metadataFaults(raw json.RawMessage, path string) []error {
	raw = bytes.TrimSpace(orAbsent(raw))
	switch {
	case len(raw) == 0 || raw[0] != '{': // absent, or refused by the schema
	case len(raw) > MaxMetadataBytes:
		return []error{violation(path, "larger than 16 KiB")}
	case depthOf(raw) > MaxMetadataDepth:
		return []error{violation(path, "nested more than 8 levels deep")}
	default:
		return cardFaults(raw, path)
	}
	return nil
}

// depthOf is how deep valid JSON nests, the outermost value counted.
func depthOf(raw []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
