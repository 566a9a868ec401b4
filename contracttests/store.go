package contracttests

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// ruleTimeout is how long one rule may take, on a busy machine and a remote store.
const ruleTimeout = 60 * time.Second

// StoreRule is one promise of the store port.
type StoreRule struct {
	// Name is the promise, in the words of the port.
	Name string
	// Check returns nil if the store keeps the promise, and what was seen
	// instead if not. The store must be empty, and is not used for another
	// rule. Check does not close it, unless closing is what the rule is about.
	Check func(ctx context.Context, s ports.Store) error
}

// StoreRules are all promises of ports.Store that can be seen in one store.
// What survives a restart is checked by DurableStore.
func StoreRules() []StoreRule {
	return slices.Concat(
		commitRules(),
		conflictRules(),
		valueRules(),
		businessKeyRules(),
		idempotencyRules(),
		claimRules(),
		leaseRules(),
		outboxRules(),
		webhookRules(),
		noticeRules(),
		deliveryRules(),
		deliveryListRules(),
		manyDeliveryRules(),
		listRules(),
		summaryRules(),
		idleRules(),
		cursorRules(),
		countRules(),
		templateRules(),
		auditRules(),
		auditListRules(),
		quotaRules(),
		settingRules(),
		batchRules(),
		batchWorkRules(),
		purgeRules(),
		purgeDeliveryRules(),
		webhookAuditRules(),
		monitorRules(),
		raceRules(),
	)
}

// Store checks every rule, each on a store of its own, in parallel. Open must
// return an empty store and see to its closing (t.Cleanup).
func Store(t *testing.T, open func(t *testing.T) ports.Store) {
	t.Helper()
	for _, r := range StoreRules() {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), ruleTimeout)
			defer cancel()
			if err := r.Check(ctx, open(t)); err != nil {
				t.Errorf("broken promise: %s\nseen: %v", r.Name, err)
			}
		})
	}
}
