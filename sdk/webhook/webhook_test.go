package webhook_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// The reference vector of Standard Webhooks.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func secret(t *testing.T, text string) webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func other(t *testing.T) webhook.Secret {
	t.Helper()
	s, err := webhook.NewSecret([]byte("another secret of 24 byte"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignMatchesTheReferenceVector(t *testing.T) {
	t.Parallel()
	if got := secret(t, vectorSecret).Sign(vectorID, vectorTime, []byte(vectorBody)); got != vectorSignature {
		t.Errorf("Sign = %s, want %s", got, vectorSignature)
	}
}

func TestSecretsRoundTripAndHide(t *testing.T) {
	t.Parallel()
	s := secret(t, vectorSecret)
	if got := s.Reveal(); got != vectorSecret {
		t.Errorf("Reveal = %q", got)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown := fmt.Sprintf(format, s)
		key := s.Bytes()
		if strings.Contains(shown, vectorSecret[len("whsec_"):]) || strings.Contains(shown, fmt.Sprint(key)) ||
			strings.Contains(shown, fmt.Sprintf("%x", key)) {
			t.Errorf("%s shows the key: %s", format, shown)
		}
	}
	var zero webhook.Secret
	if !zero.IsZero() || zero.Reveal() != "" || zero.Sign("id", vectorTime, nil) != "" {
		t.Error("the zero secret holds a key")
	}
	key := s.Bytes()
	key[0]++
	if s.Reveal() != vectorSecret {
		t.Error("Bytes shares the key's memory")
	}
}

func TestParseSecretRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":       "",
		"no prefix":   vectorSecret[len("whsec_"):],
		"not base64":  "whsec_!!!!",
		"url base64":  "whsec_" + base64.URLEncoding.EncodeToString([]byte("\xff\xfe\xfd 16 bytes and more")),
		"too short":   "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, webhook.MinSecretBytes-1)),
		"too long":    "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, webhook.MaxSecretBytes+1)),
		"prefix only": "whsec_",
	} {
		_, err := webhook.ParseSecret(text)
		if !errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%s: %v", name, err)
		} else if len(text) > 12 && strings.Contains(err.Error(), text[7:]) {
			t.Errorf("%s: the error quotes the secret", name)
		}
	}
}

func TestMustParseSecret(t *testing.T) {
	t.Parallel()
	if webhook.MustParseSecret(vectorSecret).Reveal() != vectorSecret {
		t.Error("it is another secret")
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "not a secret") || strings.Contains(text, "guessable") {
			t.Errorf("panicked with %q", text)
		}
	}()
	webhook.MustParseSecret("guessable")
}

