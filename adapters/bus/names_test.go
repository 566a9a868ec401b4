package bus

import (
	"regexp"
	"testing"
)

// FuzzNames holds what is written by hand to what it says.
func FuzzNames(f *testing.F) {
	topic := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`)
	name := regexp.MustCompile(`^[\x21-\x7e]{0,255}$`)
	header := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	for _, s := range []string{"", "coordination.commands.payment-service", ".a", "a.", "a..b", "_a", "a._b", "-", "content-type", "a b", "é", "~!", "A\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isTopic(s), topic.MatchString(s); got != want {
			t.Errorf("isTopic(%q) is %v, want %v", s, got, want)
		}
		if got, want := isName(s), name.MatchString(s); got != want {
			t.Errorf("isName(%q) is %v, want %v", s, got, want)
		}
		if got, want := isHeaderName(s), header.MatchString(s); got != want {
			t.Errorf("isHeaderName(%q) is %v, want %v", s, got, want)
		}
	})
}
