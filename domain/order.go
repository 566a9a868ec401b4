package domain

import (
	"errors"
	"fmt"
)

// The types of a Charge.
const (
	ChargeTax      = "TAX"
	ChargeShipping = "SHIPPING"
	ChargeDiscount = "DISCOUNT"
	ChargeOther    = "OTHER"
)

// What can be wrong with the sums of an order, beside the errors of Money.
var (
	// ErrQuantity: a line has a quantity below 1.
	ErrQuantity = errors.New("quantity is below 1")
	// ErrChargeType: a charge is of none of the known types.
	ErrChargeType = errors.New("charge type is none of TAX, SHIPPING, DISCOUNT, OTHER")
	// ErrDiscountTooLarge: the discounts are more than all the rest.
	ErrDiscountTooLarge = errors.New("discounts are larger than the amount they reduce")
)

// Line is one position of an order: Quantity (at least 1) pieces at UnitPrice each.
type Line struct {
	Quantity  int64
	UnitPrice Money
}

// Charge is an amount beside the lines: ChargeTax, ChargeShipping and
// ChargeOther add to the order, ChargeDiscount reduces it. Amount is never negative.
type Charge struct {
	Type   string
	Amount Money
}

// OrderTotal is what the customer owes: Σ quantity × unit price, plus the
// charges, minus the discounts, whatever order the charges are listed in. All
// amounts must be of the given currency. An order without lines or charges is
// zero. Errors are those of Money, ErrQuantity, ErrChargeType and
// ErrDiscountTooLarge; they name the line or charge by its index.
func OrderTotal(currency string, lines []Line, charges []Charge) (Money, error) {
	total, err := NewMoney(0, currency)
	if err != nil {
		return Money{}, err
	}
	discount := total
	for i, line := range lines {
		if total, err = line.addTo(total); err != nil {
			return Money{}, fmt.Errorf("line %d: %w", i, err)
		}
	}
	for i, charge := range charges {
		switch charge.Type {
		case ChargeTax, ChargeShipping, ChargeOther:
			total, err = total.Add(charge.Amount)
		case ChargeDiscount:
			discount, err = discount.Add(charge.Amount)
		default:
			err = ErrChargeType
		}
		if err != nil {
			return Money{}, fmt.Errorf("charge %d: %w", i, err)
		}
	}
	total, err = total.Sub(discount)
	if err != nil { // same currency, both in range: only the sign can be wrong
		return Money{}, ErrDiscountTooLarge
	}
	return total, nil
}

func (l Line) addTo(total Money) (Money, error) {
	if l.Quantity < 1 {
		return Money{}, ErrQuantity
	}
	amount, err := l.UnitPrice.Mul(l.Quantity)
	if err != nil {
		return Money{}, err
	}
	return total.Add(amount)
}
