package bus

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	"github.com/firstviscount/platform-coordination/adapters/bus/kafka"
	"github.com/firstviscount/platform-coordination/adapters/bus/memory"
	"github.com/firstviscount/platform-coordination/adapters/bus/nats"
	"github.com/firstviscount/platform-coordination/adapters/bus/postgres"
	"github.com/firstviscount/platform-coordination/adapters/bus/rabbitmq"
	"github.com/firstviscount/platform-coordination/ports"
)

// transports opens a broker by the scheme of its URL.
var transports = map[string]func(ctx context.Context, url string, logger *slog.Logger) (broker.Transport, error){
	"memory": func(context.Context, string, *slog.Logger) (broker.Transport, error) {
		return memory.New(), nil
	},
	"nats": func(ctx context.Context, url string, logger *slog.Logger) (broker.Transport, error) {
		return nats.Open(ctx, url, nats.Config{Logger: logger})
	},
	"kafka": func(ctx context.Context, url string, logger *slog.Logger) (broker.Transport, error) {
		return kafka.Open(ctx, url, kafka.Config{Logger: logger})
	},
	"amqp":       openRabbitMQ,
	"amqps":      openRabbitMQ,
	"postgres":   openPostgres,
	"postgresql": openPostgres,
}

func openPostgres(ctx context.Context, url string, logger *slog.Logger) (broker.Transport, error) {
	return postgres.Open(ctx, url, postgres.Config{Logger: logger})
}

func openRabbitMQ(ctx context.Context, url string, logger *slog.Logger) (broker.Transport, error) {
	return rabbitmq.Open(ctx, url, rabbitmq.Config{Logger: logger})
}

// errScheme does not repeat the URL, which may hold a password.
var errScheme = errors.New("message bus: want memory or a URL of one of nats, kafka, amqp, amqps, postgres")

// Open makes a bus on the broker that cfg.URL names: memory, or a URL with a
// scheme of transports. ports.ErrBusDown if the broker cannot be reached.
func Open(ctx context.Context, cfg Config) (ports.Bus, error) {
	scheme, _, _ := strings.Cut(cfg.URL, ":")
	open := transports[scheme]
	if open == nil {
		return nil, errScheme
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	t, err := open(ctx, cfg.URL, cfg.Logger)
	if err != nil {
		return nil, err
	}
	return New(t, cfg), nil
}
