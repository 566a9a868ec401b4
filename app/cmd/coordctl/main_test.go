package main

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/coordtest"
	"github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// coordctl runs the program.
func coordctl(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

const secretText = "whsec_Y29vcmRjdGwgdGVzdCBzZWNyZXQgb2YgMzIgYnl0ZXM="

// cards serves gift cards as the SDK does, but for what wrong does before.
func cards(t *testing.T, wrong func(http.Handler) http.Handler) string {
	t.Helper()
	p := participant.New("gift-service", participant.Config{Secrets: []webhook.Secret{webhook.MustParseSecret(secretText)}})
	rules := participant.NewMemory()
	p.Handle("issue_card", rules.Do(func(context.Context, *participant.Command) participant.Outcome {
		return participant.Succeeded{Result: map[string]string{"cardId": "card-1"}}
	}))
	p.Handle("revoke_card", rules.Undo(func(context.Context, *participant.Command) participant.Outcome { return participant.Succeeded{} }))
	var handler http.Handler = p
	if wrong != nil {
		handler = wrong(handler)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func verifyCards(t *testing.T, url string, more ...string) (int, string, string) {
	t.Helper()
	return coordctl(t, append([]string{"contract", "verify", "participant", "--url", url, "--service", "gift-service",
		"--do", "issue_card", "--undo", "revoke_card", "--secret", secretText}, more...)...)
}

func TestAGoodParticipant(t *testing.T) {
	t.Parallel()
	code, out, errs := verifyCards(t, cards(t, nil))
	if code != exitKept || !strings.Contains(out, " 0 broken") || errs != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// A participant that takes anything is told by rule, exchange and expectation,
// on the screen and in the report.
func TestAWrongParticipant(t *testing.T) {
	t.Parallel()
	url := cards(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/issue_card" && r.Header.Get("Webhook-Signature") == "" {
				_, _ = w.Write([]byte(`{"outcome":"SUCCEEDED"}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	report := filepath.Join(t.TempDir(), "report.xml")
	code, out, errs := verifyCards(t, url, "--report", report)
	if code != exitBroken || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"BROKEN  participant/signature-missing", "expected: ", "curl -i -X POST '" + url + "/issue_card'", "→ 200 ", " 1 broken"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil || suites.Failures != 1 {
		t.Fatalf("%d failures, error %v in %s", suites.Failures, err, text)
	}
	for _, c := range suites.Cases {
		if broken := strings.HasPrefix(c.Name, "participant/signature-missing"); broken != (c.Failure != nil) {
			t.Errorf("%s: failure %+v", c.Name, c.Failure)
		} else if broken && !strings.Contains(c.Failure.Text, "curl ") {
			t.Errorf("the report does not show the exchange: %s", c.Failure.Text)
		}
	}
}

func TestAReceiverOfWebhooks(t *testing.T) {
	t.Parallel()
	good := httptest.NewServer(&webhook.Handler{Secrets: []webhook.Secret{webhook.MustParseSecret(secretText)},
		Handle: func(context.Context, webhook.Event) error { return nil }})
	t.Cleanup(good.Close)
	if code, out, errs := coordctl(t, "contract", "verify", "webhook", "--url", good.URL, "--secret", secretText); code != exitKept {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	careless := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(careless.Close)
	if code, out, _ := coordctl(t, "contract", "verify", "webhook", "--url", careless.URL, "--secret", secretText); code != exitBroken || strings.Contains(out, secretText) {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// What is shown of an exchange has no token in it.
func TestAServerAndItsToken(t *testing.T) {
	t.Parallel()
	c := coordtest.NewServer(t)
	token := c.Token("external") // too little for health
	code, out, errs := coordctl(t, "contract", "verify", "server", "--url", c.URL, "--token", token, "--rule", "health", "--rule", "not-found")
	if code != exitBroken || !strings.Contains(out, "BROKEN  server/health") || !strings.Contains(out, "kept    server/not-found") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if strings.Contains(out, token) {
		t.Error("the token is shown")
	}
}

func TestWhatCannotBeObeyed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"nothing", nil, exitUsage, "contract"},
		{"an unknown flag", []string{"contract", "verify", "webhook", "--uri", "x"}, exitUsage, "--uri"},
		{"no URL", []string{"contract", "verify", "webhook", "--secret", secretText}, exitUsage, "--url"},
		{"a secret that is none", []string{"contract", "verify", "webhook", "--url", "http://127.0.0.1:1", "--secret", "topsecret"}, exitUsage, "--secret"},
		{"a URL of something else", []string{"contract", "verify", "server", "--url", "ftp://127.0.0.1", "--token", "x"}, exitUsage, "--url"},
		{"a server that is not there", []string{"contract", "verify", "server", "--url", "http://127.0.0.1:1", "--token", "x"}, exitBroken, "--url: cannot be reached"},
		{"an unknown rule", []string{"contract", "verify", "participant", "--url", cards(t, nil), "--service", "s", "--do", "a", "--undo", "b", "--rule", "nonsense"}, exitUsage, "--rule"},
		{"a service nobody knows", []string{"contract", "verify", "participant", "--url", cards(t, nil), "--service", "s"}, exitUsage, "--samples"},
		{"two ways at once", []string{"contract", "verify", "participant", "--url", "http://127.0.0.1:1", "--bus", "nats://127.0.0.1:1", "--service", "payment-service"}, exitUsage, "--bus"},
	} {
		code, out, errs := coordctl(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.says) || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "topsecret") {
			t.Errorf("%s: exit code %d, want %d\n%s%s", c.name, code, c.code, out, errs)
		}
	}
}
