package ports

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Purger removes what has been kept long enough, in steps so small that nobody
// else waits for them. Each call removes at most limit things, oldest first, and
// returns how many; fewer than limit means that there are no more for now.
type Purger interface {
	// PurgeWorkflows removes workflows that ended with a status before t: their
	// rows, events, idempotency records and deliveries. Those whose events or
	// deliveries are still on their way stay; deliveries of inactive subscriptions
	// are not, for nobody attempts them. Counts stay; what lists sum up no longer
	// includes them.
	PurgeWorkflows(ctx context.Context, status domain.Status, t time.Time, limit int) (int, error)
	// PurgeDeliveries removes deliveries of events before t that are settled, or
	// whose subscription is inactive.
	PurgeDeliveries(ctx context.Context, t time.Time, limit int) (int, error)
	// PurgeAudit removes audit entries made before t.
	PurgeAudit(ctx context.Context, t time.Time, limit int) (int, error)
	// PurgeBatches removes batches that ended before t, with their items.
	PurgeBatches(ctx context.Context, t time.Time, limit int) (int, error)
}
