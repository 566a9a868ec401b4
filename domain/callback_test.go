package domain

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

const (
	tokenWorkflow = "wf-0190b2c4-7a3f-7c21-9d5e-1f2a3b4c5d6e"
	tokenCommand  = "saga-0190b2c4-7a3f-7c21-9d5e-1f2a3b4c5d6f:1:PAYMENT_PROCESSING:execute"
)

var tokenSecret = []byte("0123456789abcdef")

func TestCallbackTokenNamesItsWorkflowAndProvesItsCommand(t *testing.T) {
	t.Parallel()
	token := CallbackToken(tokenSecret, tokenWorkflow, tokenCommand)
	if len(token) != CallbackTokenLength || !regexp.MustCompile(`^cbt_[A-Za-z0-9_-]{43}$`).MatchString(token) {
		t.Fatalf("unexpected form: %q", token)
	}
	workflowID, mac, err := ParseCallbackToken(token)
	if err != nil || workflowID != tokenWorkflow {
		t.Fatalf("ParseCallbackToken = %q, %v", workflowID, err)
	}
	if !VerifyCallbackToken(tokenSecret, tokenCommand, mac) {
		t.Error("the token of a command does not verify for it")
	}
	if token != CallbackToken(tokenSecret, tokenWorkflow, tokenCommand) {
		t.Error("the same command has two tokens")
	}
}

// The layout is on the wire: a token issued by one release is accepted by the next.
func TestCallbackTokenIsStable(t *testing.T) {
	t.Parallel()
	const want = "cbt_AZCyxHo_fCGdXh8qO0xdbkS4GyuXNjuMctkpMf0HkUg"
	if got := CallbackToken(tokenSecret, tokenWorkflow, tokenCommand); got != want {
		t.Errorf("token %q, want %q", got, want)
	}
}

func TestVerifyCallbackTokenRefuses(t *testing.T) {
	t.Parallel()
	_, mac, err := ParseCallbackToken(CallbackToken(tokenSecret, tokenWorkflow, tokenCommand))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(mac)
	flipped[0] ^= 1
	tests := []struct {
		name    string
		secret  []byte
		command string
		mac     []byte
	}{
		{"another secret", []byte("0123456789abcdeF"), tokenCommand, mac},
		{"another command", tokenSecret, strings.Replace(tokenCommand, ":1:", ":2:", 1), mac},
		{"one bit changed", tokenSecret, tokenCommand, flipped},
		{"truncated", tokenSecret, tokenCommand, mac[:15]},
		{"empty", tokenSecret, tokenCommand, nil},
	}
	for _, tt := range tests {
		if VerifyCallbackToken(tt.secret, tt.command, tt.mac) {
			t.Errorf("%s: verified", tt.name)
		}
	}
}

func TestCallbackTokenNeedsAWorkflow(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "wf-", "wf-1", strings.TrimPrefix(tokenWorkflow, "wf-"), "saga-" + strings.TrimPrefix(tokenWorkflow, "wf-"),
		strings.ToUpper(tokenWorkflow), strings.Replace(tokenWorkflow, "c21", "C21", 1), tokenWorkflow + "0",
		strings.Replace(tokenWorkflow, "0190b2c4-", "0190b2c-4", 1), strings.Replace(tokenWorkflow, "0", "g", 1),
	} {
		if token := CallbackToken(tokenSecret, id, tokenCommand); token != "" {
			t.Errorf("%q has the token %q", id, token)
		}
	}
}

func TestParseCallbackTokenRefuses(t *testing.T) {
	t.Parallel()
	good := CallbackToken(tokenSecret, tokenWorkflow, tokenCommand)
	last := good[:len(good)-1]
	for _, token := range []string{
		"", "cbt_", good[4:], "CBT_" + good[4:], last, good + "A", good + "=", " " + good[1:],
		last + "=", last + "\n", last + "B", last + "+", good[:10] + "\n" + good[11:],
	} {
		if id, mac, err := ParseCallbackToken(token); !errors.Is(err, ErrCallbackToken) || id != "" || mac != nil {
			t.Errorf("ParseCallbackToken(%q) = %q, %x, %v", token, id, mac, err)
		}
	}
}

// One value has one text, whatever is tried.
func FuzzParseCallbackToken(f *testing.F) {
	f.Add(CallbackToken(tokenSecret, tokenWorkflow, tokenCommand))
	f.Add("cbt_")
	f.Fuzz(func(t *testing.T, token string) {
		id, mac, err := ParseCallbackToken(token)
		if err != nil {
			return
		}
		uuid, ok := workflowUUID(id)
		if !ok || "cbt_"+strictBase64.EncodeToString(append(uuid, mac...)) != token {
			t.Fatalf("%q was read as %q, %x", token, id, mac)
		}
	})
}
