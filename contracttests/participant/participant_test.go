package participant_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests/participant"
	"github.com/firstviscount/platform-coordination/contracttests/verify"
	sdk "github.com/firstviscount/platform-coordination/sdk/participant"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

const service = "gift-service"

// cards is a participant that keeps the protocol, as the SDK makes one.
func cards(t *testing.T, secret webhook.Secret, complete func(c *sdk.Command)) *sdk.Participant {
	t.Helper()
	cfg := sdk.Config{Logger: slog.New(slog.DiscardHandler)}
	if !secret.IsZero() {
		cfg.Secrets = []webhook.Secret{secret}
	}
	rules, p := sdk.NewMemory(), sdk.New(service, cfg)
	var busy sync.Map
	p.Handle("issue", rules.Do(func(_ context.Context, c *sdk.Command) sdk.Outcome {
		var order struct {
			Value int
			Later bool
			Busy  bool
		}
		if err := c.Decode(&order); err != nil {
			return sdk.Refused{Code: "INVALID_PARAMETERS", Message: err.Error()}
		}
		if _, again := busy.LoadOrStore(c.CommandID, true); order.Busy && !again {
			return sdk.Retry{Code: "BUSY", After: 10 * time.Millisecond}
		}
		if order.Value > 500 {
			return sdk.Rejected{Code: "TOO_MUCH"}
		}
		if order.Later {
			go func() {
				time.Sleep(10 * time.Millisecond)
				rules.Settle(c, issued(c))
				complete(c)
			}()
			return sdk.Accepted{}
		}
		return issued(c)
	}))
	p.Handle("revoke", rules.Undo(func(context.Context, *sdk.Command) sdk.Outcome { return sdk.Succeeded{} }))
	return p
}

func issued(c *sdk.Command) sdk.Outcome {
	return sdk.Succeeded{Result: map[string]string{"cardId": "card-" + c.CommandID}}
}

// callBack answers as the SDK does: until it is taken.
func callBack(c *sdk.Command) {
	ctx, cancel := context.WithTimeout(context.Background(), verify.RuleTimeout)
	defer cancel()
	if callback, ok := sdk.CallbackOf(c); ok {
		_ = callback.Complete(ctx, issued(c)) // nobody may listen any more
	}
}

func secret(t *testing.T) webhook.Secret {
	t.Helper()
	s, err := webhook.NewSecret([]byte("a-secret-of-a-participants-test!"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// target is what a server is checked with.
func target(url string, s webhook.Secret) participant.Target {
	return participant.Target{
		URL: url, Service: service, Secret: s,
		Do:      participant.Sample{Action: "issue", Parameters: json.RawMessage(`{"value":50}`)},
		Undo:    participant.Sample{Action: "revoke"},
		Refused: &participant.Sample{Action: "issue", Parameters: json.RawMessage(`{"value":501}`)},
		Later:   &participant.Sample{Action: "issue", Parameters: json.RawMessage(`{"value":1,"later":true}`)},
		Retry:   &participant.Sample{Action: "issue", Parameters: json.RawMessage(`{"value":1,"busy":true}`)},
	}
}

func TestAGoodParticipantKeepsEveryRule(t *testing.T) {
	t.Parallel()
	s := secret(t)
	server := httptest.NewServer(cards(t, s, callBack))
	t.Cleanup(server.Close)
	participant.Run(t, target(server.URL, s))
}

func TestWhatIsNotGivenIsSkipped(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(cards(t, webhook.Secret{}, callBack))
	t.Cleanup(server.Close)
	rules, err := participant.Rules(participant.Target{URL: server.URL, Service: service,
		Do: participant.Sample{Action: "issue"}, Undo: participant.Sample{Action: "revoke"}})
	if err != nil {
		t.Fatal(err)
	}
	report := verify.Run(t.Context(), participant.Suite, server.URL, rules)
	if report.Failed() != 0 || report.Skipped() != 11 {
		t.Errorf("%d failed, %d skipped", report.Failed(), report.Skipped())
	}
}

func TestATargetThatCannotBeCheckedIsAnError(t *testing.T) {
	t.Parallel()
	good := target("http://127.0.0.1:1", webhook.Secret{})
	for name, change := range map[string]func(*participant.Target){
		"URL":     func(t *participant.Target) { t.URL = "" },
		"Service": func(t *participant.Target) { t.Service = "" },
		"Do":      func(t *participant.Target) { t.Do.Action = "" },
	} {
		bad := good
		change(&bad)
		if _, err := participant.Rules(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestWrongParticipants shows that the rules notice: each wrong participant
// breaks the rule that is named.
func TestWrongParticipants(t *testing.T) {
	t.Parallel()
	for _, w := range wrong {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := secret(t)
			complete := callBack
			if w.complete != nil {
				complete = w.complete
			}
			checked := s
			if w.unchecked {
				checked = webhook.Secret{}
			}
			var handler http.Handler = cards(t, checked, complete)
			if w.flaw != nil {
				handler = w.flaw(handler)
			}
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			rules, err := participant.Rules(target(server.URL, s))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rules {
				if r.ID != participant.Suite+"/"+w.rule {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				result := verify.Check(ctx, r)
				if result.Failure == nil {
					t.Errorf("the rule %s found nothing (skipped: %q)", r.ID, result.Skipped)
				} else if text := result.Failure.Text(); len(result.Failure.Exchanges) > 0 && !strings.Contains(text, "curl -i -X POST") {
					t.Errorf("the failure does not show its exchange:\n%s", text)
				}
				return
			}
			t.Fatalf("no rule %s", w.rule)
		})
	}
}
