package domain

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func usd(t *testing.T, text string) Money {
	t.Helper()
	m, err := ParseMoney(text, "USD")
	if err != nil {
		t.Fatalf("%s USD: %v", text, err)
	}
	return m
}

func TestOrderTotal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		lines   []Line
		charges []Charge
		want    string
	}{
		{"nothing", nil, nil, "0.00"},
		{"two lines", []Line{{2, usd(t, "599.99")}, {1, usd(t, "299.99")}}, nil, "1499.97"},
		{"three dimes", []Line{{3, usd(t, "0.10")}}, nil, "0.30"},
		{"free of charge", []Line{{1, usd(t, "0")}}, nil, "0.00"},
		{"every charge", []Line{{1, usd(t, "100")}}, []Charge{
			{ChargeTax, usd(t, "8.25")}, {ChargeShipping, usd(t, "5")}, {ChargeOther, usd(t, "0.75")},
			{ChargeDiscount, usd(t, "14")},
		}, "100.00"},
		{"discount listed before what it reduces", nil,
			[]Charge{{ChargeDiscount, usd(t, "5")}, {ChargeShipping, usd(t, "5")}}, "0.00"},
		{"largest", []Line{{1, usd(t, "1000000000000")}}, nil, "1000000000000.00"},
	}
	for _, tt := range tests {
		if got, err := OrderTotal("USD", tt.lines, tt.charges); err != nil || got != usd(t, tt.want) {
			t.Errorf("%s: %v, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestOrderTotalRefuses(t *testing.T) {
	t.Parallel()
	one, yen := usd(t, "1"), Money{1, "JPY"}
	tests := []struct {
		name     string
		currency string
		lines    []Line
		charges  []Charge
		want     error
		place    string
	}{
		{"unknown currency", "EURO", nil, nil, ErrCurrencyUnknown, ""},
		{"no quantity", "USD", []Line{{1, one}, {0, one}}, nil, ErrQuantity, "line 1"},
		{"negative quantity", "USD", []Line{{-1, one}}, nil, ErrQuantity, "line 0"},
		{"line in another currency", "USD", []Line{{1, yen}}, nil, ErrCurrencyMismatch, "line 0"},
		{"line too large", "USD", []Line{{math.MaxInt64, one}}, nil, ErrMoneyRange, "line 0"},
		{"sum too large", "USD", []Line{{1, usd(t, "1000000000000")}, {1, one}}, nil, ErrMoneyRange, "line 1"},
		{"unknown charge", "USD", nil, []Charge{{"tax", one}}, ErrChargeType, "charge 0"},
		{"charge in another currency", "USD", nil, []Charge{{ChargeDiscount, yen}}, ErrCurrencyMismatch, "charge 0"},
		{"negative charge", "USD", nil, []Charge{{ChargeTax, Money{-1, "USD"}}}, ErrMoneyNegative, "charge 0"},
		{"discount above the rest", "USD", []Line{{1, one}}, []Charge{{ChargeDiscount, usd(t, "1.01")}}, ErrDiscountTooLarge, ""},
	}
	for _, tt := range tests {
		got, err := OrderTotal(tt.currency, tt.lines, tt.charges)
		if got != (Money{}) || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.place) {
			t.Errorf("%s: %v, %v; want %v at %q", tt.name, got, err, tt.want, tt.place)
		}
	}
}

// The total does not depend on the order in which lines and charges are listed,
// and splitting a line changes nothing.
func FuzzOrderTotal(f *testing.F) {
	f.Add(int64(2), int64(59999), int64(1), int64(29999), int64(825), int64(500))
	f.Add(int64(1), int64(0), int64(3), int64(10), int64(0), int64(31))
	f.Fuzz(func(t *testing.T, quantityA, priceA, quantityB, priceB, tax, discount int64) {
		lineA, lineB := Line{quantityA, Money{priceA, "USD"}}, Line{quantityB, Money{priceB, "USD"}}
		taxed, reduced := Charge{ChargeTax, Money{tax, "USD"}}, Charge{ChargeDiscount, Money{discount, "USD"}}
		got, err := OrderTotal("USD", []Line{lineA, lineB}, []Charge{taxed, reduced})
		turned, turnedErr := OrderTotal("USD", []Line{lineB, lineA}, []Charge{reduced, taxed})
		if got != turned || (err == nil) != (turnedErr == nil) {
			t.Fatalf("%v, %v; in another order %v, %v", got, err, turned, turnedErr)
		}
		if err != nil {
			return
		}
		if want := quantityA*priceA + quantityB*priceB + tax - discount; got.Minor != want {
			t.Fatalf("total %d, want %d", got.Minor, want)
		}
		if quantityA > 1 {
			split := []Line{{quantityA - 1, lineA.UnitPrice}, {1, lineA.UnitPrice}, lineB}
			if again, err := OrderTotal("USD", split, []Charge{taxed, reduced}); err != nil || again != got {
				t.Fatalf("split: %v, %v; want %v", again, err, got)
			}
		}
	})
}
