package memory_test

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenQuotas are stores whose limits do not hold, and whose replicas disagree.
func brokenQuotas() []brokenStore {
	const lease, setting = "LeaseQuota: ", "SettleSetting: "
	return []brokenStore{
		{fault: "all or nothing is granted", promise: lease + "takes up to n uses of key out of its window", breaks: leases(allOrNothing)},
		{fault: "a window never ends", promise: lease + "a window begins with the first use after the last window ended", never: true, breaks: leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
			q.window = max(q.window, time.Hour)
			l, err := q.on(ctx, f)
			l.EndsIn = time.Microsecond
			return l, err
		})},
		{fault: "each replica has a limit of its own", promise: lease + "never more than limit are granted in one window, over all replicas", breaks: leasesApart},
		{fault: "windows are read before they are written", promise: lease + "never more than limit are granted in one window, while windows end", breaks: leasesUnlocked},
		{fault: "the first limit is that of all", promise: lease + "no call is granted more than its own limit leaves, whatever the limits of others", breaks: firstLimit},
		{fault: "all keys are one", promise: lease + "each key has a window of its own", breaks: leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
			q.key = "all"
			return q.on(ctx, f)
		})},
		{fault: "a look is a use", promise: lease + "what takes no use begins no window", breaks: leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
			q.n, q.limit = max(1, q.n), max(1, q.limit)
			l, err := q.on(ctx, f)
			l.Granted = 0
			return l, err
		})},
		{fault: "a window ends later with each use", promise: "QuotaLease: EndsIn is until the window ends, by the store's clock; above 0", never: true, breaks: leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
			l, err := q.on(ctx, f)
			l.EndsIn = q.window
			return l, err
		})},
		{fault: "the last value is settled", promise: setting + "stores a value under a name unless there is one, and returns the one that is stored then", breaks: func(f *faulty) {
			f.settleSetting = func(_ context.Context, _ string, value []byte) ([]byte, error) { return value, nil }
		}},
		{fault: "concurrent values are all settled", promise: setting + "of concurrent values one is settled, and all are told", breaks: settlesTwice},
		{fault: "settings have no limit", promise: setting + "takes MaxSetting bytes and no more", breaks: func(f *faulty) {
			f.settleSetting = func(ctx context.Context, name string, value []byte) ([]byte, error) {
				return f.Store.SettleSetting(ctx, name, value[:min(len(value), ports.MaxSetting)])
			}
		}},
		{fault: "settings are texts", promise: setting + "values are kept byte for byte", breaks: func(f *faulty) {
			f.settleSetting = func(ctx context.Context, name string, value []byte) ([]byte, error) {
				return f.Store.SettleSetting(ctx, name, bytes.ToValidUTF8(value, nil))
			}
		}},
	}
}

// quotaCall is a call of LeaseQuota.
type quotaCall struct {
	key      string
	limit, n int
	window   time.Duration
}

func (q quotaCall) on(ctx context.Context, f *faulty) (ports.QuotaLease, error) {
	return f.Store.LeaseQuota(ctx, q.key, q.limit, q.n, q.window)
}

func leases(how func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error)) func(*faulty) {
	return func(f *faulty) {
		f.leaseQuota = func(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
			return how(ctx, f, quotaCall{key, limit, n, window})
		}
	}
}

func allOrNothing(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
	look := q
	look.n = 0
	if l, err := look.on(ctx, f); err != nil || l.Remaining < q.n {
		return l, err
	}
	return q.on(ctx, f)
}

// leasesApart gives every tenth call a window of its own.
func leasesApart(f *faulty) {
	var mu sync.Mutex
	calls := 0
	leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
		mu.Lock()
		if calls++; calls%10 == 0 {
			q.key += " apart"
		}
		mu.Unlock()
		return q.on(ctx, f)
	})(f)
}

// leasesUnlocked grants some uses of each window twice, as if another call came
// between its read and its write.
func leasesUnlocked(f *faulty) {
	var mu sync.Mutex
	var last ports.QuotaLease
	var ends time.Time
	leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
		mu.Lock()
		defer mu.Unlock()
		if last.Granted > 0 && last.Remaining == q.limit-2*q.n && time.Now().Before(ends) {
			again := last
			last = ports.QuotaLease{}
			return again, nil
		}
		l, err := q.on(ctx, f)
		last, ends = l, time.Now().Add(l.EndsIn)
		return l, err
	})(f)
}

func firstLimit(f *faulty) {
	limits := map[string]int{}
	leases(func(ctx context.Context, f *faulty, q quotaCall) (ports.QuotaLease, error) {
		if _, known := limits[q.key]; !known {
			limits[q.key] = q.limit
		}
		q.limit = limits[q.key]
		return q.on(ctx, f)
	})(f)
}

// settlesTwice tells the second of two callers that meet its own value.
func settlesTwice(f *faulty) {
	second := meet()
	f.settleSetting = func(ctx context.Context, name string, value []byte) ([]byte, error) {
		if second() {
			return value, nil
		}
		return f.Store.SettleSetting(ctx, name, value)
	}
}
