// Package auth verifies and mints the JSON Web Tokens that callers of the API
// present, by the rules of RFC 8725: the algorithm is chosen by the key, never
// by the token, and everything the verifier does not understand is refused.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

// Limits of tokens and keys.
const (
	// MinSecretBytes is the shortest HS256 secret: the hash's own length.
	MinSecretBytes = 32
	// MaxTokenBytes is checked before anything of a token is looked at.
	MaxTokenBytes = 8 << 10
	// MaxLeeway is the most that clocks may differ.
	MaxLeeway = time.Minute
	// DefaultLeeway is the tolerance for clocks that differ.
	DefaultLeeway = 30 * time.Second
	// MaxSubjectBytes bounds the subject, which becomes part of keys and logs.
	MaxSubjectBytes = 256
	// MaxIssuerBytes bounds the issuer.
	MaxIssuerBytes = 512
	// MaxScopes bounds the scopes of one token.
	MaxScopes = 64
)

// ErrToken: the token is not one that this service accepts. It is wrapped with
// a reason that is safe to log; tell callers no more than that it is invalid.
var ErrToken = errors.New("token refused")

// The roles, each holding what the one before holds.
const (
	RoleExternal = "external"
	RoleService  = "service"
	RoleAdmin    = "admin"
)

// Principal is whom a verified token speaks for.
type Principal struct {
	Subject string
	// Issuer is the claim, empty without one.
	Issuer string
	// Role is the claim as it stands; a role this service does not know allows nothing.
	Role string
	// Scopes narrow what the role allows; nil when the token has no scope claim.
	Scopes []string
}

// Config configures a Verifier: exactly one of HS256Secret and JWKS.
type Config struct {
	// HS256Secret is a shared secret of at least MinSecretBytes bytes.
	HS256Secret []byte
	// JWKS is the http(s) URL or the file name of a key set; its keys verify
	// RS256, ES256 and EdDSA. A file is read once.
	JWKS string
	// Issuer and Audience are required claim values; empty is unchecked.
	Issuer, Audience string
	// Leeway is how far clocks may differ: DefaultLeeway if zero, at most MaxLeeway.
	Leeway time.Duration
	// Clock tells the time; the system's if nil.
	Clock ports.Clock
	// Client fetches a JWKS from its URL; one with short timeouts and without
	// redirects if nil.
	Client *http.Client
	// Logger hears of key sets that cannot be fetched; nobody if nil.
	Logger *slog.Logger
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	parser *jwt.Parser
	keys   keySource
}

// keySource finds the key a token must be signed with, by its header alone.
type keySource interface {
	key(ctx context.Context, token *jwt.Token) (any, error)
	close()
}

// New checks the configuration and returns a Verifier. A JWKS file must be
// readable; a URL that does not answer yet is tried again later, until then
// Verify returns ports.ErrUnavailable. Close ends what it started.
func New(c Config) (*Verifier, error) {
	keys, methods, err := newKeys(&c)
	if err != nil {
		return nil, err
	}
	if c.Leeway < 0 || c.Leeway > MaxLeeway {
		keys.close()
		return nil, fmt.Errorf("auth: leeway must be from 0 to %s", MaxLeeway)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
		jwt.WithLeeway(cmpOr(c.Leeway, DefaultLeeway)),
		jwt.WithTimeFunc(c.now()),
	}
	if c.Issuer != "" {
		options = append(options, jwt.WithIssuer(c.Issuer))
	}
	if c.Audience != "" {
		options = append(options, jwt.WithAudience(c.Audience))
	}
	return &Verifier{parser: jwt.NewParser(options...), keys: keys}, nil
}

func newKeys(c *Config) (keySource, []string, error) {
	switch {
	case len(c.HS256Secret) > 0 && c.JWKS != "":
		return nil, nil, errors.New("auth: a shared secret and a JWKS must not be configured together")
	case c.JWKS != "":
		keys, err := newKeySet(c)
		return keys, []string{"RS256", "ES256", "EdDSA"}, err
	case len(c.HS256Secret) < MinSecretBytes:
		return nil, nil, fmt.Errorf("auth: the shared secret must have at least %d bytes", MinSecretBytes)
	}
	return sharedSecret(slices.Clone(c.HS256Secret)), []string{"HS256"}, nil
}

