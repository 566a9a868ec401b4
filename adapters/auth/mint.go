package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultTTL is how long a minted token is valid if nothing else is said.
const DefaultTTL = time.Hour

// Grant is what a minted token says.
type Grant struct {
	Subject string
	// Role is one of the Role constants.
	Role string
	// Scopes narrow the role; none leaves it whole.
	Scopes []string
	// Issuer and Audience are left out if empty.
	Issuer, Audience string
	// TTL is DefaultTTL if zero.
	TTL time.Duration
}

// Mint signs a token with an HS256 secret, valid from now on. It refuses a
// short secret, an empty subject, an unknown role and a negative TTL.
func Mint(secret []byte, g Grant, now time.Time) (string, error) {
	switch {
	case len(secret) < MinSecretBytes:
		return "", fmt.Errorf("auth: the shared secret must have at least %d bytes", MinSecretBytes)
	case g.Subject == "" || len(g.Subject) > MaxSubjectBytes:
		return "", fmt.Errorf("auth: subject must have 1 to %d bytes", MaxSubjectBytes)
	case g.Role != RoleExternal && g.Role != RoleService && g.Role != RoleAdmin:
		return "", errors.New("auth: role must be external, service or admin")
	case g.TTL < 0:
		return "", errors.New("auth: ttl must not be negative")
	}
	c := jwt.MapClaims{
		"sub": g.Subject, "role": g.Role,
		"iat": now.Unix(), "exp": now.Add(cmpOr(g.TTL, DefaultTTL)).Unix(),
	}
	if len(g.Scopes) > 0 {
		c["scope"] = strings.Join(g.Scopes, " ")
	}
	if g.Issuer != "" {
		c["iss"] = g.Issuer
	}
	if g.Audience != "" {
		c["aud"] = g.Audience
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(secret)
}
