package harness

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus/kafka/kafkatest"
	"github.com/firstviscount/platform-coordination/adapters/bus/nats/natstest"
	"github.com/firstviscount/platform-coordination/adapters/bus/rabbitmq/rabbittest"
	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/contracttests"
)

// Broker is a message broker of the test's own.
type Broker interface {
	contracttests.Broker
	// URL is its value of --bus, over restarts.
	URL() string
}

// Brokers start a broker each, by name. It ends with the test.
var Brokers = map[string]func(tb testing.TB) Broker{
	"nats":     func(tb testing.TB) Broker { return natstest.Start(tb) },
	"rabbitmq": func(tb testing.TB) Broker { return rabbittest.Start(tb) },
	"kafka":    func(tb testing.TB) Broker { return kafkatest.Start(tb) },
	"postgres": func(tb testing.TB) Broker { return pgtest.StartFor(tb) },
}