func TestVerify(t *testing.T) {
	t.Parallel()
	good := secret(t, vectorSecret)
	tests := map[string]struct {
		change func(http.Header)
		body   string
		at     time.Time
		with   []webhook.Secret
		want   error
	}{
		"as signed":                   {},
		"at the edge of the past":     {at: vectorTime.Add(webhook.Tolerance)},
		"at the edge of the future":   {at: vectorTime.Add(-webhook.Tolerance)},
		"too old":                     {at: vectorTime.Add(webhook.Tolerance + time.Second), want: webhook.ErrTimestamp},
		"too far in the future":       {at: vectorTime.Add(-webhook.Tolerance - time.Second), want: webhook.ErrTimestamp},
		"other body":                  {body: `{"test":2432232314}`, want: webhook.ErrSignature},
		"other secret":                {with: []webhook.Secret{other(t)}, want: webhook.ErrSignature},
		"second of two secrets":       {with: []webhook.Secret{other(t), good}},
		"no secret":                   {with: []webhook.Secret{}, want: webhook.ErrSignature},
		"zero secret":                 {with: []webhook.Secret{{}}, want: webhook.ErrSignature},
		"other id":                    {change: set(webhook.HeaderID, "msg_other"), want: webhook.ErrSignature},
		"other time":                  {change: set(webhook.HeaderTimestamp, "1614265331"), want: webhook.ErrSignature},
		"no id":                       {change: set(webhook.HeaderID, ""), want: webhook.ErrUnsigned},
		"no timestamp":                {change: set(webhook.HeaderTimestamp, ""), want: webhook.ErrUnsigned},
		"no signature":                {change: set(webhook.HeaderSignature, ""), want: webhook.ErrUnsigned},
		"timestamp is no number":      {change: set(webhook.HeaderTimestamp, "now"), want: webhook.ErrTimestamp},
		"timestamp overflows":         {change: set(webhook.HeaderTimestamp, "9223372036854775807"), want: webhook.ErrTimestamp},
		"timestamp before all time":   {change: set(webhook.HeaderTimestamp, "-9223372036854775808"), want: webhook.ErrTimestamp},
		"among other signatures":      {change: set(webhook.HeaderSignature, "v1a,AAAA v1,AAAA "+vectorSignature)},
		"other scheme":                {change: set(webhook.HeaderSignature, "v2"+vectorSignature[2:]), want: webhook.ErrSignature},
		"signature cut":               {change: set(webhook.HeaderSignature, vectorSignature[:len(vectorSignature)-4]), want: webhook.ErrSignature},
		"empty signature":             {change: set(webhook.HeaderSignature, "v1,"), want: webhook.ErrSignature},
		"behind too many signatures":  {change: set(webhook.HeaderSignature, strings.Repeat("v1,AAAA ", webhook.MaxSignatures)+vectorSignature), want: webhook.ErrSignature},
		"last of as many as are seen": {change: set(webhook.HeaderSignature, strings.Repeat("v1,AAAA ", webhook.MaxSignatures-1)+vectorSignature)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			webhook.SetHeaders(h, vectorID, vectorTime, []byte(vectorBody), good)
			if test.change != nil {
				test.change(h)
			}
			if test.body == "" {
				test.body = vectorBody
			}
			if test.at.IsZero() {
				test.at = vectorTime
			}
			if test.with == nil {
				test.with = []webhook.Secret{good}
			}
			if err := webhook.Verify(h, []byte(test.body), test.at, test.with...); !errors.Is(err, test.want) {
				t.Errorf("Verify = %v, want %v", err, test.want)
			}
		})
	}
}

func set(key, value string) func(http.Header) {
	return func(h http.Header) { h.Set(key, value) }
}

func TestRotationSignsWithBothSecrets(t *testing.T) {
	t.Parallel()
	first, second := secret(t, vectorSecret), other(t)
	h := http.Header{}
	webhook.SetHeaders(h, vectorID, vectorTime, []byte(vectorBody), second, webhook.Secret{}, first)
	if n := len(strings.Fields(h.Get("webhook-signature"))); n != 2 {
		t.Fatalf("%d signatures, want 2", n)
	}
	for _, s := range []webhook.Secret{first, second} {
		if err := webhook.Verify(h, []byte(vectorBody), vectorTime, s); err != nil {
			t.Error(err)
		}
	}
	h = http.Header{}
	webhook.SetHeaders(h, vectorID, vectorTime, nil, webhook.Secret{})
	if len(h) != 0 {
		t.Errorf("headers without a secret: %v", h)
	}
}

func ExampleVerify() {
	s, _ := webhook.ParseSecret(vectorSecret)
	body := []byte(`{"test": 2432232314}`)
	h := http.Header{}
	webhook.SetHeaders(h, vectorID, time.Now(), body, s)

	fmt.Println(webhook.Verify(h, body, time.Now(), s))
	fmt.Println(webhook.Verify(h, []byte(`{"test": 0}`), time.Now(), s))
	// Output:
	// <nil>
	// no signature of the request matches
}

func BenchmarkSign(b *testing.B) {
	s, _ := webhook.ParseSecret(vectorSecret)
	body := make([]byte, 1500)
	for b.Loop() {
		s.Sign(vectorID, vectorTime, body)
	}
}
