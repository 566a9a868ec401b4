package wiring

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"go.uber.org/fx"

	"github.com/firstviscount/platform-coordination/adapters/telemetry"
	"github.com/firstviscount/platform-coordination/adapters/webhook"
	"github.com/firstviscount/platform-coordination/adapters/webhook/guard"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/app/webhooks"
	"github.com/firstviscount/platform-coordination/ports"
	sdk "github.com/firstviscount/platform-coordination/sdk/webhook"
)

// hooks are the subscriptions and what sends to them.
var hooks = fx.Module("webhooks", fx.Provide(
	newBell,
	newGuard,
	newDispatcher,
	fx.Annotate(newSubscriptions, fx.As(new(ports.Webhooks))),
))

// bell lets the engine wake the dispatcher, which reads workflows from the engine.
type bell struct{ ring func() }

func newBell() *bell { return &bell{ring: func() {}} }

func newGuard(s config.Service) *guard.Guard {
	return guard.New(guard.Config{AllowPrivate: s.WebhookAllowPrivate})
}

func newDispatcher(s config.Service, store ports.Store, queries ports.Queries, sealer ports.Sealer, g *guard.Guard, b *bell, t *telemetry.Telemetry, log *slog.Logger) (*webhook.Dispatcher, error) {
	d, err := webhook.New(webhook.Config{Lease: s.Lease, Guard: g}, webhook.Deps{
		Store:     store,
		Workflows: queries,
		Sealer:    sealer,
		Clock:     engine.SystemClock{},
		Entropy:   engine.SystemEntropy{},
		Logger:    log,
		Begin:     begin(t),
		Attempted: func(a webhook.Attempted) { t.Delivered(a.Event, a.Status, a.Took) },
	})
	if err != nil {
		return nil, err
	}
	b.ring = d.Wake
	return d, t.Watch(telemetry.Watched{Webhooks: backlog(store)})
}

// begin makes an attempt a span of its workflow, if anything traces.
func begin(t *telemetry.Telemetry) func(context.Context, webhook.Told, http.Header) (context.Context, func(int, error)) {
	if !t.Tracing() {
		return nil
	}
	return func(ctx context.Context, told webhook.Told, h http.Header) (context.Context, func(int, error)) {
		ctx, end := t.Deliver(ctx, telemetry.Delivery(told))
		t.InjectHTTP(ctx, h)
		return ctx, end
	}
}

// backlog is what metrics tell of webhooks.
func backlog(store ports.Store) func(context.Context) (int, time.Duration, int, error) {
	return func(ctx context.Context) (pending int, late time.Duration, disabled int, err error) {
		pending, oldest, err := store.DeliveryBacklog(ctx)
		if err != nil {
			return 0, 0, 0, err
		}
		if !oldest.IsZero() {
			late = max(time.Since(oldest), 0)
		}
		all, err := store.Webhooks(ctx)
		for i := range all {
			if all[i].Disabled != "" {
				disabled++
			}
		}
		return pending, late, disabled, err
	}
}

func newSubscriptions(s config.Service, store ports.Store, sealer ports.Sealer, g *guard.Guard, d *webhook.Dispatcher) (*webhooks.Service, error) {
	var secret sdk.Secret
	if s.WebhookSecret != "" {
		var err error
		if secret, err = sdk.ParseSecret(string(s.WebhookSecret)); err != nil {
			return nil, err
		}
	}
	return webhooks.New(webhooks.Deps{
		Store:   store,
		Guard:   g,
		Sealer:  sealer,
		Clock:   engine.SystemClock{},
		Entropy: engine.SystemEntropy{},
		Secret:  secret,
		Changed: d.Refresh,
	}), nil
}
