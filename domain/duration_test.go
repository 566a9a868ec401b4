package domain

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestDurationTextBothWays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want time.Duration
	}{
		{"PT0S", 0},
		{"PT5S", 5 * time.Second},
		{"PT0.15S", 150 * time.Millisecond},
		{"PT0.000000001S", time.Nanosecond},
		{"PT1M45S", 105 * time.Second},
		{"PT3M15S", 195 * time.Second},
		{"PT2M", 2 * time.Minute},
		{"PT1H0.5S", time.Hour + 500*time.Millisecond},
		{"PT1H2M3.004S", time.Hour + 2*time.Minute + 3*time.Second + 4*time.Millisecond},
		{"PT50H", 50 * time.Hour},
		{"PT720H", 720 * time.Hour},
		{"PT2562047H47M16.854775807S", math.MaxInt64},
	}
	for _, tt := range tests {
		if got, err := ParseDuration(tt.text); err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
		}
		if got := FormatDuration(tt.want); got != tt.text {
			t.Errorf("FormatDuration(%v) = %q, want %q", tt.want, got, tt.text)
		}
	}
}

func TestParseDurationNormalises(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PT90S": "PT1M30S", "PT60M": "PT1H", "PT0H0M0S": "PT0S", "PT0.500S": "PT0.5S", "PT007S": "PT7S", "PT0.0S": "PT0S",
	} {
		if got, err := ParseDuration(text); err != nil || FormatDuration(got) != want {
			t.Errorf("%q is %s, %v; want %s", text, FormatDuration(got), err, want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "P", "PT", "T", "5S", "P5S", "P1D", "P1W", "P1M", "P1Y", "P1DT1H", "PT1D", "pt5s", "PT5s", "-PT5S", "PT-5S",
		"PT+5S", "PT5", "PTS", "PTH", "PT.5S", "PT5.S", "PT.S", "PT1.2.3S", "PT0,5S", "PT1.5M", "PT1.5H", "PT5S1M",
		"PT1M1H", "PT1H1H", "PT1S1S", " PT5S", "PT5S ", "PT5S\n", "PT 5S", "PT5SX", "PT0.0000000001S", "PT1e3S", "PT٥S",
		"PT2562048H", "PT2562047H47M16.854775808S", "PT2562047H48M", "PT9223372036.854775808S", "PT9223372037S",
		"PT99999999999999999999S", "PT" + strings.Repeat("0", MaxDurationText) + "S",
	} {
		if got, err := ParseDuration(text); !errors.Is(err, ErrDuration) || got != 0 {
			t.Errorf("ParseDuration(%q) = %v, %v; want ErrDuration", text, got, err)
		}
	}
}

func TestFormatDurationOfNegatives(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-1500 * time.Millisecond: "-PT1.5S",
		math.MinInt64:            "-PT2562047H47M16.854775808S",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestDurationJSON(t *testing.T) {
	t.Parallel()
	type policy struct {
		Timeout Duration `json:"timeout"`
	}
	var p policy
	if err := json.Unmarshal([]byte(`{"timeout":"PT2M"}`), &p); err != nil || time.Duration(p.Timeout) != 2*time.Minute {
		t.Errorf("%v, %v", p, err)
	}
	if text, err := json.Marshal(p); err != nil || string(text) != `{"timeout":"PT2M"}` {
		t.Errorf("%s, %v", text, err)
	}
	for _, bad := range []string{`null`, `120`, `""`, `"2m"`, `{}`, `true`} {
		d := Duration(7)
		if err := json.Unmarshal([]byte(bad), &d); !errors.Is(err, ErrDuration) || d != 7 {
			t.Errorf("%s gives %v, %v; want ErrDuration and no change", bad, d, err)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"PT0S", "PT0.15S", "PT3M15S", "PT720H", "PT", "P1D", "PT2562047H47M16.854775807S"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if again, err := ParseDuration(FormatDuration(d)); d < 0 || err != nil || again != d {
			t.Fatalf("%q is %d, read back as %d, %v", text, d, again, err)
		}
	})
}

func FuzzFormatDuration(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(math.MaxInt64))
	f.Add(int64(150 * time.Millisecond))
	f.Fuzz(func(t *testing.T, n int64) {
		text := FormatDuration(time.Duration(n))
		if back, err := ParseDuration(strings.TrimPrefix(text, "-")); n != math.MinInt64 && (err != nil || int64(back) != max(n, -n)) {
			t.Fatalf("%d prints as %q, read back as %d, %v", n, text, back, err)
		}
	})
}
