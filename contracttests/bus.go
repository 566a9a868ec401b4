package contracttests

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// busRuleTimeout is how long one rule may take, on a busy machine and a slow broker.
const busRuleTimeout = 60 * time.Second

// BusRule is one promise of the bus port.
type BusRule struct {
	// Name is the promise, in the words of the port.
	Name string
	// Check returns nil if the bus keeps the promise, and what was seen instead
	// if not. It uses topics and groups of its own, so that rules can share a
	// broker, but not a bus: some close it.
	Check func(ctx context.Context, b ports.Bus) error
}

// BusRules are all promises of ports.Bus that can be seen while the broker is
// up. What outlives its failures is checked by DurableBus.
func BusRules() []BusRule {
	return slices.Concat(
		busPublishRules(),
		busDeliveryRules(),
		busFailureRules(),
		busPoisonRules(),
		busOrderRules(),
		busGroupRules(),
		busConcurrencyRules(),
		busEndRules(),
	)
}

// Bus checks every rule, each on a bus of its own, in parallel. Open must see to
// the closing of what it returns (t.Cleanup); all may be connected to one broker.
func Bus(t *testing.T, open func(t *testing.T) ports.Bus) {
	t.Helper()
	for _, r := range BusRules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), busRuleTimeout)
			defer cancel()
			if err := r.Check(ctx, open(t)); err != nil {
				t.Errorf("broken promise: %s\nseen: %v", r.Name, err)
			}
		})
	}
}
