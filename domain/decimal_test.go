package domain

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func TestDecimalCompare(t *testing.T) {
	t.Parallel()
	huge := "9" + strings.Repeat("0", 30)
	tests := []struct {
		a, b string
		want int
	}{
		{"0", "-0", 0},
		{"0", "0.000e77", 0},
		{"1", "1.0", 0},
		{"100", "1e2", 0},
		{"0.1", "1e-1", 0},
		{"1", "2", -1},
		{"9", "10", -1},
		{"-9", "-10", 1},
		{"-1", "1", -1},
		{"0", "1e-999999999", -1},
		{"0", "-1e-999999999", 1},
		{"0.12", "0.123", -1},
		{"12", "1.23e1", -1},
		{"9007199254740993", "9007199254740992", 1}, // equal as binary fractions
		{"0.1", "0.1000000000000000055511151231257827", -1},
		{"1e999999999", "1e999999998", 1},
		{"1e" + huge, "9e17", 1},
		{"1e-" + huge, "1e-99999", -1},
		{"-1e" + huge, "1e" + huge, -1},
	}
	for _, tt := range tests {
		a, okA := scanDecimal(tt.a)
		b, okB := scanDecimal(tt.b)
		if !okA || !okB {
			t.Fatalf("%q or %q is not read as a number", tt.a, tt.b)
		}
		if got, ok := a.compare(b); !ok || got != tt.want {
			t.Errorf("compare(%s, %s) = %d, %v; want %d", tt.a, tt.b, got, ok, tt.want)
		}
		if got, ok := b.compare(a); !ok || got != -tt.want {
			t.Errorf("compare(%s, %s) = %d, %v; want %d", tt.b, tt.a, got, ok, -tt.want)
		}
	}
}

func TestDecimalCompareSaysWhenItCannotTell(t *testing.T) {
	t.Parallel()
	a, _ := scanDecimal("1e9999999999999999999")
	b, _ := scanDecimal("1e99999999999999999999")
	if order, ok := a.compare(b); ok {
		t.Errorf("compare = %d of two numbers beyond counting", order)
	}
}

// A number is what encoding/json takes for one, and is ordered as big.Rat orders it.
func FuzzDecimal(f *testing.F) {
	for _, pair := range [][2]string{{"0", "-0"}, {"1.50", "15e-1"}, {"01", "1."}, {"-1e5", "1E+5"}, {"0.0001", "1e-4"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, textA, textB string) {
		a, okA := scanDecimal(textA)
		b, okB := scanDecimal(textB)
		if want := isJSONNumber(textA); okA != want {
			t.Fatalf("%q read as a number: %v, want %v", textA, okA, want)
		}
		if !okA || !okB || len(textA) > 100 || len(textB) > 100 || a.far() || b.far() {
			return
		}
		ratA, _ := new(big.Rat).SetString(textA)
		ratB, _ := new(big.Rat).SetString(textB)
		if order, ok := a.compare(b); !ok || order != ratA.Cmp(ratB) {
			t.Fatalf("compare(%s, %s) = %d, %v; want %d", textA, textB, order, ok, ratA.Cmp(ratB))
		}
	})
}

// far reports an exponent that big.Rat would spell out, or one (of zero) that was dropped.
func (d decimal) far() bool {
	return d.digits == "" && d.scientific || d.exponent > 1000 || d.exponent < -1000
}

func isJSONNumber(text string) bool {
	return text != "" && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') &&
		strings.TrimSpace(text) == text && json.Valid([]byte(text))
}
