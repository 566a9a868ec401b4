package verify

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// shownExchanges is how many exchanges a report shows of a failure, from the last.
	shownExchanges = 3
	// shownBytes bounds what is shown of a body.
	shownBytes = 2000
)

// secretHeaders are not shown.
var secretHeaders = []string{"Authorization", "Cookie", "Set-Cookie"}

// Text is the failure with its exchanges.
func (f *Failure) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  expected: %s\n  seen:     %s\n", f.Expected, f.Seen)
	for _, e := range f.Exchanges[max(0, len(f.Exchanges)-shownExchanges):] {
		b.WriteString(indent(e.Curl()))
		b.WriteString(indent(e.answer()))
	}
	return b.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// Curl is the request as a command. Credentials are left out.
func (e *Exchange) Curl() string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i -X %s %s", e.Method, quote(e.URL))
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		for _, value := range e.Header[name] {
			if slices.Contains(secretHeaders, http.CanonicalHeaderKey(name)) {
				value = "…"
			}
			fmt.Fprintf(&b, " \\\n  -H %s", quote(name+": "+value))
		}
	}
	if len(e.Body) > 0 {
		fmt.Fprintf(&b, " \\\n  --data-binary %s", quote(shorten(e.Body)))
	}
	return b.String()
}

// quote quotes for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (e *Exchange) answer() string {
	if e.Err != nil {
		return "→ " + e.Err.Error()
	}
	return fmt.Sprintf("→ %d %s", e.Status, shorten(e.Answer))
}

func shorten(body []byte) string {
	if !utf8.Valid(body) {
		return fmt.Sprintf("(%d bytes that are not text)", len(body))
	}
	if len(body) > shownBytes {
		return strings.ToValidUTF8(string(body[:shownBytes]), "") + "…"
	}
	return string(body)
}

// WriteText writes the report for people: a line for each rule, and for each
// broken one what shows it.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Suite, r.Target)
	for _, result := range r.Results {
		switch {
		case result.Failure != nil:
			fmt.Fprintf(&b, "BROKEN  %-32s %s\n%s", result.Rule.ID, result.Rule.Promise, result.Failure.Text())
		case result.Skipped != "":
			fmt.Fprintf(&b, "skipped %-32s %s\n", result.Rule.ID, result.Skipped)
		default:
			fmt.Fprintf(&b, "kept    %-32s %s\n", result.Rule.ID, result.Rule.Promise)
		}
	}
	broken, left := r.Failed(), r.Skipped()
	fmt.Fprintf(&b, "%d kept, %d broken, %d skipped\n", len(r.Results)-broken-left, broken, left)
	_, err := io.WriteString(w, b.String())
	return err
}
