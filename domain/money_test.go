package domain

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestParseMoneyReadsExactly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		minor          int64
		printed        string
	}{
		{"0", "USD", 0, "0.00"},
		{"0.00", "USD", 0, "0.00"},
		{"1499.97", "USD", 149997, "1499.97"},
		{"599.9", "USD", 59990, "599.90"},
		{"0.05", "USD", 5, "0.05"},
		{"0.1", "USD", 10, "0.10"},
		{"1500", "JPY", 1500, "1500"},
		{"1.234", "KWD", 1234, "1.234"},
		{"0.0001", "CLF", 1, "0.0001"},
		{"15e-1", "USD", 150, "1.50"},
		{"1.5E3", "USD", 150000, "1500.00"},
		{"1.500e0", "USD", 150, "1.50"},
		{"15000e-3", "USD", 1500, "15.00"},
		{"1e3", "JPY", 1000, "1000"},
		{"10e-1", "JPY", 1, "1"},
		{"0e999999999999999999999999", "USD", 0, "0.00"},
		{"0e-999999999999999999999999", "USD", 0, "0.00"},
		{"1000000000000", "USD", 100_000_000_000_000, "1000000000000.00"},
		{"1e12", "CLF", 10_000_000_000_000_000, "1000000000000.0000"},
	}
	for _, tt := range tests {
		got, err := ParseMoney(tt.text, tt.currency)
		if err != nil || got != (Money{tt.minor, tt.currency}) {
			t.Errorf("ParseMoney(%q, %s) = %+v, %v; want %d", tt.text, tt.currency, got, err, tt.minor)
		}
		if got.Text() != tt.printed {
			t.Errorf("%q %s prints as %q, want %q", tt.text, tt.currency, got.Text(), tt.printed)
		}
	}
}

func TestParseMoneyRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, currency string
		want           error
	}{
		{"1", "usd", ErrCurrencyUnknown},
		{"1", "", ErrCurrencyUnknown},
		{"1", "XAU", ErrCurrencyUnknown},
		{"1", "XXX", ErrCurrencyUnknown},
		{"", "USD", ErrMoneySyntax},
		{"01", "USD", ErrMoneySyntax},
		{"1.", "USD", ErrMoneySyntax},
		{".5", "USD", ErrMoneySyntax},
		{"+1", "USD", ErrMoneySyntax},
		{" 1", "USD", ErrMoneySyntax},
		{"1 ", "USD", ErrMoneySyntax},
		{`"1"`, "USD", ErrMoneySyntax},
		{"1,5", "USD", ErrMoneySyntax},
		{"1e", "USD", ErrMoneySyntax},
		{"1e+", "USD", ErrMoneySyntax},
		{"1e1.5", "USD", ErrMoneySyntax},
		{"0x10", "USD", ErrMoneySyntax},
		{"1_000", "USD", ErrMoneySyntax},
		{"NaN", "USD", ErrMoneySyntax},
		{"null", "USD", ErrMoneySyntax},
		{"١", "USD", ErrMoneySyntax},
		{"0." + strings.Repeat("0", MaxMoneyText), "USD", ErrMoneySyntax},
		{"-1", "USD", ErrMoneyNegative},
		{"-0", "USD", ErrMoneyNegative},
		{"-0.00", "USD", ErrMoneyNegative},
		{"1.001", "USD", ErrMoneyPrecision},
		{"1.500", "USD", ErrMoneyPrecision},
		{"0.000", "USD", ErrMoneyPrecision},
		{"1.0", "JPY", ErrMoneyPrecision},
		{"1e-1", "JPY", ErrMoneyPrecision},
		{"1.2345", "KWD", ErrMoneyPrecision},
		{"1e-999999999999999999999999", "USD", ErrMoneyPrecision},
		{"1000000000000.01", "USD", ErrMoneyRange},
		{"1000000000001", "JPY", ErrMoneyRange},
		{"1e13", "USD", ErrMoneyRange},
		{"92233720368547758.08", "USD", ErrMoneyRange},
		{"1e999999999999999999999999", "USD", ErrMoneyRange},
	}
	for _, tt := range tests {
		if got, err := ParseMoney(tt.text, tt.currency); !errors.Is(err, tt.want) {
			t.Errorf("ParseMoney(%q, %q) = %+v, %v; want %v", tt.text, tt.currency, got, err, tt.want)
		}
	}
}

