package domain

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// personal is an input with everything sensitive in it.
const personal = `{"orderId":"ord-1","paymentMethod":{"type":"CARD","token":"tok_canary","amount":9.95},"shippingAddress":{"name":"Zoë O'Hara",
	"street":"17 Canary Street","city":"Springfield","zipCode":"10001","country":"US","phone":"+15550123"}}`

func personalState() State { return State{Input: json.RawMessage(personal)} }

func TestSensitiveTextsAreTakenOut(t *testing.T) {
	t.Parallel()
	s := personalState()
	r := s.Redactor()
	for text, want := range map[string]string{
		"":                            "",
		"The card was declined":       "The card was declined",
		"tok_canary":                  "[redacted]",
		"token tok_canary is unknown": "token [redacted] is unknown",
		"TOK_CANARY/tok_canary":       "[redacted]/[redacted]",
		"no such address: 17 CANARY street, Springfield 10001": "no such address: [redacted], Springfield 10001",
		"Dear ZOË O'HARA, call +15550123":                      "Dear [redacted], call [redacted]",
		"xtok_canary tok_canaryx":                              "xtok_canary tok_canaryx", // other words
		"tok_canary1 tok_canary":                               "tok_canary1 [redacted]",
		"+155501234":                                           "+155501234",
		"broken \xff tok_canary":                               "broken ? [redacted]",
		"zoë":                                                  "zoë",
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestSensitiveTextsAreTakenOutOfJSON(t *testing.T) {
	t.Parallel()
	s := personalState()
	r := s.Redactor()
	for raw, want := range map[string]string{
		``:                                   ``,
		`{"n": 1, "a":[true,null]}`:          `{"n": 1, "a":[true,null]}`,
		`{"n":1.50,"to":"17 Canary Street"}`: `{"n":1.50,"to":"[redacted]"}`,
		`[["for Zoë O'Hara"]]`:               `[["for [redacted]"]]`,
		`{"\u0074ok_canary":{"x":"\u0074ok_canary"}}`: `{"[redacted]":{"x":"[redacted]"}}`,
		`{"id":"a\\b"}`:       `{"id":"a\\b"}`,
		`not JSON tok_canary`: `not JSON tok_canary`,
	} {
		if got := string(r.JSON(json.RawMessage(raw))); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}

func TestWhatIsTooShortOrNoTextIsNotLookedFor(t *testing.T) {
	t.Parallel()
	for _, input := range []string{``, `{}`, `[]`, `{"paymentMethod":1}`, `{"paymentMethod":{"token":["tok"]}}`,
		`{"shippingAddress":{"name":"Al","street":" ","phone":null}}`} {
		s := State{Input: json.RawMessage(input)}
		if r := s.Redactor(); len(r.words) > 0 {
			t.Errorf("%s: %q", input, r.words)
		}
	}
}

func TestPathsOfWhatIsSensitive(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"": true, "paymentMethod": true, "paymentMethod.token": true, "paymentMethod.token.x": true, "shippingAddress": true,
		"shippingAddress.name": true, "shippingAddress.zipCode": true, "paymentMethod.amount": false, "shippingAddress.country": false,
		"orderId": false, "token": false,
	} {
		if got := IsSensitive(strings.FieldsFunc(path, func(r rune) bool { return r == '.' })); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// TestParticipantsCannotMakeSensitiveTextsPublic: what a participant says of
// an error is recorded without them, what it answers is shown without them, and
// what later commands are made of is as it was answered.
func TestParticipantsCannotMakeSensitiveTextsPublic(t *testing.T) {
	t.Parallel()
	tmpl := loadTemplate(t, "order")
	s := New("wf-1", tmpl)
	step := func(c Command) []Event {
		t.Helper()
		next, events, err := Advance(s, c)
		if err != nil {
			t.Fatal(err)
		}
		s = next
		return events
	}
	step(Start{SagaID: "saga-1", BusinessKey: "ord-1", Input: json.RawMessage(personal), Secret: make([]byte, 16)})
	answer := func(a Answer) []Event {
		t.Helper()
		for i := range s.Steps {
			if s.Steps[i].InFlight() {
				a.CommandID = CommandID(s.SagaID, s.Steps[i].Run, tmpl.Steps[i].Name, false, s.Steps[i].Key)
				return step(a)
			}
		}
		t.Fatal("nothing is in flight")
		return nil
	}
	answer(Answer{Outcome: Succeeded, Result: json.RawMessage(`{"reservationId":"for tok_canary"}`)})
	shown := s.Redacted()
	if got := string(shown.Steps[0].Result) + string(shown.Context()["reservationId"]); strings.Contains(got, "canary") {
		t.Errorf("shown: %s", got)
	}
	if got := string(s.Steps[0].Result) + string(s.Context()["reservationId"]); strings.Count(got, "for tok_canary") != 2 {
		t.Errorf("used: %s", got)
	}
	message := "17 Canary Street, +15550123, Zoë O'Hara and tok_canary"
	events := answer(Answer{Outcome: Rejected, Error: &StepError{Code: "NO", Message: message}})
	data, err := json.Marshal(events)
	if err != nil || strings.Contains(strings.ToLower(string(data)), "canary") || !strings.Contains(string(data), "[redacted], [redacted], [redacted] and [redacted]") {
		t.Errorf("recorded: %s, %v", data, err)
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("tok_canary", "TOK_CANARY tok_canary.")
	f.Add("İstanbul", "istanbul İSTANBUL")
	f.Add("aa", "aaaa aa")
	f.Add("[redacted]", "[redacted]")
	f.Fuzz(func(t *testing.T, word, text string) {
		input, err := json.Marshal(map[string]any{"paymentMethod": map[string]string{"token": word}})
		if err != nil {
			t.Fatal(err)
		}
		s := State{Input: input}
		r := s.Redactor()
		got := r.Text(text)
		if !utf8.ValidString(got) {
			t.Errorf("%q is shown as %q", text, got)
		}
		if len(r.words) == 0 {
			return
		}
		if hidden := r.Text(" " + r.words[0] + " "); hidden != " "+Redacted+" " {
			t.Errorf("the word itself is shown as %q", hidden)
		}
		if raw, err := json.Marshal(text); err == nil {
			if shown := r.JSON(raw); !json.Valid(shown) {
				t.Errorf("%s is shown as %s", raw, shown)
			}
		}
	})
}
