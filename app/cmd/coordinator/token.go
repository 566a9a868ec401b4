package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/config"
)

// token prints a token and nothing else, so that a shell can take it.
func token(c config.Token, to streams) error {
	signed, err := auth.Mint([]byte(c.JWTSecret), auth.Grant{
		Subject:  c.Subject,
		Role:     c.Role,
		Scopes:   strings.Fields(c.Scope),
		Issuer:   c.JWTIssuer,
		Audience: c.JWTAudience,
		TTL:      c.TTL,
	}, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, signed)
	return err
}
