package rest

import (
	"strings"
	"testing"
)

// cards are test numbers of payment networks.
var cards = []string{
	"4242424242424242", "4222222222222", "4111111111111111", "5555555555554444", "2223003122003222", "378282246310005",
	"371449635398431", "6011111111111117", "30569309025904", "3530111333300000", "6304000000000000", "6200000000000005",
}

func grouped4(card string) []string {
	var groups []string
	for ; len(card) > 4; card = card[4:] {
		groups = append(groups, card[:4])
	}
	return append(groups, card)
}

func TestCardNumbersAreFoundInText(t *testing.T) {
	t.Parallel()
	for _, card := range cards {
		groups := grouped4(card)
		for _, text := range []string{
			card, strings.Join(groups, " "), strings.Join(groups, "-"), strings.Join(groups, "  "), strings.Join(groups, " - "),
			strings.Join(groups, "\u00a0"), strings.Join(groups, "\u2011"), "(" + card + ")", "card:" + card, "pan=" + card + ";cvc=123",
			"paid with " + strings.Join(groups, " ") + " today", "7 " + strings.Join(groups, " ") + " 8", "\t" + card + "\n", "é" + "," + card,
		} {
			if !holdsCardNumber(text) {
				t.Errorf("%q is not found", text)
			}
		}
		if !isCardNumber(" " + strings.Join(groups, "-")) {
			t.Errorf("%s is not a card number", card)
		}
	}
}

func TestWhatIsNoCardNumberIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                        "",
		"a token":                        "tok_visa_4242",
		"a wrong check digit":            "4242424242424241",
		"twelve digits":                  "424242424242",
		"twenty digits":                  "42424242424242424242",
		"milliseconds since 1970":        "1700000000008",
		"microseconds since 1970":        "1700000000000003",
		"a time of digits":               "20240115103000127",
		"a UUID":                         "550e8400-e29b-4242-8424-242424242424",
		"a digest":                       "a4242424242424242f",
		"an identifier":                  "ord-4242-4242-4242-4242",
		"an identifier with underscores": "ref_4242424242424242",
		"a phone number":                 "+5511987654329",
		"a number with a fraction":       "42424242.42424242",
		"dates":                          "2024-01-15 2024-01-16",
		"other digits":                   "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
	} {
		if holdsCardNumber(text) {
			t.Errorf("%s: %q is taken for a card number", name, text)
		}
	}
}

func FuzzCards(f *testing.F) {
	for _, text := range []string{"4242 4242 4242 4242", "a-1,+2 3", "", "\xff4-4", "{\"a\":[4242424242424242]}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := holdsCardNumber(text)
		if !found && isCardNumber(text) && isIssued(strings.Map(digitsOnly, text)) {
			t.Errorf("%q is a card number and holds none", text)
		}
		for _, err := range cardFaults([]byte(text), "body.metadata") {
			if holdsCardNumber(err.Error()) {
				t.Errorf("the fault quotes the number: %v", err)
			}
		}
	})
}

func digitsOnly(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}
