package coordination_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func TestAmountKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "599.99": "599.99", "599.90": "599.90", "1499.97": "1499.97",
		"123456789012345.123456789": "123456789012345.123456789",
		"1.5e3":                     "1500", "1E+2": "100", "125e-2": "1.25", "5e-9": "0.000000005", "0.00e1": "0.0",
		"0e40": "0",
	} {
		var amount coordination.Amount
		if err := json.Unmarshal([]byte(text), &amount); err != nil || string(amount) != want {
			t.Errorf("decoded %s as %s (%v), want %s", text, amount, err, want)
		}
		if encoded, err := json.Marshal(amount); err != nil || string(encoded) != want {
			t.Errorf("encoded %s as %s (%v)", amount, encoded, err)
		}
	}
}

func TestAmountRefusesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "-1", "-0", "+1", "01", "1.", ".5", "1e", "1e+", "e5", "1.2.3", "0x10", "1_000", "NaN", "Infinity", " 1", "1 ",
		"1234567890123456", "0.1234567891", "1e15", "1e41", "1e99999999999999999999", "1e-10", "٣",
	} {
		if amount, err := coordination.ParseAmount(text); !errors.Is(err, coordination.ErrAmount) {
			t.Errorf("parsed %q as %s (%v)", text, amount, err)
		}
	}
	var amount coordination.Amount
	for _, text := range []string{`"599.99"`, `true`, `{}`, `[1]`} {
		if err := json.Unmarshal([]byte(text), &amount); err == nil {
			t.Errorf("decoded %s as %s", text, amount)
		}
	}
	if encoded, err := json.Marshal(coordination.OrderItem{Quantity: 1}); err == nil {
		t.Errorf("an item without a price is encoded as %s", encoded)
	}
}

func TestAmountErrorsDoNotQuote(t *testing.T) {
	t.Parallel()
	_, err := coordination.ParseAmount("4242424242424242")
	if err == nil || strings.Contains(err.Error(), "4242") {
		t.Errorf("the error is %v", err)
	}
}

func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"0", "599.99", "1e5", "1.5E-3", "00", "-1", "9e40"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := coordination.ParseAmount(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON number but was parsed", text)
		}
		again, err := coordination.ParseAmount(string(amount))
		if err != nil || again != amount {
			t.Fatalf("%q became %q, then %q (%v)", text, amount, again, err)
		}
	})
}

func TestDurationForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"PT0S": 0, "PT0.15S": 150 * time.Millisecond, "PT5S": 5 * time.Second, "PT2M": 2 * time.Minute,
		"PT3M15S": 195 * time.Second, "PT1H": time.Hour, "PT25H0.000000001S": 25*time.Hour + 1, "PT1H1M1.5S": 3661500 * time.Millisecond,
		"PT2562047H47M16.854775807S": math.MaxInt64,
	} {
		var duration coordination.Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &duration); err != nil || duration.Std() != want {
			t.Errorf("decoded %s as %v (%v), want %v", text, duration.Std(), err, want)
		}
		if encoded, err := json.Marshal(coordination.Duration(want)); err != nil || string(encoded) != `"`+text+`"` {
			t.Errorf("encoded %v as %s (%v), want %s", want, encoded, err, text)
		}
	}
	for text, want := range map[string]time.Duration{
		"PT90S": 90 * time.Second, "PT120M": 2 * time.Hour, "PT0.1234567899S": 123456789, "PT00M": 0,
	} {
		if duration, err := coordination.ParseDuration(text); err != nil || duration.Std() != want {
			t.Errorf("parsed %s as %v (%v), want %v", text, duration.Std(), err, want)
		}
	}
	if text := coordination.Duration(-time.Second).String(); text != "PT0S" {
		t.Errorf("a negative duration is written as %s", text)
	}
}

func TestDurationRefusesOtherForms(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "P", "PT", "T5S", "5s", "P1D", "P1DT1H", "P1W", "P1M", "-PT5S", "PT-5S", "+PT5S", "PT5", "PT.5S", "PT5.S", "PT1.5M",
		"PT5S5M", "PT1M1M", "PT1S1S", "pt5s", "PT5s", "PT 5S", "PT5S ", "PTS", "PTM5S", "PT1,5S", "PT1e3S",
		"PT2562047H47M16.854775808S", "PT2562048H", "PT99999999999999999999H", "PT9223372037S", "PT" + strings.Repeat("0", 40) + "S",
	} {
		if duration, err := coordination.ParseDuration(text); !errors.Is(err, coordination.ErrDuration) {
			t.Errorf("parsed %q as %v (%v)", text, duration.Std(), err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"PT0S", "PT1H2M3.4S", "PT", "PT5M5H"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		duration, err := coordination.ParseDuration(text)
		if err != nil {
			return
		}
		again, err := coordination.ParseDuration(duration.String())
		if err != nil || again != duration || duration < 0 {
			t.Fatalf("%q became %v, then %v (%v)", text, duration, again, err)
		}
	})
}

func TestPercentOfRoundsHalfUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, whole int64
		want        string
	}{
		{0, 6, "0"}, {1, 6, "16.67"}, {3, 4, "75"}, {1, 3, "33.33"}, {2, 3, "66.67"}, {6, 6, "100"},
		{1, 20000, "0.01"}, {1, 20001, "0"}, {3, 20000, "0.02"}, {9567, 10234, "93.48"}, {992, 1000, "99.2"}, {5, 99999, "0.01"},
		{2, 1, "200"}, {1, 0, "0"}, {-1, 5, "0"}, {1, -5, "0"},
		{math.MaxInt64, math.MaxInt64, "100"}, {math.MaxInt64 - 1, math.MaxInt64, "100"},
		{math.MaxInt64, 1, "184467440737095516.15"},
	} {
		percent := coordination.PercentOf(c.part, c.whole)
		if encoded, err := json.Marshal(percent); err != nil || string(encoded) != c.want {
			t.Errorf("%d/%d is %s %% (%v), want %s", c.part, c.whole, encoded, err, c.want)
		}
	}
}

func TestPercentDecoding(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"16.67": 1667, "75.0": 7500, "75": 7500, "95.40": 9540, "0": 0, "16.665": 1667, "16.6649": 1666, "1e2": 10000,
	} {
		var percent coordination.Percent
		if err := json.Unmarshal([]byte(text), &percent); err != nil || percent.Hundredths() != want {
			t.Errorf("decoded %s as %d hundredths (%v), want %d", text, percent.Hundredths(), err, want)
		}
	}
	for _, text := range []string{`"5"`, `-1`, `1e30`, `{}`} {
		var percent coordination.Percent
		if err := json.Unmarshal([]byte(text), &percent); err == nil {
			t.Errorf("decoded %s as %v", text, percent)
		}
	}
}

func TestTimeForm(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		`"2024-01-15T10:00:00Z"`:     time.Date(2024, 1, 15, 12, 0, 0, 0, zone),
		`"2024-01-15T10:00:00.120Z"`: time.Date(2024, 1, 15, 10, 0, 0, 120_000_000, time.UTC),
		`"2024-01-15T10:00:00.999Z"`: time.Date(2024, 1, 15, 10, 0, 0, 999_999_999, time.UTC),
	} {
		if encoded, err := json.Marshal(coordination.Time{Time: at}); err != nil || string(encoded) != want {
			t.Errorf("encoded %v as %s (%v), want %s", at, encoded, err, want)
		}
		var decoded coordination.Time
		original, _ := at.MarshalJSON()
		if err := json.Unmarshal(original, &decoded); err != nil || decoded != coordination.At(at) {
			t.Errorf("decoded %s as %v (%v)", original, decoded, err)
		}
	}
	fine := time.Date(2024, 1, 15, 12, 0, 0, 999_999_999, zone)
	if at := coordination.At(fine); at.Nanosecond() != 999_000_000 || at.Location() != time.UTC {
		t.Errorf("%v became %v", fine, at)
	}
	var key struct {
		At map[coordination.Time]int `json:"at"`
	}
	const keyed = `{"at":{"2024-01-15T10:00:00.999Z":1}}`
	if err := json.Unmarshal([]byte(keyed), &key); err != nil || key.At[coordination.At(fine)] != 1 {
		t.Errorf("as a key: %v (%v)", key, err)
	}
	if encoded, err := json.Marshal(key); err != nil || string(encoded) != keyed {
		t.Errorf("as a key: %s (%v)", encoded, err)
	}
	for _, text := range []string{`"yesterday"`, `"2024-01-15"`, `5`} {
		if err := json.Unmarshal([]byte(text), new(coordination.Time)); err == nil {
			t.Errorf("decoded %s", text)
		}
	}
	if !coordination.At(time.Time{}).IsZero() {
		t.Error("no time became one")
	}
}

func TestPrintingHidesSecretsAndPersonalData(t *testing.T) {
	t.Parallel()
	order := document[coordination.OrderRequest]("order-request")
	input, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	start := coordination.StartRequest{Type: "ORDER_FULFILLMENT", BusinessKey: "ord-1", Input: input}
	command := coordination.Command{
		CommandID: "saga-1:1:PAY:execute", Parameters: input, Context: input,
		Callback: &coordination.Callback{URL: "http://c/cbt_secret", Token: "cbt_secret"},
	}
	var logged strings.Builder
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("all", "payment", order.PaymentMethod, "address", order.ShippingAddress,
			"order", order, "start", start, "command", command)
	}
	printed := fmt.Sprintf("%v %+v %#v", order, &order, order) +
		fmt.Sprintf("%v %+v %#v %s", start, &start, start, start) +
		fmt.Sprintf("%v %+v %#v %s", command, &command, command, command)
	for _, text := range []string{printed, logged.String()} {
		for _, secret := range []string{"tok_visa_4242", "cbt_secret", "John Doe", "123 Main St", "10001", "+1234567890"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
		for _, known := range []string{"CREDIT_CARD", "ord-1", "saga-1:1:PAY:execute"} {
			if !strings.Contains(text, known) {
				t.Errorf("%q is not in %s", known, text)
			}
		}
	}
}
