package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/ports"
)

// testKeys are made once: RSA keys are slow to make.
var testKeys = sync.OnceValue(func() (keys struct {
	rsa, weak *rsa.PrivateKey
	ec        *ecdsa.PrivateKey
	ed        ed25519.PrivateKey
}) {
	keys.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	keys.weak, _ = rsa.GenerateKey(rand.Reader, 1024)
	keys.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, keys.ed, _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

func jwksJSON(t *testing.T, keys map[string]any) []byte {
	t.Helper()
	set := jwkset.NewMemoryStorage()
	for kid, key := range keys {
		jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}, Marshal: jwkset.JWKMarshalOptions{Private: true}})
		if err != nil {
			t.Fatal(err)
		}
		if err := set.KeyWrite(t.Context(), jwk); err != nil {
			t.Fatal(err)
		}
	}
	data, err := set.JSONPrivate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func signWith(t *testing.T, method jwt.SigningMethod, kid string, key any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "a", "role": "service", "exp": noon.Add(time.Hour).Unix()})
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func fileVerifier(t *testing.T, keys map[string]any) *auth.Verifier {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, jwksJSON(t, keys), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := auth.New(auth.Config{JWKS: path, Clock: fixedClock(noon)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestKeySetAcceptsTheThreeAlgorithms(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	v := fileVerifier(t, map[string]any{"r": keys.rsa.Public(), "e": keys.ec.Public(), "d": keys.ed.Public()})
	for name, token := range map[string]string{
		"RS256": signWith(t, jwt.SigningMethodRS256, "r", keys.rsa),
		"ES256": signWith(t, jwt.SigningMethodES256, "e", keys.ec),
		"EdDSA": signWith(t, jwt.SigningMethodEdDSA, "d", keys.ed),
	} {
		if p, err := v.Verify(t.Context(), token); err != nil || p.Subject != "a" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := v.Verify(t.Context(), signWith(t, jwt.SigningMethodEdDSA, "", keys.ed)); err != nil {
		t.Errorf("a token without kid must be tried with the keys of its type: %v", err)
	}
}

func TestKeySetRefusesConfusion(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	v := fileVerifier(t, map[string]any{
		"r": keys.rsa.Public(), "weak": keys.weak.Public(), "e": keys.ec.Public(), "shared": secret,
	})
	der, err := x509.MarshalPKIXPublicKey(keys.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"RS256 key used as HS256 secret (DER)": hmacWith(der, "r"),
		"RS256 key used as HS256 secret (PEM)": hmacWith(publicPEM, "r"),
		"HS256 with a secret of the set":       hmacWith(secret, "shared"),
		"RS512":                                signWith(t, jwt.SigningMethodRS512, "r", keys.rsa),
		"PS256":                                signWith(t, jwt.SigningMethodPS256, "r", keys.rsa),
		"another key under a known kid":        signWith(t, jwt.SigningMethodRS256, "r", other),
		"RS256 with the kid of an EC key":      signWith(t, jwt.SigningMethodRS256, "e", keys.rsa),
		"unknown kid":                          signWith(t, jwt.SigningMethodRS256, "x", keys.rsa),
		"weak RSA key":                         signWith(t, jwt.SigningMethodRS256, "weak", keys.weak),
		"unknown key without kid":              signWith(t, jwt.SigningMethodRS256, "", other),
	} {
		if p, err := v.Verify(t.Context(), token); !errors.Is(err, auth.ErrToken) {
			t.Errorf("%s: accepted as %+v, error %v", name, p, err)
		}
	}
}

func hmacWith(key []byte, kid string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT","kid":"`+kid+`"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"a","role":"admin","exp":`+strconv.FormatInt(noon.Add(time.Hour).Unix(), 10)+`}`))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// keyServer serves a JWKS that can change or go away, and counts fetches.
type keyServer struct {
	*httptest.Server
	body    atomic.Pointer[[]byte]
	fetches atomic.Int32
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fetches.Add(1)
		body := s.body.Load()
		if body == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(*body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) serve(body []byte) { s.body.Store(&body) }

// movingClock is a clock that a test moves.
type movingClock struct{ at atomic.Int64 }

func (c *movingClock) Now() time.Time { return time.Unix(c.at.Load(), 0) }

// fetching is a verifier that fetches its keys from a server, at noon.
func fetching(t *testing.T, keys map[string]any) (*auth.Verifier, *keyServer, *movingClock) {
	t.Helper()
	server := newKeyServer(t)
	server.serve(jwksJSON(t, keys))
	clock := &movingClock{}
	clock.at.Store(noon.Unix())
	v, err := auth.New(auth.Config{JWKS: server.URL, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v, server, clock
}

func TestFetchedKeySetRotatesAndSurvivesOutages(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	v, server, clock := fetching(t, map[string]any{"old": keys.ed.Public()})

	old, rotated := signWith(t, jwt.SigningMethodEdDSA, "old", keys.ed), signWith(t, jwt.SigningMethodES256, "new", keys.ec)
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Fatalf("before the rotation: %v", err)
	}
	server.serve(jwksJSON(t, map[string]any{"old": keys.ed.Public(), "new": keys.ec.Public()}))
	if _, err := v.Verify(t.Context(), rotated); err != nil {
		t.Fatalf("a new key must be fetched when a token names it: %v", err)
	}

	server.body.Store(nil)
	before := server.fetches.Load()
	for range 200 {
		if _, err := v.Verify(t.Context(), signWith(t, jwt.SigningMethodEdDSA, "flood", keys.ed)); !errors.Is(err, auth.ErrToken) {
			t.Fatalf("unknown key: %v", err)
		}
	}
	if n := server.fetches.Load() - before; n > 1 {
		t.Errorf("a flood of unknown keys caused %d fetches", n)
	}
	if _, err := v.Verify(t.Context(), old); err != nil {
		t.Errorf("the last good set must serve during an outage: %v", err)
	}
	clock.at.Add(int64((auth.MaxKeySetAge + time.Minute) / time.Second))
	if _, err := v.Verify(t.Context(), old); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("after %s without a fetch: %v", auth.MaxKeySetAge, err)
	}
}

func TestKeySetThatWasNeverFetchedIsUnavailable(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t)
	v, err := auth.New(auth.Config{JWKS: server.URL, Clock: fixedClock(noon)})
	if err != nil {
		t.Fatalf("a source that is away must not stop the start: %v", err)
	}
	v.Close()
	v.Close()
	if _, err := v.Verify(context.Background(), signWith(t, jwt.SigningMethodEdDSA, "k", testKeys().ed)); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}

// Keys and addresses in a token's own header are what an attacker would have
// it verified with.
func TestKeysOfTheHeaderAreNotUsed(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	v := fileVerifier(t, map[string]any{"r": keys.rsa.Public(), "d": keys.ed.Public()})
	source := newKeyServer(t)
	source.serve(jwksJSON(t, map[string]any{"evil": keys.ec.Public()}))
	own, err := jwkset.NewJWKFromKey(keys.ec.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "evil"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]any{"jwk": own.Marshal(), "jku": source.URL, "x5u": source.URL, "x5c": []string{"MIIB"}} {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "a", "role": "service", "exp": noon.Add(time.Hour).Unix()})
		token.Header["kid"], token.Header[name] = "evil", value
		text, err := token.SignedString(keys.ec)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := v.Verify(t.Context(), text); !errors.Is(err, auth.ErrToken) {
			t.Errorf("%s: accepted as %+v, error %v", name, p, err)
		}
	}
	if n := source.fetches.Load(); n != 0 {
		t.Errorf("an address of a header was fetched %d times", n)
	}
}

// During a rotation both keys are in the set; when it is over, only the new one.
func TestRotationOverlapsAndEnds(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	server := newKeyServer(t)
	server.serve(jwksJSON(t, map[string]any{"old": keys.ed.Public()}))
	v, err := auth.New(auth.Config{JWKS: server.URL, Clock: fixedClock(noon)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	old, rotated := signWith(t, jwt.SigningMethodEdDSA, "old", keys.ed), signWith(t, jwt.SigningMethodES256, "new", keys.ec)
	server.serve(jwksJSON(t, map[string]any{"old": keys.ed.Public(), "new": keys.ec.Public()}))
	for name, token := range map[string]string{"new": rotated, "old": old} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("while both are in the set, the %s key: %v", name, err)
		}
	}
	server.serve(jwksJSON(t, map[string]any{"new": keys.ec.Public()}))
	late, err := auth.New(auth.Config{JWKS: server.URL, Clock: fixedClock(noon)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(late.Close)
	if _, err := late.Verify(t.Context(), old); !errors.Is(err, auth.ErrToken) {
		t.Errorf("a key that has left the set: %v", err)
	}
	if _, err := late.Verify(t.Context(), rotated); err != nil {
		t.Errorf("the key that has stayed: %v", err)
	}
}

// A source that answers, but not with keys, is as good as away: the last good
// set goes on and grows old.
func TestWhatIsNoKeySetIsNoGoodFetch(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a page": "<html>", "no keys": `{"keys":[]}`, "no set": `{}`, "too long": `{"keys":["` + strings.Repeat("x", auth.MaxKeySetBytes) + `"]}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := testKeys()
			v, server, clock := fetching(t, map[string]any{"k": keys.ed.Public()})
			good := longLived(t, "k", keys.ed)
			if _, err := v.Verify(t.Context(), good); err != nil {
				t.Fatal(err)
			}
			server.serve([]byte(body))
			clock.at.Add(int64(auth.MaxKeySetAge / time.Second))
			_, _ = v.Verify(t.Context(), signWith(t, jwt.SigningMethodEdDSA, "unknown", keys.ed)) // has it fetched
			if _, err := v.Verify(t.Context(), good); err != nil {
				t.Errorf("at the age of %s: %v", auth.MaxKeySetAge, err)
			}
			clock.at.Add(1)
			if _, err := v.Verify(t.Context(), good); !errors.Is(err, ports.ErrUnavailable) {
				t.Errorf("after %s: %v", auth.MaxKeySetAge, err)
			}
		})
	}
}

func longLived(t *testing.T, kid string, key any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "a", "role": "service", "exp": noon.Add(72 * time.Hour).Unix()})
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
