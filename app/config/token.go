package config

import "time"

// Token prints a signed token.
type Token struct {
	Role        string        `required:"" enum:"service,admin,external" placeholder:"ROLE" help:"Role: ${enum}."`
	Subject     string        `required:"" placeholder:"NAME" help:"Who the token is for."`
	TTL         time.Duration `name:"ttl" default:"1h" help:"How long it is valid."`
	Scope       string        `placeholder:"SCOPES" help:"Scopes that narrow the role, separated by spaces."`
	JWTSecret   Secret        `name:"jwt-secret" placeholder:"SECRET" help:"HS256 secret, at least ${secret_bytes} bytes."`
	JWTIssuer   string        `name:"jwt-issuer" placeholder:"ISSUER" help:"Issuer claim."`
	JWTAudience string        `name:"jwt-audience" placeholder:"AUDIENCE" help:"Audience claim."`
}

func (t Token) check() error {
	if t.JWTSecret == "" {
		return usage("--jwt-secret", "missing; a token needs the secret of the service")
	}
	if t.TTL <= 0 {
		return usage("--ttl", "must be positive")
	}
	return t.JWTSecret.check()
}