func TestMoneyErrorsNameTheLimitAndNotTheAmount(t *testing.T) {
	t.Parallel()
	_, err := ParseMoney("77.123", "USD")
	if err == nil || !strings.Contains(err.Error(), "USD has at most 2") || strings.Contains(err.Error(), "77") {
		t.Errorf("error %q should name the currency's limit only", err)
	}
}

func TestMoneyArithmetic(t *testing.T) {
	t.Parallel()
	limit := Money{100_000_000_000_000, "USD"}
	usd := func(minor int64) Money { return Money{minor, "USD"} }
	tests := []struct {
		name string
		do   func() (Money, error)
		want Money
		err  error
	}{
		{"add", func() (Money, error) { return usd(150).Add(usd(49)) }, usd(199), nil},
		{"add up to the limit", func() (Money, error) { return usd(1).Add(usd(limit.Minor - 1)) }, limit, nil},
		{"add above the limit", func() (Money, error) { return usd(1).Add(limit) }, Money{}, ErrMoneyRange},
		{"add another currency", func() (Money, error) { return usd(1).Add(Money{1, "EUR"}) }, Money{}, ErrCurrencyMismatch},
		{"add what is no amount", func() (Money, error) { return usd(1).Add(usd(-1)) }, Money{}, ErrMoneyNegative},
		{"add to what would overflow", func() (Money, error) { return usd(math.MaxInt64).Add(usd(math.MaxInt64)) }, Money{}, ErrMoneyRange},
		{"add without a currency", func() (Money, error) { return Money{}.Add(Money{}) }, Money{}, ErrCurrencyUnknown},
		{"subtract", func() (Money, error) { return usd(150).Sub(usd(50)) }, usd(100), nil},
		{"subtract all", func() (Money, error) { return usd(150).Sub(usd(150)) }, usd(0), nil},
		{"subtract more", func() (Money, error) { return usd(150).Sub(usd(151)) }, Money{}, ErrMoneyNegative},
		{"subtract another currency", func() (Money, error) { return usd(1).Sub(Money{1, "EUR"}) }, Money{}, ErrCurrencyMismatch},
		{"multiply", func() (Money, error) { return usd(59999).Mul(2) }, usd(119998), nil},
		{"multiply by nothing", func() (Money, error) { return limit.Mul(0) }, usd(0), nil},
		{"multiply nothing", func() (Money, error) { return usd(0).Mul(math.MaxInt64) }, usd(0), nil},
		{"multiply up to the limit", func() (Money, error) { return usd(1).Mul(limit.Minor) }, limit, nil},
		{"multiply above the limit", func() (Money, error) { return usd(2).Mul(limit.Minor/2 + 1) }, Money{}, ErrMoneyRange},
		{"multiply beyond int64", func() (Money, error) { return limit.Mul(math.MaxInt64) }, Money{}, ErrMoneyRange},
		{"multiply by less than nothing", func() (Money, error) { return usd(1).Mul(-1) }, Money{}, ErrMoneyNegative},
		{"multiply without a currency", func() (Money, error) { return Money{Minor: 1}.Mul(1) }, Money{}, ErrCurrencyUnknown},
	}
	for _, tt := range tests {
		if got, err := tt.do(); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// Three times ten cents is thirty cents; in binary fractions it is not.
func TestMoneyIsDecimal(t *testing.T) {
	t.Parallel()
	dime, err := ParseMoney("0.10", "USD")
	if err != nil {
		t.Fatal(err)
	}
	product, _ := dime.Mul(3)
	sum, _ := dime.Add(dime)
	sum, _ = sum.Add(dime)
	if product.Text() != "0.30" || sum != product {
		t.Errorf("3 × 0.10 = %s, 0.10 + 0.10 + 0.10 = %s; want 0.30", product, sum)
	}
}

func TestMoneyPrintsEveryValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		money Money
		want  string
	}{
		{Money{}, "0"},
		{Money{7, "???"}, "7"},
		{Money{-5, "USD"}, "-0.05"},
		{Money{-150, "USD"}, "-1.50"},
		{Money{math.MinInt64, "USD"}, "-92233720368547758.08"},
		{Money{math.MaxInt64, "CLF"}, "922337203685477.5807"},
	}
	for _, tt := range tests {
		if got := tt.money.Text(); got != tt.want {
			t.Errorf("%#v prints as %q, want %q", tt.money, got, tt.want)
		}
	}
	if got := (Money{149997, "USD"}).String(); got != "1499.97 USD" {
		t.Errorf("String is %q", got)
	}
}

