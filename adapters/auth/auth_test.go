package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	noon   = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
)

// fixedClock tells the same time always.
type fixedClock time.Time

func (c fixedClock) Now() time.Time { return time.Time(c) }

func sharedVerifier(t *testing.T, change func(*auth.Config)) *auth.Verifier {
	t.Helper()
	config := auth.Config{HS256Secret: secret, Clock: fixedClock(noon)}
	if change != nil {
		change(&config)
	}
	v, err := auth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func mint(t *testing.T, g auth.Grant) string {
	t.Helper()
	token, err := auth.Mint(secret, g, noon)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestMintedTokenIsAccepted(t *testing.T) {
	t.Parallel()
	v := sharedVerifier(t, func(c *auth.Config) { c.Issuer, c.Audience = "issuer", "coordination" })
	p, err := v.Verify(t.Context(), mint(t, auth.Grant{
		Subject: "checkout", Role: auth.RoleService, Scopes: []string{"workflow:start", "workflow:read"},
		Issuer: "issuer", Audience: "coordination",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "checkout" || p.Role != auth.RoleService || strings.Join(p.Scopes, " ") != "workflow:start workflow:read" {
		t.Errorf("principal is %+v", p)
	}
}

func TestAbsentScopeIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	v := sharedVerifier(t, nil)
	p, err := v.Verify(t.Context(), mint(t, auth.Grant{Subject: "a", Role: auth.RoleAdmin}))
	if err != nil || p.Scopes != nil {
		t.Errorf("without a scope claim: %+v, %v", p, err)
	}
	p, err = v.Verify(t.Context(), sign(header("HS256"), `{"sub":"a","role":"admin","scope":"","exp":1768485600}`))
	if err != nil || p.Scopes == nil {
		t.Errorf("an empty scope claim must allow nothing, not everything: %+v, %v", p, err)
	}
}

// header is a JOSE header with further members as given.
func header(alg string, members ...string) string {
	return `{"alg":"` + alg + `","typ":"JWT"` + strings.Join(members, "") + `}`
}

// sign makes an HS256 token out of any header and payload, however wrong.
func sign(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	const good = `{"sub":"a","role":"admin","exp":1768485600}` // 14:00
	unsigned := func(alg string) string {
		token := sign(header(alg), good)
		return token[:strings.LastIndexByte(token, '.')+1]
	}
	valid := sign(header("HS256"), good)
	flipped := []byte(valid)
	flipped[len(flipped)-10] ^= 1
	cases := map[string]string{
		"empty":                       "",
		"two parts":                   "a.b",
		"many dots":                   strings.Repeat(".", 5000),
		"five parts, as a JWE":        valid + ".a.b",
		"too long":                    sign(header("HS256"), `{"sub":"a","exp":1768485600,"x":"`+strings.Repeat("x", auth.MaxTokenBytes)+`"}`),
		"alg none":                    unsigned("none"),
		"alg nOnE":                    unsigned("nOnE"),
		"alg none with signature":     sign(header("none"), good),
		"alg HS512":                   sign(header("HS512"), good),
		"alg RS256 with the secret":   sign(header("RS256"), good),
		"alg missing":                 sign(`{"typ":"JWT"}`, good),
		"empty signature":             unsigned("HS256"),
		"flipped signature":           string(flipped),
		"other payload":               replacePayload(valid, `{"sub":"root","role":"admin","exp":1768485600}`),
		"trailing bits in signature":  valid[:len(valid)-1] + nextBase64(valid[len(valid)-1]),
		"crit":                        sign(header("HS256", `,"crit":["exp"]`), good),
		"b64 false":                   sign(header("HS256", `,"b64":false`), good),
		"two signatures":              `{"payload":"` + strings.Split(valid, ".")[1] + `","signatures":[{"protected":"` + strings.Split(valid, ".")[0] + `","signature":"` + strings.Split(valid, ".")[2] + `"},{"protected":"` + strings.Split(valid, ".")[0] + `","signature":"` + strings.Split(valid, ".")[2] + `"}]}`,
		"JSON serialization":          `{"payload":"` + strings.Split(valid, ".")[1] + `","protected":"` + strings.Split(valid, ".")[0] + `","signature":"` + strings.Split(valid, ".")[2] + `"}`,
		"encrypted":                   sign(header("HS256", `,"enc":"A256GCM"`), good),
		"crit of an extension":        sign(header("HS256", `,"crit":["x"],"x":1`), good),
		"crit that is empty":          sign(header("HS256", `,"crit":[]`), good),
		"long issuer":                 sign(header("HS256"), `{"sub":"a","exp":1768485600,"iss":"`+strings.Repeat("i", auth.MaxIssuerBytes+1)+`"}`),
		"kid is SQL":                  sign(header("HS256", `,"kid":"' OR 1=1 --"`), good),
		"kid is a URL":                sign(header("HS256", `,"kid":"https://x.example/k"`), good),
		"kid is empty":                sign(header("HS256", `,"kid":""`), good),
		"nested":                      sign(header("HS256", `,"cty":"JWT"`), good),
		"compressed":                  sign(header("HS256", `,"zip":"DEF"`), good),
		"kid is a path":               sign(header("HS256", `,"kid":"../../dev/null"`), good),
		"kid is a number":             sign(header("HS256", `,"kid":7`), good),
		"kid is long":                 sign(header("HS256", `,"kid":"`+strings.Repeat("k", 129)+`"`), good),
		"typ is another":              sign(`{"alg":"HS256","typ":"secevent+jwt"}`, good),
		"no exp":                      sign(header("HS256"), `{"sub":"a","role":"admin"}`),
		"expired beyond the leeway":   sign(header("HS256"), `{"sub":"a","role":"admin","exp":1768478369}`),
		"not yet valid":               sign(header("HS256"), `{"sub":"a","role":"admin","exp":1768485600,"nbf":1768480000}`),
		"issued in the future":        sign(header("HS256"), `{"sub":"a","role":"admin","exp":1768485600,"iat":1768480000}`),
		"no subject":                  sign(header("HS256"), `{"role":"admin","exp":1768485600}`),
		"long subject":                sign(header("HS256"), `{"sub":"`+strings.Repeat("s", auth.MaxSubjectBytes+1)+`","exp":1768485600}`),
		"payload is no object":        sign(header("HS256"), `[]`),
		"payload is no JSON":          sign(header("HS256"), `{`),
		"scope is a list":             sign(header("HS256"), `{"sub":"a","exp":1768485600,"scope":["a"]}`),
		"with spaces":                 " " + valid,
		"other secret, same alg text": replaceSignature(valid),
	}
	v := sharedVerifier(t, nil)
	if _, err := v.Verify(t.Context(), valid); err != nil {
		t.Fatalf("the token all others are made of must be valid: %v", err)
	}
	for name, token := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := v.Verify(context.Background(), token)
			if !errors.Is(err, auth.ErrToken) {
				t.Fatalf("accepted as %+v, error %v", p, err)
			}
			if len(token) > 20 && strings.Contains(err.Error(), token[len(token)-20:]) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

func replacePayload(token, payload string) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + parts[2]
}

func replaceSignature(token string) string {
	text := token[:strings.LastIndexByte(token, '.')]
	mac := hmac.New(sha256.New, []byte("another secret of thirty-two bytes"))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// nextBase64 is another last character that lenient decoders read as the same bytes.
func nextBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, c)
	return string(alphabet[i^1])
}

func TestLeewayIsSmall(t *testing.T) {
	t.Parallel()
	token := sign(header("HS256"), `{"sub":"a","role":"admin","exp":1768478380}`) // 11:59:40
	if _, err := sharedVerifier(t, nil).Verify(t.Context(), token); err != nil {
		t.Errorf("20 s past its end, within the leeway: %v", err)
	}
	if _, err := auth.New(auth.Config{HS256Secret: secret, Leeway: auth.MaxLeeway + 1}); err == nil {
		t.Error("a leeway above the limit is accepted")
	}
}

func TestIssuerAndAudienceAreRequiredWhenConfigured(t *testing.T) {
	t.Parallel()
	v := sharedVerifier(t, func(c *auth.Config) { c.Issuer, c.Audience = "issuer", "coordination" })
	for name, g := range map[string]auth.Grant{
		"none":           {Subject: "a", Role: auth.RoleAdmin},
		"other issuer":   {Subject: "a", Role: auth.RoleAdmin, Issuer: "x", Audience: "coordination"},
		"other audience": {Subject: "a", Role: auth.RoleAdmin, Issuer: "issuer", Audience: "x"},
	} {
		if _, err := v.Verify(t.Context(), mint(t, g)); !errors.Is(err, auth.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]auth.Config{
		"nothing":       {},
		"short secret":  {HS256Secret: secret[:31]},
		"both families": {HS256Secret: secret, JWKS: "keys.json"},
		"missing file":  {JWKS: "no-such-file.json"},
	} {
		if _, err := auth.New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMintRefusesWhatVerifyWould(t *testing.T) {
	t.Parallel()
	for name, g := range map[string]auth.Grant{
		"no subject":   {Role: auth.RoleAdmin},
		"no role":      {Subject: "a"},
		"other role":   {Subject: "a", Role: "root"},
		"negative ttl": {Subject: "a", Role: auth.RoleAdmin, TTL: -time.Second},
	} {
		if _, err := auth.Mint(secret, g, noon); err == nil {
			t.Errorf("%s: minted", name)
		}
	}
	if _, err := auth.Mint(secret[:31], auth.Grant{Subject: "a", Role: auth.RoleAdmin}, noon); err == nil {
		t.Error("minted with a short secret")
	}
}

func FuzzVerify(f *testing.F) {
	v, err := auth.New(auth.Config{HS256Secret: secret, Clock: fixedClock(noon)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sign(header("HS256"), `{"sub":"a","role":"admin","exp":1768485600}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := v.Verify(t.Context(), token)
		if err == nil && !hasValidMAC(token) {
			t.Fatalf("accepted without a signature: %+v", p)
		}
	})
}

func hasValidMAC(token string) bool {
	at := strings.LastIndexByte(token, '.')
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(token[:at]))
	return token[at+1:] == base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestAccessTokensAreAcceptedByTheirType(t *testing.T) {
	t.Parallel()
	v := sharedVerifier(t, nil)
	for _, typ := range []string{"JWT", "jwt", "at+jwt", "AT+JWT"} {
		p, err := v.Verify(t.Context(), sign(`{"alg":"HS256","typ":"`+typ+`"}`, `{"iss":"issuer","sub":"a","role":"admin","exp":1768485600}`))
		if err != nil || p.Issuer != "issuer" {
			t.Errorf("%s: %+v, %v", typ, p, err)
		}
	}
}

func TestATokenAtTheLimitsIsAccepted(t *testing.T) {
	t.Parallel()
	long := sign(header("HS256", `,"kid":"`+strings.Repeat("k", 128)+`"`),
		`{"iss":"`+strings.Repeat("i", auth.MaxIssuerBytes)+`","sub":"`+strings.Repeat("s", auth.MaxSubjectBytes)+`","role":"admin","exp":1768485600}`)
	if _, err := sharedVerifier(t, nil).Verify(t.Context(), long); err != nil {
		t.Error(err)
	}
}
