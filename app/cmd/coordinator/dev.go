package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/wiring"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// devTokenTTL is how long the printed token is valid: a day of work.
const devTokenTTL = 24 * time.Hour

// dev runs the service for a person who tries it.
func dev(ctx context.Context, c config.Dev, to streams) error {
	if c.JWTSecret == "" {
		c.JWTSecret = config.Secret(rand.Text() + rand.Text())
	}
	c.WebhookAllowPrivate = true
	c.WebhookSecret = config.Secret(webhook.NewSecret().Reveal())
	admin, err := devToken(c.Service)
	if err != nil {
		return err
	}
	log := logger(c.Service, to.errs)
	return runService(ctx, c.Service, log, func(service *wiring.Service) error {
		printWelcome(to.out, service, c, admin)
		err := devExamples(ctx, service, admin, to.out)
		switch {
		case ctx.Err() != nil:
			return nil
		case c.Once:
			return err
		case err != nil:
			fmt.Fprintf(to.errs, "%s: %s\n", config.Program, oneLine(err))
		}
		fmt.Fprint(to.out, "\nServing. Press Ctrl-C to stop.\n")
		return untilEnd(ctx, service)
	})
}

// devToken is an admin's token for the development secret.
func devToken(settings config.Service) (string, error) {
	return auth.Mint([]byte(settings.JWTSecret), auth.Grant{
		Subject:  "developer",
		Role:     auth.RoleAdmin,
		Issuer:   settings.JWTIssuer,
		Audience: settings.JWTAudience,
		TTL:      devTokenTTL,
	}, time.Now())
}

// devExamples runs the example orders through the API, as any client would.
func devExamples(ctx context.Context, service *wiring.Service, token string, out io.Writer) error {
	client, err := coordination.New(service.APIURL(), coordination.WithToken(token))
	if err != nil {
		return err
	}
	return runExamples(ctx, client, strings.ToLower(rand.Text()[:6]), out)
}

// printWelcome says where everything is.
func printWelcome(out io.Writer, service *wiring.Service, c config.Dev, token string) {
	base := service.BaseURL()
	fmt.Fprintf(out, "Platform Coordination %s, for development\n\n", version())
	fmt.Fprintf(out, "  API        %s\n", service.APIURL())
	fmt.Fprintf(out, "  Reference  %s/docs\n", base)
	fmt.Fprintf(out, "  OpenAPI    %s/openapi.yaml\n", base)
	if ops := service.OpsURL(); ops != "" {
		fmt.Fprintf(out, "  Metrics    %s/metrics\n", ops)
		fmt.Fprintf(out, "  Profiles   %s/debug/pprof/\n", ops)
	}
	fmt.Fprintf(out, "  Store      %s\n", c.Store)
	fmt.Fprintf(out, "\n  Admin token, valid for %d hours:\n  %s\n", int(devTokenTTL.Hours()), token)
	fmt.Fprintf(out, "\n  Secret of every webhook made here:\n  %s\n", string(c.WebhookSecret))
}