func TestMoneyMarshalsAsNumber(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(struct {
		Amount Money `json:"amount"`
	}{Money{149997, "USD"}})
	if err != nil || string(got) != `{"amount":1499.97}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestCurrencyExponents(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]int{
		"USD": 2, "EUR": 2, "MGA": 2, "MRU": 2, "HUF": 2, "XCG": 2, "ZWG": 2, "JPY": 0, "KRW": 0, "ISK": 0, "UGX": 0,
		"XOF": 0, "VND": 0, "KWD": 3, "BHD": 3, "TND": 3, "IQD": 3, "CLF": 4, "UYW": 4,
	} {
		if got, ok := CurrencyExponent(currency); !ok || got != want {
			t.Errorf("CurrencyExponent(%s) = %d, %v; want %d", currency, got, ok, want)
		}
	}
	for _, currency := range []string{"", "usd", "US", "USDX", "DEM", "HRK", "XAU", "XDR", "XTS", "XXX"} {
		if got, ok := CurrencyExponent(currency); ok {
			t.Errorf("CurrencyExponent(%q) = %d, want unknown", currency, got)
		}
	}
}

// Whatever is read as an amount has exactly the value of its text, is within
// its limits, and is read back the same from what it prints.
func FuzzParseMoney(f *testing.F) {
	for _, text := range []string{"0", "1499.97", "599.9", "15e-1", "1e12", "-0", "1.500", "0e99", "1e-99999999999999999999"} {
		for _, currency := range []string{"USD", "JPY", "KWD", "CLF", "usd"} {
			f.Add(text, currency)
		}
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		m, err := ParseMoney(text, currency)
		if err != nil {
			if m != (Money{}) {
				t.Fatalf("error %v with amount %+v", err, m)
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is not JSON", text)
		}
		again, err := ParseMoney(m.Text(), currency)
		if err != nil || again != m {
			t.Fatalf("%q prints as %q, read back as %+v, %v", text, m.Text(), again, err)
		}
		if len(text) > 30 || strings.ContainsAny(text, "eE") && m.Minor == 0 {
			return // an exponent of zero may be too large for big.Rat
		}
		want, _ := new(big.Rat).SetString(text)
		if got, _ := new(big.Rat).SetString(m.Text()); got.Cmp(want) != 0 {
			t.Fatalf("%q was read as %s", text, m.Text())
		}
	})
}

// Every amount there can be is read back from its text.
func FuzzMoneyText(f *testing.F) {
	f.Add(int64(0), uint8(0))
	f.Add(int64(149997), uint8(1))
	f.Add(int64(100_000_000_000_000), uint8(1))
	currencies := []string{"JPY", "USD", "KWD", "CLF"}
	f.Fuzz(func(t *testing.T, minor int64, which uint8) {
		m, err := NewMoney(minor, currencies[int(which)%len(currencies)])
		if err != nil {
			return
		}
		if back, err := ParseMoney(m.Text(), m.Currency); err != nil || back != m {
			t.Fatalf("%+v prints as %q, read back as %+v, %v", m, m.Text(), back, err)
		}
	})
}
