package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// payload is one of the API's reference.
const payload = `{
  "id": "evt-001",
  "timestamp": "2024-01-15T10:30:00Z",
  "event": "workflow.step.completed",
  "data": {
    "workflowId": "wf-660e8400-e29b-41d4-a716-446655440000",
    "result": {"paymentId": "pay-123456", "amount": 1499.970, "note": "Jürgen <&>"}
  }
}
`

func seal(t *testing.T, text string, s webhook.Secret) []byte {
	t.Helper()
	sealed, err := webhook.Seal([]byte(text), s)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealIsAnHMACOfTheCanonicalForm(t *testing.T) {
	t.Parallel()
	s := secret(t, vectorSecret)
	mac := hmac.New(sha256.New, s.Bytes())
	mac.Write([]byte(`{"data":{"result":{"amount":1499.97,"note":"Jürgen <&>","paymentId":"pay-123456"},` +
		`"workflowId":"wf-660e8400-e29b-41d4-a716-446655440000"},"event":"workflow.step.completed","id":"evt-001","timestamp":"2024-01-15T10:30:00Z"}`))
	want := strings.TrimSuffix(payload, "}\n") + `,"signature":"sha256=` + hex.EncodeToString(mac.Sum(nil)) + `"}`
	if got := string(seal(t, payload, s)); got != want {
		t.Errorf("sealed:\n%s\nwant\n%s", got, want)
	}
	empty := seal(t, ` { } `, s)
	if !json.Valid(empty) || webhook.VerifySeal(empty, s) != nil {
		t.Errorf("an empty object is sealed as %s", empty)
	}
}

func TestVerifySeal(t *testing.T) {
	t.Parallel()
	s := secret(t, vectorSecret)
	sealed := string(seal(t, payload, s))
	respaced, err := webhook.Canonical([]byte(sealed))
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) string {
		changed := strings.Replace(sealed, old, new, 1)
		if changed == sealed {
			t.Fatalf("%s is not in %s", old, sealed)
		}
		return changed
	}
	for name, c := range map[string]struct {
		text string
		with []webhook.Secret
		want error
	}{
		"as sealed":             {sealed, nil, nil},
		"ordered and respaced":  {string(respaced), nil, nil},
		"a number rewritten":    {change("1499.970", "1.49997e3"), nil, nil},
		"text rewritten":        {change("ü", `\u00fc`), nil, nil},
		"a number changed":      {change("1499.97", "1499.98"), nil, webhook.ErrSignature},
		"text changed":          {change("evt-001", "evt-002"), nil, webhook.ErrSignature},
		"a member more":         {change("{", `{"new":1,`), nil, webhook.ErrSignature},
		"a seal within":         {change(`"result": {`, `"result": {"signature":"sha256=00",`), nil, webhook.ErrSignature},
		"another scheme":        {change("sha256=", "sha512="), nil, webhook.ErrSignature},
		"in capitals":           {change("sha256=", "SHA256="), nil, webhook.ErrSignature},
		"no text":               {`{"signature":1}`, nil, webhook.ErrSignature},
		"null":                  {`{"signature":null}`, nil, webhook.ErrSignature},
		"no seal":               {payload, nil, webhook.ErrUnsigned},
		"two seals":             {change("{", `{"signature":"sha256=00",`), nil, webhook.ErrPayload},
		"no object":             {`[]`, nil, webhook.ErrPayload},
		"no JSON":               {sealed[1:], nil, webhook.ErrPayload},
		"another secret":        {sealed, []webhook.Secret{other(t)}, webhook.ErrSignature},
		"second of two secrets": {sealed, []webhook.Secret{other(t), s}, nil},
		"first of two secrets":  {sealed, []webhook.Secret{s, other(t)}, nil},
		"zero secret":           {sealed, []webhook.Secret{{}}, webhook.ErrSignature},
		"no secret":             {sealed, []webhook.Secret{}, webhook.ErrSignature},
	} {
		if c.with == nil {
			c.with = []webhook.Secret{s}
		}
		if err := webhook.VerifySeal([]byte(c.text), c.with...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	s := secret(t, vectorSecret)
	for name, c := range map[string]struct {
		text   string
		secret webhook.Secret
		want   error
	}{
		"sealed before": {string(seal(t, payload, s)), s, webhook.ErrPayload},
		"no object":     {`[]`, s, webhook.ErrPayload},
		"no JSON":       {`{`, s, webhook.ErrPayload},
		"a name twice":  {`{"a":1,"a":2}`, s, webhook.ErrPayload},
		"zero secret":   {payload, webhook.Secret{}, webhook.ErrSecret},
	} {
		if sealed, err := webhook.Seal([]byte(c.text), c.secret); !errors.Is(err, c.want) || sealed != nil {
			t.Errorf("%s: %q, %v", name, sealed, err)
		}
	}
	text := append([]byte(payload), "tail"...)
	if _, err := webhook.Seal(text[:len(payload)], s); err != nil || !bytes.HasSuffix(text, []byte("tail")) {
		t.Errorf("the payload's memory is written to: %q", text)
	}
}

// A payload that was kept without its headers, and written anew by a database
// meanwhile, is still what was sealed.
func ExampleVerifySeal() {
	s, _ := webhook.ParseSecret(exampleSecret)
	sealed, err := webhook.Seal([]byte(`{"id": "evt-1", "amount": 1499.970}`), s)
	fmt.Println(string(sealed), err)

	kept := []byte(`{"amount":1499.97,"id":"evt-1","signature":"sha256=26e3a73f8df06e4db945e7dea72d7ac44da8ebce45aedb795fbf0a57adc06910"}`)
	fmt.Println(webhook.VerifySeal(kept, s))
	fmt.Println(webhook.VerifySeal([]byte(strings.Replace(string(kept), "1499", "1", 1)), s))
	// Output:
	// {"id": "evt-1", "amount": 1499.970,"signature":"sha256=26e3a73f8df06e4db945e7dea72d7ac44da8ebce45aedb795fbf0a57adc06910"} <nil>
	// <nil>
	// no signature of the request matches
}
