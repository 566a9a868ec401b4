package ports

import (
	"context"
	"time"
)

// Quotas shares limits on a number of uses per time between replicas. Each
// replica takes small chunks and spends them by itself.
type Quotas interface {
	// LeaseQuota takes up to n uses of key out of its window, which begins with
	// the first use after the last window ended, by the store's clock. Never
	// more than limit are granted in one window, over all replicas.
	LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (QuotaLease, error)
}

// QuotaLease is what a replica may use by itself.
type QuotaLease struct {
	Granted   int           // 0 to n
	Remaining int           // what is left in the window after this
	EndsIn    time.Duration // until the window ends, by the store's clock; above 0
}

// MaxSetting is how many bytes a setting may have.
const MaxSetting = 4 << 10

// Settings keeps small values that every replica must agree on.
type Settings interface {
	// SettleSetting stores a value under a name unless there is one, and
	// returns the one that is stored then. At most MaxSetting bytes.
	SettleSetting(ctx context.Context, name string, value []byte) ([]byte, error)
}
