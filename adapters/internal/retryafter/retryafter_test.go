package retryafter

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "5": 5 * time.Second, "0005": 5 * time.Second, "3599": 3599 * time.Second, "3600": time.Hour, "3601": time.Hour,
		"1000000000": time.Hour, "9223372036854775807": 0, strings.Repeat("9", 100): 0,
		"-1": 0, "1.5": 0, "+5": 0, " 5": 0, "five": 0, "0x5": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Minute).Format(http.TimeFormat):     0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):   time.Hour,
	} {
		if got := Read(header, now, time.Hour); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}
