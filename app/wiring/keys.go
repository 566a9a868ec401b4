package wiring

import (
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/config"
)

// The profiles of --jwt-secret and --jwks.
var (
	sharedSecret = fx.Module("keys/hs256", fx.Provide(verifyBySecret))
	keySet       = fx.Module("keys/jwks", fx.Provide(verifyByKeySet))
)

// keysOf picks the profile of the settings.
func keysOf(s config.Service) fx.Option {
	if s.JWKS != "" {
		return keySet
	}
	return sharedSecret
}

func verifyBySecret(s config.Service, opened *resources) (*auth.Verifier, error) {
	return verifier("--jwt-secret", auth.Config{
		HS256Secret: []byte(s.JWTSecret), Issuer: s.JWTIssuer, Audience: s.JWTAudience,
	}, opened)
}

func verifyByKeySet(s config.Service, opened *resources, log *slog.Logger) (*auth.Verifier, error) {
	return verifier("--jwks", auth.Config{
		JWKS: s.JWKS, Issuer: s.JWTIssuer, Audience: s.JWTAudience, Logger: log,
	}, opened)
}

func verifier(setting string, c auth.Config, opened *resources) (*auth.Verifier, error) {
	v, err := auth.New(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	opened.add(func() error { v.Close(); return nil })
	return v, nil
}
