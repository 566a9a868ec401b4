package memory_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/memory"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	t.Parallel()
	contracttests.Bus(t, open)
}

func open(t *testing.T) ports.Bus {
	b := bus.New(memory.New(), bus.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}
