package shop

import (
	"encoding/json"
	"errors"
	"regexp"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Limits of parameters.
const (
	maxItems    = 500
	maxQuantity = 1_000_000
)

// Mistakes in parameters. They name what is wrong and never quote it.
var (
	errParameters = errors.New("parameters is not an object with members of the expected types")
	errItems      = errors.New("items needs 1 to 500 entries with a productId and a quantity from 1 to 1000000")
	errAmount     = errors.New("amount must be a decimal number that is not negative")
	errCurrency   = errors.New("currency must have three capital letters")
	errToken      = errors.New("token is missing")
)

// item is a line of an order, a return or a delivery.
type item struct {
	ProductID   string `json:"productId"`
	Quantity    int    `json:"quantity"`
	WarehouseID string `json:"warehouseId"`
}

// read decodes the parameters of a command. Unknown members are ignored.
func read[T any](c *coordination.Command) (T, error) {
	var p T
	if len(c.Parameters) > 0 && json.Unmarshal(c.Parameters, &p) != nil {
		return p, errParameters
	}
	return p, nil
}

// quantity returns the number of pieces in valid items.
func quantity(items []item) (int, error) {
	if len(items) == 0 || len(items) > maxItems {
		return 0, errItems
	}
	total := 0
	for _, i := range items {
		if i.ProductID == "" || i.Quantity < 1 || i.Quantity > maxQuantity {
			return 0, errItems
		}
		total += i.Quantity
	}
	return total, nil
}

// decimal is a number as it is written in a bill: no exponent, so that it can
// be handed on digit by digit and never becomes a float.
var decimal = regexp.MustCompile(`^\d{1,15}(\.\d{1,4})?$`)

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

const defaultCurrency = "USD"

// money is an amount on its way through; this shop never calculates with it.
type money struct {
	Amount   json.Number `json:"amount"`
	Currency string      `json:"currency"`
}

func (m money) valid() (money, error) {
	if m.Currency == "" {
		m.Currency = defaultCurrency
	}
	if !decimal.MatchString(m.Amount.String()) {
		return m, errAmount
	}
	if !currencyCode.MatchString(m.Currency) {
		return m, errCurrency
	}
	return m, nil
}

// recall reads back the result of an effect, which this package once wrote.
func recall[T any](result json.RawMessage) (T, error) {
	var r T
	if json.Unmarshal(result, &r) != nil {
		return r, errors.New("the recorded result is not readable")
	}
	return r, nil
}