func cmpOr(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

func (c *Config) now() func() time.Time {
	if c.Clock == nil {
		return time.Now
	}
	return c.Clock.Now
}

// Close ends the refreshing of a key set. It may be called twice.
func (v *Verifier) Close() { v.keys.close() }

// claims are the members of a token that this service reads.
type claims struct {
	jwt.RegisteredClaims
	Role  string  `json:"role"`
	Scope *string `json:"scope"`
}

// Verify returns whom the token (without "Bearer ") speaks for. An error wraps
// ErrToken, or ports.ErrUnavailable while no keys can be had.
func (v *Verifier) Verify(ctx context.Context, token string) (Principal, error) {
	if len(token) > MaxTokenBytes {
		return Principal{}, fmt.Errorf("%w: longer than %d bytes", ErrToken, MaxTokenBytes)
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if err := checkHeader(t.Header); err != nil {
			return nil, err
		}
		return v.keys.key(ctx, t)
	})
	switch {
	case errors.Is(err, ports.ErrUnavailable):
		return Principal{}, ports.ErrUnavailable
	case err != nil:
		return Principal{}, fmt.Errorf("%w: %s", ErrToken, reason(err))
	}
	return c.principal()
}

func (c *claims) principal() (Principal, error) {
	if c.Subject == "" || len(c.Subject) > MaxSubjectBytes {
		return Principal{}, fmt.Errorf("%w: subject is empty or too long", ErrToken)
	}
	if len(c.Issuer) > MaxIssuerBytes {
		return Principal{}, fmt.Errorf("%w: issuer is too long", ErrToken)
	}
	p := Principal{Subject: c.Subject, Issuer: c.Issuer, Role: c.Role}
	if c.Scope != nil {
		p.Scopes = strings.Fields(*c.Scope)
		if len(p.Scopes) > MaxScopes {
			return Principal{}, fmt.Errorf("%w: more than %d scopes", ErrToken, MaxScopes)
		}
	}
	return p, nil
}

// keyID is the only form of "kid" that is ever looked up.
var keyID = regexp.MustCompile(`^[A-Za-z0-9._=-]{1,128}$`)

// checkHeader refuses what would change the meaning of the token: extensions
// it declares critical, unencoded payloads, and anything but a plain JWT. Key
// material and addresses in the header (jwk, jku, x5c, x5u) are never looked at.
func checkHeader(header map[string]any) error {
	for _, name := range []string{"crit", "b64", "enc", "zip", "cty"} {
		if _, has := header[name]; has {
			return fmt.Errorf("header %s is not supported", name)
		}
	}
	if kid, has := header["kid"]; has {
		if text, ok := kid.(string); !ok || !keyID.MatchString(text) {
			return errors.New("header kid is malformed")
		}
	}
	if typ, has := header["typ"]; has {
		text, _ := typ.(string)
		if !strings.EqualFold(text, "JWT") && !strings.EqualFold(text, "at+jwt") {
			return errors.New("header typ is not JWT")
		}
	}
	return nil
}

// reason names the fault in words of our own: the library's texts may quote the token.
func reason(err error) string {
	for sentinel, text := range map[error]string{
		jwt.ErrTokenExpired:              "expired",
		jwt.ErrTokenNotValidYet:          "not valid yet",
		jwt.ErrTokenUsedBeforeIssued:     "issued in the future",
		jwt.ErrTokenInvalidIssuer:        "wrong issuer",
		jwt.ErrTokenInvalidAudience:      "wrong audience",
		jwt.ErrTokenRequiredClaimMissing: "a required claim is missing",
		jwt.ErrTokenMalformed:            "malformed",
		jwt.ErrTokenUnverifiable:         "no suitable key",
	} {
		if errors.Is(err, sentinel) {
			return text
		}
	}
	return "signature is invalid"
}

// sharedSecret is the key source of HS256.
type sharedSecret []byte

func (s sharedSecret) key(context.Context, *jwt.Token) (any, error) { return []byte(s), nil }
func (s sharedSecret) close()                                       {}
